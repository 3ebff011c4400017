//! [`Action`]: what may happen next.

use std::sync::Arc;

use redfence::{NodeId, NodeSet};

use super::Mutant;
use super::attempt::{Attempt, Lease, Phase};
use super::foreign::ForeignAction;
use super::setup::Time;
use super::state::{Server, State};
use super::world::World;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The next attempt asks these nodes for the lock, and their counters to be at least `floor`.
    Begin {
        /// The nodes that it can reach.
        reach: NodeSet,
        /// The least counter that it asks for.
        floor: u64,
    },
    /// A request arrives at a node and takes effect.
    Arrive {
        /// Whose.
        attempt: usize,
        /// Where.
        node: NodeId,
        /// Its place among the messages on this channel.
        at: usize,
        /// Whether the lock there has vanished since the last arrival: it expired, was evicted or released, or a clock
        /// was stepped. Only the next request sees the lock, so it need not vanish any earlier.
        vanished: bool,
    },
    /// A reply arrives.
    Receive {
        /// The attempt that receives it.
        attempt: usize,
        /// From where.
        node: NodeId,
        /// Its place among the messages on this channel.
        at: usize,
    },
    /// An attempt loses its connection, and with it all replies. Its requests may still be on their way.
    LoseConnection {
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
    /// A holder is done, and hands its lease over to a task of its process that waited when the nodes were asked.
    HandOver {
        /// Whose.
        attempt: usize,
    },
    /// An attempt or an extension is timed out or dropped; a holder leaves.
    Leave {
        /// Who.
        attempt: usize,
    },
    /// A node restarts.
    Restart {
        /// Which.
        node: NodeId,
        /// Whether it keeps its data; if not, it has lost everything.
        remembers: bool,
    },
    /// A locker probes a node, decides, and then initializes or activates it.
    Join {
        /// Which.
        node: NodeId,
    },
    /// A client of another library does something.
    Foreign(ForeignAction),
    /// Half a TTL passes.
    Tick,
}

impl World {
    /// Everything that may happen next, in an order that depends only on the state.
    #[must_use]
    pub fn choices(&self, state: &State) -> Vec<Action> {
        let mut choices = Vec::new();
        if state.broken.is_some() || self.is_settled(state) {
            return choices;
        }
        self.beginnings_of_attempts(state, &mut choices);
        for (id, attempt) in state.attempts.iter().enumerate() {
            self.of_attempt(state, id, attempt, &mut choices);
        }
        for (node, server) in self.ids().zip(&state.servers) {
            self.of_server(state, node, server, &mut choices);
        }
        choices.extend(self.choices_of_foreign(state).into_iter().map(Action::Foreign));
        if matches!(self.setup.time, Time::Ticks(end) if state.ticks < end) {
            choices.push(Action::Tick);
        }
        choices
    }

    /// Whether nothing more can be won or extended, so that nothing more can break.
    fn is_settled(&self, state: &State) -> bool {
        let left = self.setup.attempts.saturating_sub(state.attempts.len());
        let rivals = usize::from(self.has_foreign_rival(state));
        if self.setup.only_rivals && left + state.clients() + rivals < 2 {
            return true;
        }
        let may_go_on = |attempt: &Arc<Attempt>| match &attempt.phase {
            Phase::Acquiring(..) | Phase::Extending(..) => true,
            Phase::Holding(lease) => self.extends(state, lease) || self.hands_over(&attempt.phase),
            Phase::Over(_) => self.hands_over(&attempt.phase),
        };
        let may_meet = |attempt: &Arc<Attempt>| attempt.phase.lease().is_some();
        let foreign_may_win = self.setup.foreign.is_some() && state.foreign.may_win();
        left == 0 && !state.attempts.iter().any(may_go_on) && !(foreign_may_win && state.attempts.iter().any(may_meet))
    }

    /// Whether a lease may be extended. If locks do not expire, an extension changes nothing on any node, so only an
    /// extension that must fail can show anything.
    fn extends(&self, state: &State, lease: &Lease) -> bool {
        lease.extensions < self.setup.extensions
            && (self.locks_last() || state.greatest_token() > Some(lease.tokens.last))
    }

    /// Whether a lease has a token left for a waiting task. Only a mutant hands over a lease that is over, and only if
    /// that can show something.
    fn hands_over(&self, phase: &Phase) -> bool {
        let is_left = match phase {
            Phase::Holding(lease) => !lease.handed_over,
            Phase::Over(Some(_)) => self.is(Mutant::HandOverAfterLoss),
            _ => false,
        };
        is_left && self.setup.block > 1
    }

    /// Whether the lock on a node may vanish before the next arrival there. If locks last, this needs a holder that is
    /// done with the lock and whose releases are not modelled as messages.
    fn may_vanish(&self, state: &State, node: NodeId) -> bool {
        let occupant = state.servers.get(node.index()).and_then(|server| server.occupant.0);
        let is_over = |id: usize| state.attempts.get(id).is_some_and(|a| matches!(a.phase, Phase::Over(_)));
        occupant.is_some_and(|id| !self.locks_last() || (!self.setup.releases && is_over(id)))
    }

    /// Attempts are alike, so they begin in the order of their names.
    fn beginnings_of_attempts(&self, state: &State, choices: &mut Vec<Action>) {
        if state.attempts.len() >= self.setup.attempts || state.clients() >= self.setup.clients {
            return;
        }
        let all_nodes = NodeSet::first(self.setup.nodes);
        choices.push(Action::Begin { reach: all_nodes, floor: 0 });
        if let Some(token) = state.greatest_token().filter(|_| self.setup.floors) {
            choices.push(Action::Begin { reach: all_nodes, floor: token.get() + u64::from(self.setup.block) });
        }
        if self.is(Mutant::ReachableQuorum) {
            let some = 1..(1_usize << self.setup.nodes) - 1;
            let reached = |bits: usize| self.ids().filter(|node| bits >> node.index() & 1 == 1).collect();
            choices.extend(some.map(|bits| Action::Begin { reach: reached(bits), floor: 0 }));
        }
    }

    fn of_attempt(&self, state: &State, attempt: usize, is: &Attempt, choices: &mut Vec<Action>) {
        let waits = matches!(is.phase, Phase::Acquiring(..) | Phase::Extending(..));
        for (node, channel) in self.ids().zip(&is.channels) {
            for at in 0..channel.requests.len() {
                choices.push(Action::Arrive { attempt, node, at, vanished: false });
                if self.may_vanish(state, node) {
                    choices.push(Action::Arrive { attempt, node, at, vanished: true });
                }
            }
            choices.extend((0..channel.replies.len()).map(|at| Action::Receive { attempt, node, at }));
            let is_awaited = !channel.replies.is_empty() || channel.requests.iter().any(|in_flight| !in_flight.orphan);
            if self.setup.connection_losses && waits && is_awaited {
                choices.push(Action::LoseConnection { attempt, node });
            }
        }
        if matches!(&is.phase, Phase::Holding(lease) if self.extends(state, lease)) {
            choices.push(Action::Extend { attempt });
        }
        if self.hands_over(&is.phase) {
            choices.push(Action::HandOver { attempt });
        }
        if self.setup.leaves && !matches!(is.phase, Phase::Over(_)) {
            choices.push(Action::Leave { attempt });
        }
    }

    /// Actions that change nothing are offered too; `step` drops them.
    fn of_server(&self, state: &State, node: NodeId, server: &Server, choices: &mut Vec<Action>) {
        if state.restarts < self.setup.restarts {
            choices.push(Action::Restart { node, remembers: false });
            // A node that remembers its locks only refuses more. If no locker probes it, the restart changes nothing.
            if self.locks_last() && self.setup.joins_late {
                choices.push(Action::Restart { node, remembers: true });
            }
        }
        if server.runs > 0 && !self.is(Mutant::ForgottenCounterVotes) {
            choices.push(Action::Join { node });
        }
    }
}
