//! [`Counters`]: which token an attempt gets from the counters of a quorum, and which nodes must still be sealed.
//!
//! The token is the greatest number among the first nodes that granted and are a quorum. It is issued only when `needed`
//! nodes have *sealed* it: each granted this attempt a number not above the token, and its counter reached the token
//! while the lock was still this attempt's. The sealing majorities of two leases share a node. On that node one lease
//! came after the other, and drew a greater number.

use super::Quorum;
use crate::{FencingToken, NodeId, NodeSet, WallTime};

/// Below this the counter was missing: every counter starts at the clock. 10^15 µs lie in the year 2001.
/// The scripts have the same number.
pub const COUNTER_MIN: u64 = WallTime::SET_SINCE.unix_us();

/// The greatest start of a counter, for a clock that is wrong by any amount: it lies in the year 2223. `join.lua`
/// has the same number.
const START_MAX: u64 = 8_000_000_000_000_000;

/// No clock leads a counter above this: another program wrote it. Below it, tokens last for decades more.
/// `join.lua` has the same number.
pub const COUNTER_MAX: u64 = 8_500_000_000_000_000;

/// The start of a counter that does not exist: microseconds since the Unix epoch.
///
/// A counter grows by one for each token, and a grant takes a server more than a microsecond, so a counter does not
/// overtake the clock. So a counter that starts again is above every number that it issued before, even if it was
/// lost within the same second. Numbers stay far below 2^53 until the year 2223. The later of the node's and the
/// caller's wall clock counts.
#[must_use]
pub fn clock_start(node: WallTime, caller: WallTime) -> u64 {
    node.unix_us().max(caller.unix_us()).min(START_MAX)
}

/// The numbers that nodes drew for one attempt, and the nodes that are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counters {
    drawn: [u64; NodeId::COUNT_MAX],
    granted: NodeSet,
    sealed: NodeSet,
    sealed_apart: bool,
    token: Option<FencingToken>,
}

impl Counters {
    /// The state before any node granted.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            drawn: [0; NodeId::COUNT_MAX],
            granted: NodeSet::EMPTY,
            sealed: NodeSet::EMPTY,
            sealed_apart: false,
            token: None,
        }
    }

    /// `node` granted and drew `counter`. Returns the nodes to seal now. If this grant completes the quorum, that is
    /// every node that lags behind the token. If the token is already chosen, it is this node, if it lags.
    pub fn granted(&mut self, node: NodeId, counter: FencingToken, quorum: Quorum) -> NodeSet {
        if let Some(drawn) = self.drawn.get_mut(node.index()) {
            *drawn = counter.get();
        }
        self.granted.insert(node);
        let newly = match self.token {
            Some(_) => NodeSet::from_iter([node]),
            None if !quorum.is_met_by(self.granted) => return NodeSet::EMPTY,
            None => {
                self.token = self.granted.iter().filter_map(|n| FencingToken::new(self.drawn_by(n)).ok()).max();
                self.granted
            }
        };
        let token = self.token.map_or(0, FencingToken::get);
        let mut lagging = NodeSet::EMPTY;
        for node in newly.iter() {
            // A number above the token cannot seal it: an earlier lease may lie between the two.
            match self.drawn_by(node).cmp(&token) {
                std::cmp::Ordering::Less => lagging.insert(node),
                std::cmp::Ordering::Equal => self.sealed.insert(node),
                std::cmp::Ordering::Greater => {}
            }
        }
        lagging
    }

    /// `node` sealed the token, in a separate round.
    pub const fn sealed(&mut self, node: NodeId) {
        self.sealed.insert(node);
        self.sealed_apart = true;
    }

    /// Whether any node had to be sealed after its grant.
    #[must_use]
    pub const fn sealed_apart(&self) -> bool {
        self.sealed_apart
    }

    /// The token, once enough nodes granted. It must not be returned to the user before it is sealed.
    #[must_use]
    pub const fn token(&self) -> Option<FencingToken> {
        self.token
    }

    /// The nodes that have sealed the token.
    #[must_use]
    pub const fn sealed_nodes(&self) -> NodeSet {
        self.sealed
    }

    /// The nodes that granted and drew no number above the token. They count for this lease and its extensions.
    #[must_use]
    pub fn granted_up_to_token(&self) -> NodeSet {
        self.granted.iter().filter(|node| !self.is_above(*node)).collect()
    }

    /// Whether `node` drew a number above the token. Such a node never counts as sealed.
    #[must_use]
    pub fn is_above(&self, node: NodeId) -> bool {
        self.token.is_some_and(|token| self.drawn_by(node) > token.get())
    }

    fn drawn_by(&self, node: NodeId) -> u64 {
        self.drawn.get(node.index()).copied().unwrap_or_default()
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(counters: &mut Counters, nodes: usize, drawn: &[(usize, u64)]) -> Vec<NodeSet> {
        let quorum = Quorum::of(nodes).unwrap();
        let token = |n| FencingToken::new(n).unwrap();
        drawn.iter().map(|(n, c)| counters.granted(NodeId::new(*n).unwrap(), token(*c), quorum)).collect()
    }

    #[test]
    fn equal_numbers_need_no_seal() {
        let mut counters = Counters::new();
        let seals = draw(&mut counters, 5, &[(0, 7), (1, 7), (4, 7)]);
        assert!(seals.iter().all(|s| s.is_empty()));
        assert_eq!(counters.sealed_nodes().len(), 3);
        assert_eq!(counters.token().map(FencingToken::get), Some(7));
    }

    #[test]
    fn nodes_that_lag_are_sealed_and_a_node_above_never_counts() {
        let mut counters = Counters::new();
        let seals = draw(&mut counters, 5, &[(0, 5), (1, 7), (2, 6), (3, 9), (4, 7)]);
        assert_eq!(format!("{:?}", seals[2]), "{n1, n3}");
        assert!(seals[3].is_empty() && counters.is_above(NodeId::new(3).unwrap()));
        assert_eq!(format!("{:?}", counters.sealed_nodes()), "{n2, n5}");
    }

    #[test]
    fn a_new_counter_is_above_what_a_counter_could_have_issued() {
        let at = WallTime::from_unix_us;
        assert_eq!(clock_start(at(1_700_000_000_000_000), at(0)), 1_700_000_000_000_000);
        assert_eq!(clock_start(at(0), at(1_700_000_000_000_001)), 1_700_000_000_000_001);
        // 2220-01-01 still fits, and after a start at a broken clock there are still tokens to draw.
        assert_eq!(clock_start(at(7_889_270_400_000_000), at(0)), 7_889_270_400_000_000);
        assert_eq!(clock_start(at(u64::MAX), at(u64::MAX)), START_MAX);
        const { assert!(START_MAX < COUNTER_MAX && COUNTER_MAX < FencingToken::MAX) };
    }
}
