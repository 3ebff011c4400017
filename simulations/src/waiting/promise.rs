//! The promises that must hold.

use redfence::NodeId;

use super::state::State;
use super::violation::Violation;
use super::world::World;
use super::{Action, progress};

impl World {
    /// Judges the state after an action.
    pub(super) fn check(&self, state: &mut State, action: Action) {
        if state.broken.is_some() {
            return;
        }
        let mut holders = state.processes.iter().enumerate().filter(|(_, is)| is.moves() && is.holds());
        let (holder, other) = (holders.next().map(|(process, _)| process), holders.next().map(|(process, _)| process));
        if let (Some(one), Some(other)) = (holder, other) {
            state.broken = Some(Violation::TwoHolders(one, other));
            return;
        }
        if let (Some(served), Some(first)) = (holder, state.expected)
            && !matches!(action, Action::Release { .. })
        {
            state.expected = None;
            if served != first {
                state.broken = Some(Violation::OutOfTurn { first, served });
                return;
            }
        }
        let waits = state.processes.iter().position(|process| process.fires_soon() == Some(false));
        if let Some(process) = waits
            && state.spent.is_well()
            && self.going_on(state).is_empty()
        {
            state.broken = Some(Violation::WaitsForTheEnd { process });
        }
    }

    /// Judges a node that has received the leave of a process.
    pub(super) fn check_left(&self, state: &mut State, process: usize, node: NodeId) {
        if self.reserved_for(state, node) == Some(process) {
            state.broken.get_or_insert(Violation::ReservedForTheGone { node: node.index(), process });
        }
    }

    /// Whether all promises hold: none was broken on the way, and every process can still be served.
    pub(super) fn verdict(&self, state: &State) -> Option<Violation> {
        state.broken.or_else(|| progress::unserved(self, state).map(|process| Violation::NeverServed { process }))
    }
}
