//! [`Action`]: what may happen next.

use redfence::NodeId;

use super::message::{ToNode, ToProcess};
use super::process::{Phase, Process};
use super::state::State;
use super::world::World;
use super::{Mutant, Setup};

/// One thing that happens.
#[expect(missing_docs, reason = "the variants are described, and their fields say who and where")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A process begins to want the lock.
    Begin { process: usize },
    /// The first message on its way to a node arrives. A reservation, or the lock of a process that is gone, may have
    /// ended there before. Only this request sees that, so it need not end any earlier.
    Arrive { process: usize, node: NodeId, lapsed: bool },
    /// The first message on its way to a process arrives.
    Receive { process: usize, node: NodeId },
    /// A timer fires, and the process asks.
    TimerFires { process: usize },
    /// A holder releases the lock.
    Release { process: usize },
    /// A process gives up.
    Leave { process: usize },
    /// A process dies, and its connections end.
    Die { process: usize },
    /// A process stops doing anything.
    Pause { process: usize },
    /// A wake is lost on its way.
    LoseWake { process: usize, node: NodeId },
    /// A node ends for good.
    LoseNode { node: NodeId },
}

impl World {
    /// Everything that may happen next, in an order that depends only on the state.
    #[must_use]
    pub fn choices(&self, state: &State) -> Vec<Action> {
        if state.broken.is_some() {
            return Vec::new();
        }
        let mut choices = self.going_on(state);
        if choices.is_empty() {
            choices.extend(self.timers(state, false));
        }
        // A process with a lower number began earlier.
        let next = state.processes.iter().position(|process| matches!(process.phase, Phase::Idle));
        choices.extend(next.map(|process| Action::Begin { process }));
        self.going_wrong(state, &mut choices);
        choices
    }

    /// What happens in time.
    pub(super) fn going_on(&self, state: &State) -> Vec<Action> {
        let mut choices = Vec::new();
        for (process, is) in state.processes.iter().enumerate() {
            for (node, channel) in self.ids().zip(&is.channels) {
                let is_up = state.nodes.get(node.index()).is_some_and(|node| node.up);
                if is_up && let Some(message) = channel.to_node.front() {
                    choices.push(Action::Arrive { process, node, lapsed: false });
                    if self.may_lapse(state, (process, message), node) {
                        choices.push(Action::Arrive { process, node, lapsed: true });
                    }
                }
                if is.moves() && !channel.to_process.is_empty() {
                    choices.push(Action::Receive { process, node });
                }
            }
        }
        for (process, is) in state.processes.iter().enumerate() {
            if is.moves() && matches!(is.phase, Phase::Holding(_)) {
                choices.push(Action::Release { process });
            }
        }
        choices.extend(self.timers(state, true));
        choices
    }

    /// Whether the reservation or lock that blocks a message may have ended when it arrives, and whether that matters.
    fn may_lapse(&self, state: &State, (process, message): (usize, &ToNode), node: NodeId) -> bool {
        let ends = self.setup.mutant != Some(Mutant::ReservationWithoutEnd);
        let is_gone = |process: usize| state.processes.get(process).is_some_and(|process| !process.moves());
        let reserved = self.reserved_for(state, node);
        match message {
            ToNode::Grant(_, waits) => {
                let overrides = waits.is_some_and(|waits| waits.overrides);
                ends && !overrides && reserved.is_some_and(|other| other != process)
                    || self.taken_by(state, node).is_some_and(|(holder, _)| is_gone(holder))
            }
            ToNode::Leave => ends && reserved == Some(process),
            ToNode::Release(..) | ToNode::End => false,
        }
    }

    /// Timers that fire soon, or that end with a TTL.
    pub(super) fn timers(&self, state: &State, soon: bool) -> impl Iterator<Item = Action> {
        let processes = state.processes.iter().enumerate();
        processes
            .filter(move |(_, process)| process.fires_soon() == Some(soon) && process.may_ask())
            .map(|(process, _)| Action::TimerFires { process })
    }

    fn going_wrong(&self, state: &State, choices: &mut Vec<Action>) {
        let Setup { wakes_lost, deaths, pauses, leaves, nodes_lost, .. } = self.setup;
        let wants = |process: &Process| process.wants();
        let of = |may: bool, who: fn(&Process) -> bool| {
            let processes = state.processes.iter().enumerate();
            processes.filter(move |(_, process)| may && who(process)).map(|(process, _)| process)
        };
        let lives: fn(&Process) -> bool = |is| is.moves() && !matches!(is.phase, Phase::Idle | Phase::Left);
        choices.extend(of(state.spent.leaves < leaves, wants).map(|process| Action::Leave { process }));
        choices.extend(of(state.spent.deaths < deaths, lives).map(|process| Action::Die { process }));
        choices.extend(of(state.spent.pauses < pauses, lives).map(|process| Action::Pause { process }));
        if state.spent.wakes < wakes_lost {
            for (process, is) in state.processes.iter().enumerate() {
                let is_wake = |back: Option<&ToProcess>| matches!(back, Some(ToProcess::Wake { .. }));
                let channels = self.ids().zip(&is.channels).filter(|(_, channel)| is_wake(channel.to_process.front()));
                choices.extend(channels.map(|(node, _)| Action::LoseWake { process, node }));
            }
        }
        let up = state.nodes.iter().filter(|node| node.up).count();
        if state.spent.nodes < nodes_lost && up > self.quorum.needed() && !self.setup.anchor {
            choices.extend(self.ids().map(|node| Action::LoseNode { node }));
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_quiet(state: &State) -> bool {
        let is_empty = |process: &std::sync::Arc<Process>| {
            process.channels.iter().all(|channel| {
                channel.to_node.iter().all(|message| *message == ToNode::End) && channel.to_process.is_empty()
            })
        };
        state.processes.iter().all(is_empty)
    }
}
