//! [`Quorum`]: how many nodes make a majority.

use crate::{NodeId, NodeSet};

/// The arithmetic of a majority over the **configured** nodes, reachable or not.
///
/// There are two thresholds, because *to win* and *to be unable to win* differ if N is even: of 4 nodes, 3 are needed
/// to win, and 2 that refuse block a win.
///
/// With an *anchor*, one named node must be in the majority. It only makes fewer sets a quorum: any two quorums still
/// share a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quorum {
    nodes: usize,
    /// The node without whose vote no majority counts; mostly empty.
    anchor: NodeSet,
}

impl Quorum {
    /// A quorum over `nodes` nodes; `None` if that is zero or more than [`NodeId::COUNT_MAX`].
    #[must_use]
    pub fn of(nodes: usize) -> Option<Self> {
        (1..=NodeId::COUNT_MAX).contains(&nodes).then_some(Self { nodes, anchor: NodeSet::EMPTY })
    }

    /// The same quorum with an anchor; `None` if it is none of the nodes.
    #[must_use]
    pub fn with_anchor(self, anchor: NodeId) -> Option<Self> {
        (anchor.index() < self.nodes).then(|| Self { anchor: NodeSet::from_iter([anchor]), ..self })
    }

    /// The anchor, if there is one.
    #[must_use]
    pub fn anchor(self) -> Option<NodeId> {
        self.anchor.iter().next()
    }

    /// N, the number of configured nodes.
    #[must_use]
    pub const fn nodes(self) -> usize {
        self.nodes
    }

    /// How many nodes must agree: N/2 + 1. Any two sets of this size share a node.
    #[must_use]
    pub const fn needed(self) -> usize {
        self.nodes / 2 + 1
    }

    /// Whether these nodes, if they agree, are a quorum.
    #[must_use]
    pub const fn is_met_by(self, agree: NodeSet) -> bool {
        agree.len() >= self.needed() && self.anchor.without(agree).is_empty()
    }

    /// Whether these nodes, if they do not agree, make a quorum impossible.
    #[must_use]
    pub const fn is_blocked_by(self, disagree: NodeSet) -> bool {
        disagree.len() >= self.blocking() || self.anchor.without(disagree).len() < self.anchor.len()
    }

    /// How many further nodes must agree at least.
    #[must_use]
    pub const fn missing(self, agree: NodeSet) -> usize {
        let (some, anchor) = (self.needed().saturating_sub(agree.len()), self.anchor.without(agree).len());
        if some > anchor { some } else { anchor }
    }

    /// How many nodes that do not agree make a quorum impossible: N − needed + 1.
    #[must_use]
    pub const fn blocking(self) -> usize {
        self.nodes - self.needed() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds() {
        for (nodes, needed, blocking) in
            [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 2), (5, 3, 3), (6, 4, 3), (7, 4, 4), (8, 5, 4), (9, 5, 5)]
        {
            let quorum = Quorum::of(nodes).unwrap();
            assert_eq!((quorum.needed(), quorum.blocking()), (needed, blocking), "N = {nodes}");
        }
        let anchored = Quorum::of(3).unwrap().with_anchor(NodeId::new(2).unwrap()).unwrap();
        for (nodes, met, blocked, missing) in [
            ("", false, false, 2),
            ("ab", false, true, 1),
            ("c", false, true, 1),
            ("bc", true, true, 0),
            ("a", false, false, 1),
        ] {
            let set = nodes.bytes().filter_map(|letter| NodeId::new(usize::from(letter - b'a'))).collect();
            let found = (anchored.is_met_by(set), anchored.is_blocked_by(set), anchored.missing(set));
            assert_eq!(found, (met, blocked, missing), "{nodes:?}");
        }
        assert_eq!(Quorum::of(3).unwrap().with_anchor(NodeId::new(3).unwrap()), None);
        assert_eq!(Quorum::of(0), None);
        assert_eq!(Quorum::of(NodeId::COUNT_MAX + 1), None);
    }
}
