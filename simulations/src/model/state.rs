//! [`State`]: the whole world at one moment.

use std::sync::Arc;

use redfence::node::NodeState;
use redfence::protocol::{COUNTER_MIN, Reply, Request, RunId, TokenBlock, Verb};
use redfence::{FencingToken, Moment, WallTime};

use super::attempt::{Attempt, Phase};
use super::derived::Derived;
use super::foreign::Foreign;
use super::violation::Violation;
use super::world::{TICK, World};

/// The whole world at one moment. Copies share the parts that did not change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) ticks: u8,
    pub(super) restarts: u8,
    pub(super) servers: Vec<Arc<Server>>,
    pub(super) attempts: Vec<Arc<Attempt>>,
    pub(super) foreign: Foreign,
    pub(super) broken: Option<Violation>,
}

/// A node, with facts about it that the node may have forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) node: NodeState,
    /// How often it restarted.
    pub(super) runs: u8,
    /// The greatest number that it issued before it forgot; its clock is not behind it.
    pub(super) issued: u64,
    /// The holder of its lock after the last arrival.
    pub(super) occupant: Derived<Option<usize>>,
}

impl World {
    /// Every beginning, except that the order of the nodes does not matter: counters level or apart, as the setup
    /// allows.
    #[must_use]
    pub fn beginnings(&self) -> Vec<State> {
        let mut spreads = vec![vec![0]];
        for _ in 1..self.setup.nodes {
            let longer = |spread: Vec<u64>| {
                let last = spread.last().copied().unwrap_or_default();
                (last..=self.setup.spread).map(move |next| [spread.as_slice(), &[next]].concat())
            };
            spreads = spreads.into_iter().flat_map(longer).collect();
        }
        if self.quorum.anchor().is_some() {
            // The first node is the anchor, so its counter may have any place in the order.
            let each_first = |spread: &Vec<u64>| {
                let first = |at| spread.iter().copied().skip(at).take(1).chain(spread.iter().copied().take(at));
                let with_first = |at| first(at).chain(spread.iter().copied().skip(at + 1)).collect();
                (0..spread.len()).map(with_first).collect::<Vec<Vec<u64>>>()
            };
            spreads = spreads.iter().flat_map(each_first).collect();
            spreads.sort_unstable();
            spreads.dedup();
        }
        spreads.iter().map(|spread| self.beginning(spread)).collect()
    }

    fn beginning(&self, spread: &[u64]) -> State {
        let server = |above: &u64| {
            let mut node = NodeState::bootstrapped(run(0), wall(0));
            node.set_counter(self.resource.slot(), COUNTER_MIN + above);
            Arc::new(Server { node, runs: 0, issued: 0, occupant: Derived(None) })
        };
        let servers = spread.iter().map(server).collect();
        State { ticks: 0, restarts: 0, servers, attempts: Vec::new(), foreign: Foreign::default(), broken: None }
    }

    /// The attempt whose lock a node has.
    pub(super) fn occupant(&self, server: &mut Server, now: WallTime) -> Option<usize> {
        let request = Request { subject: Arc::clone(self.subjects.first()?), verb: Verb::Inspect };
        let Reply::Inspected(view) = server.node.apply(now, &request) else { return None };
        let holder = view.lock.held_by()?.holder()?;
        self.subjects.iter().position(|subject| subject.holder == *holder)
    }

    /// The counter of the one resource on a node.
    pub(super) fn counter(&self, server: &Server) -> u64 {
        server.node.counter(self.resource.slot())
    }
}

impl State {
    /// The promise that was broken on the way here.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }

    /// The tokens of all leases that were ever returned, with their attempts, in the order in which these began.
    pub fn leases(&self) -> impl Iterator<Item = (usize, TokenBlock)> {
        self.attempts.iter().enumerate().filter_map(|(id, attempt)| Some((id, attempt.phase.tokens()?)))
    }

    /// How many attempts have begun.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    pub(super) fn greatest_token(&self) -> Option<FencingToken> {
        self.leases().map(|(_, tokens)| tokens.last).max()
    }

    pub(super) fn clients(&self) -> usize {
        self.attempts.iter().filter(|attempt| !matches!(attempt.phase, Phase::Over(_))).count()
    }

    /// The holders' time.
    pub(super) fn moment(&self) -> Moment {
        Moment::from_origin(TICK * u32::from(self.ticks))
    }

    /// The nodes' time.
    pub(super) fn wall(&self) -> WallTime {
        wall(self.ticks)
    }
}

/// The nodes' time begins at the start of counters, so that the first tokens are small.
fn wall(ticks: u8) -> WallTime {
    WallTime::from_unix_us(COUNTER_MIN).after(TICK * u32::from(ticks))
}

/// The identity of one run of a node.
pub(super) const fn run(runs: u8) -> RunId {
    RunId::from_bytes([runs; 20])
}
