//! [`NodeId`]: a node by its position in the configured set; and [`NodeSet`], a set of such nodes.

use std::fmt;

/// The position of a node in the configured set, counted from 0. It is printed from 1, as people count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u8);

impl NodeId {
    /// The most nodes that a set may have. Real installations have at most nine.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const COUNT_MAX: usize = 32;

    /// The node at `position`; positions at or above [`NodeId::COUNT_MAX`] do not exist.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn new(position: usize) -> Option<Self> {
        (position < Self::COUNT_MAX).then_some(())?;
        u8::try_from(position).ok().map(Self)
    }

    /// All nodes of a set of `count`, in order.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn all(count: usize) -> impl DoubleEndedIterator<Item = Self> {
        (0..count.min(Self::COUNT_MAX)).filter_map(Self::new)
    }

    /// The position, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0 + 1)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0 + 1)
    }
}

/// A set of nodes in one machine word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NodeSet(u32);

impl NodeSet {
    /// No node.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const EMPTY: Self = Self(0);

    /// The first `count` nodes.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn first(count: usize) -> Self {
        NodeId::all(count).collect()
    }

    /// The set as bits, for an atomic.
    #[cfg(feature = "redlock")]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// The set that [`Self::bits`] turned into `bits`.
    #[cfg(feature = "redlock")]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Adds a node.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn insert(&mut self, node: NodeId) {
        self.0 |= 1 << node.0;
    }

    /// Whether `node` is in the set.
    #[must_use]
    pub const fn contains(self, node: NodeId) -> bool {
        self.0 & (1 << node.0) != 0
    }

    /// How many nodes the set has.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set has no node.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The nodes of this set that are not in `other`.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The nodes in order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = (left != 0).then(|| NodeId(left.trailing_zeros() as u8))?;
            left &= left - 1;
            Some(lowest)
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::EMPTY;
        nodes.into_iter().for_each(|node| set.insert(node));
        set
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Writes `nodes 1, 3 and 5`; `no node` if the set is empty.
impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no node");
        }
        f.write_str(if self.len() == 1 { "node " } else { "nodes " })?;
        for (count, node) in self.iter().enumerate() {
            match count {
                0 => {}
                _ if count + 1 == self.len() => f.write_str(" and ")?,
                _ => f.write_str(", ")?,
            }
            write!(f, "{}", node.0 + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_read_like_a_sentence() {
        let nodes = |positions: &[usize]| positions.iter().filter_map(|p| NodeId::new(*p)).collect::<NodeSet>();
        assert_eq!(nodes(&[]).to_string(), "no node");
        assert_eq!(nodes(&[0]).to_string(), "node 1");
        assert_eq!(nodes(&[0, 2, 4]).to_string(), "nodes 1, 3 and 5");
        assert_eq!(NodeSet::first(5).without(nodes(&[0, 2])), nodes(&[1, 3, 4]));
        assert_eq!(NodeId::new(NodeId::COUNT_MAX), None);
    }
}
