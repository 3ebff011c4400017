//! [`Quorum`]: how many nodes make a majority.

use crate::NodeId;

/// The arithmetic of a majority over the **configured** nodes, reachable or not.
///
/// There are two thresholds, because *to win* and *to be unable to win* differ if N is even: of 4 nodes, 3 are needed
/// to win, and 2 that refuse block a win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quorum {
    nodes: usize,
}

impl Quorum {
    /// A quorum over `nodes` nodes; `None` if that is zero or more than [`NodeId::COUNT_MAX`].
    #[must_use]
    pub fn of(nodes: usize) -> Option<Self> {
        (1..=NodeId::COUNT_MAX).contains(&nodes).then_some(Self { nodes })
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
        assert_eq!(Quorum::of(0), None);
        assert_eq!(Quorum::of(NodeId::COUNT_MAX + 1), None);
    }
}
