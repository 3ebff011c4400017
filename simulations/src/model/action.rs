//! [`Action`]: what may happen next.

use redfence::{NodeId, NodeSet};

use super::Mutant;
use super::attempt::{Attempt, Phase};
use super::setup::Time;
use super::state::{Server, State, World};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The next attempt asks these nodes for the lock, and their counters to be at least `floor`.
    Begin {
        /// The nodes that it can reach.
        reach: NodeSet,
        /// The least counter.
        floor: u64,
    },
    /// A request arrives at a node and takes effect.
    Arrive {
        /// Whose.
        attempt: usize,
        /// Where.
        node: NodeId,
        /// Which of those on this line.
        at: usize,
    },
    /// A reply arrives.
    Hear {
        /// At whom.
        attempt: usize,
        /// From where.
        node: NodeId,
        /// Which of those on this line.
        at: usize,
    },
    /// An attempt hears that its connection is lost, and its replies are. Its requests may be on their way.
    Cut {
        /// Whose.
        attempt: usize,
        /// To where.
        node: NodeId,
    },
    /// A holder begins to extend its lease.
    Extend {
        /// Whose.
        attempt: usize,
    },
    /// An attempt or an extension is timed out or dropped; a holder leaves.
    Leave {
        /// Who.
        attempt: usize,
    },
    /// A lock expires, is evicted, or falls to the step of a clock.
    Vanish {
        /// Where.
        node: NodeId,
    },
    /// A node restarts.
    Restart {
        /// Which.
        node: NodeId,
        /// Whether with everything that it knew, or with nothing.
        remembers: bool,
    },
    /// A locker looks at a node, judges it, and does what has to be done: settles it, or wakes it.
    Join {
        /// Which.
        node: NodeId,
    },
    /// Half a time to live passes.
    Tick,
}

impl World {
    /// Everything that may happen next, in an order that depends on the state alone.
    #[must_use]
    pub fn choices(&self, state: &State) -> Vec<Action> {
        let mut choices = Vec::new();
        if state.broken.is_some() {
            return choices;
        }
        self.beginnings_of_attempts(state, &mut choices);
        for (id, attempt) in state.attempts.iter().enumerate() {
            self.of_attempt(id, attempt, &mut choices);
        }
        for (node, server) in self.ids().zip(&state.servers) {
            self.of_server(state, node, server, &mut choices);
        }
        if matches!(self.setup.time, Time::Ticks(end) if state.ticks < end) {
            choices.push(Action::Tick);
        }
        choices
    }

    /// Attempts are alike, so they begin in the order of their names.
    fn beginnings_of_attempts(&self, state: &State, choices: &mut Vec<Action>) {
        if state.attempts.len() >= self.setup.attempts || state.clients() >= self.setup.clients {
            return;
        }
        let everybody = NodeSet::first(self.setup.nodes);
        choices.push(Action::Begin { reach: everybody, floor: 0 });
        if let Some(token) = state.greatest_token().filter(|_| self.setup.floors) {
            choices.push(Action::Begin { reach: everybody, floor: token.get() + 1 });
        }
        if self.is(Mutant::ReachableQuorum) {
            let some = 1..(1_usize << self.setup.nodes) - 1;
            let reached = |bits: usize| self.ids().filter(|node| bits >> node.index() & 1 == 1).collect();
            choices.extend(some.map(|bits| Action::Begin { reach: reached(bits), floor: 0 }));
        }
    }

    fn of_attempt(&self, attempt: usize, is: &Attempt, choices: &mut Vec<Action>) {
        let waits = matches!(is.phase, Phase::Acquiring(..) | Phase::Extending(..));
        for (node, line) in self.ids().zip(&is.lines) {
            choices.extend((0..line.requests.len()).map(|at| Action::Arrive { attempt, node, at }));
            choices.extend((0..line.replies.len()).map(|at| Action::Hear { attempt, node, at }));
            let is_awaited = !line.replies.is_empty() || line.requests.iter().any(|mail| !mail.orphan);
            if self.setup.cuts && waits && is_awaited {
                choices.push(Action::Cut { attempt, node });
            }
        }
        if matches!(&is.phase, Phase::Holding(lease) if lease.extensions < self.setup.extensions) {
            choices.push(Action::Extend { attempt });
        }
        if self.setup.releases && !matches!(is.phase, Phase::Over(_)) {
            choices.push(Action::Leave { attempt });
        }
    }

    /// What would change nothing is offered as well; taking it leads nowhere.
    fn of_server(&self, state: &State, node: NodeId, server: &Server, choices: &mut Vec<Action>) {
        if !self.locks_last() {
            choices.push(Action::Vanish { node });
        }
        if state.restarts < self.setup.restarts {
            choices.push(Action::Restart { node, remembers: false });
            if self.locks_last() {
                choices.push(Action::Restart { node, remembers: true });
            }
        }
        if server.runs > 0 && !self.is(Mutant::ForgottenCounterVotes) {
            choices.push(Action::Join { node });
        }
    }
}
