//! What must hold, and [`Broken`]: what did not.

use std::fmt;

use redfence::NodeId;

use super::process::Phase;
use super::state::{State, World};
use super::{Action, progress};

/// What was broken.
#[expect(missing_docs, reason = "the variants are described, and their fields say who and where")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// W: nothing was lost, and yet this process waits for the end of a time to live.
    WaitsForTheEnd { process: usize },
    /// L: whatever goes on from here, this process is not served.
    NeverServed { process: usize },
    /// A node reserves the lock for a process that is gone.
    ReservedForTheGone { node: usize, process: usize },
    /// The first one had waited longer, and the second one was served.
    OutOfTurn { first: usize, served: usize },
    /// X: two hold the lock.
    TwoHolders(usize, usize),
}

impl Broken {
    /// The promise, as it is called.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::WaitsForTheEnd { .. } => "W",
            Self::NeverServed { .. } => "L",
            Self::ReservedForTheGone { .. } => "reserved",
            Self::OutOfTurn { .. } => "in turn",
            Self::TwoHolders(..) => "X",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken: ", self.promise())?;
        match *self {
            Self::WaitsForTheEnd { process } => {
                write!(f, "nothing was lost, nobody has the lock, and p{process} waits for the end of a time to live")
            }
            Self::NeverServed { process } => write!(f, "whatever goes on from here, p{process} never gets the lock"),
            Self::ReservedForTheGone { node, process } => {
                write!(f, "n{} reserves the lock for p{process}, which is gone", node + 1)
            }
            Self::OutOfTurn { first, served } => {
                write!(f, "p{first} has waited longer than p{served}, which gets the lock")
            }
            Self::TwoHolders(one, other) => write!(f, "p{one} and p{other} both hold the lock"),
        }
    }
}

impl World {
    /// Judges what an action led to.
    pub(super) fn check(&self, state: &mut State, action: Action) {
        if state.broken.is_some() {
            return;
        }
        let mut holders = state.processes.iter().enumerate().filter(|(_, is)| is.moves() && is.holds());
        let (holder, other) = (holders.next().map(|(process, _)| process), holders.next().map(|(process, _)| process));
        if let (Some(one), Some(other)) = (holder, other) {
            state.broken = Some(Broken::TwoHolders(one, other));
            return;
        }
        if let (Some(served), Some(first)) = (holder, state.expected)
            && !matches!(action, Action::Release { .. })
        {
            state.expected = None;
            if served != first {
                state.broken = Some(Broken::OutOfTurn { first, served });
                return;
            }
        }
        let waits = state.processes.iter().position(|process| process.rings_soon() == Some(false));
        if let Some(process) = waits
            && state.spent.is_well()
            && self.going_on(state).is_empty()
        {
            state.broken = Some(Broken::WaitsForTheEnd { process });
        }
    }

    /// A node has heard that a process leaves.
    pub(super) fn check_left(&self, state: &mut State, process: usize, node: NodeId) {
        if self.reserved_for(state, node) == Some(process) {
            state.broken.get_or_insert(Broken::ReservedForTheGone { node: node.index(), process });
        }
    }

    /// Whether everything that must hold does: what was broken on the way, and that everybody may still be served.
    pub(super) fn verdict(&self, state: &State) -> Option<Broken> {
        state.broken.or_else(|| progress::unserved(self, state).map(|process| Broken::NeverServed { process }))
    }
}

impl super::process::Process {
    pub(super) const fn holds(&self) -> bool {
        matches!(self.phase, Phase::Holding(_))
    }
}
