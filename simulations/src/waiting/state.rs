//! [`State`]: the whole world at one moment.

use std::sync::Arc;

use redfence::node::NodeState;
use redfence::protocol::{Reply, Request, RunId, Verb};
use redfence::{LockState, NodeId};

use super::process::{Channel, Process};
use super::violation::Violation;
use super::world::{WALL, World};

/// The whole world at one moment. Copies share the parts that did not change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) processes: Vec<Arc<Process>>,
    pub(super) spent: Spent,
    /// The process that must be next: it had waited longest when the lock was released and no message was on its way.
    pub(super) expected: Option<usize>,
    pub(super) broken: Option<Violation>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) state: NodeState,
    pub(super) up: bool,
}

/// How often each thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Spent {
    pub(super) wakes: u8,
    pub(super) deaths: u8,
    pub(super) pauses: u8,
    pub(super) leaves: u8,
    pub(super) nodes: u8,
    /// A process was woken, and gave up when its reservation was over.
    pub(super) late: bool,
}

impl Spent {
    /// Whether nothing was lost. A process that gives up is no loss.
    pub(super) const fn is_well(self) -> bool {
        self.wakes == 0 && self.deaths == 0 && self.pauses == 0 && self.nodes == 0 && !self.late
    }
}

impl World {
    /// No process has begun yet; or the first process has the lock, and nothing is on the way.
    #[must_use]
    pub fn first(&self) -> State {
        let mut state = self.beginning();
        while self.setup.held
            && let Some(next) = self.choices(&state).first().and_then(|action| self.step(&state, *action))
            && !state.processes.iter().any(|process| process.holds() && Self::is_quiet(&state))
        {
            state = next;
        }
        state
    }

    fn beginning(&self) -> State {
        let state = NodeState::bootstrapped(RunId::from_bytes([0; 20]), WALL);
        let process = Process::idle(vec![Channel::default(); self.setup.nodes]);
        State {
            nodes: std::iter::repeat_n(Arc::new(Node { state, up: true }), self.setup.nodes).collect(),
            processes: std::iter::repeat_n(Arc::new(process), self.setup.processes).collect(),
            spent: Spent::default(),
            expected: None,
            broken: None,
        }
    }

    /// The state of the lock on a node.
    fn lock(&self, state: &State, node: NodeId) -> Option<LockState> {
        let request = Request { subject: Arc::clone(self.subject(0, 0)?), verb: Verb::Inspect };
        match state.nodes.get(node.index())?.state.clone().apply(WALL, &request) {
            Reply::Inspected(view) => Some(view.lock),
            _ => None,
        }
    }

    /// The process for whom the lock of a node is reserved.
    pub(super) fn reserved_for(&self, state: &State, node: NodeId) -> Option<usize> {
        self.process_of(self.lock(state, node)?.reserved_for()?.waiter().locker)
    }

    /// The process that has the lock of a node, and the name of its attempt.
    pub(super) fn taken_by(&self, state: &State, node: NodeId) -> Option<(usize, usize)> {
        self.named(&self.lock(state, node)?)
    }
}

impl State {
    /// What was broken on the way here.
    #[must_use]
    pub const fn broken(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }
}
