//! [`Tally`]: counts one round and decides at the earliest sound moment.

use super::Quorum;
use crate::{NodeId, NodeSet};

/// The yes and the no of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tally {
    quorum: Quorum,
    yes: NodeSet,
    no: NodeSet,
}

/// What a tally knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Neither is certain yet.
    Open,
    /// Enough nodes said yes.
    Reached,
    /// So many did not say yes that enough never will.
    Impossible,
}

impl Tally {
    /// An empty tally.
    #[must_use]
    pub const fn new(quorum: Quorum) -> Self {
        Self { quorum, yes: NodeSet::EMPTY, no: NodeSet::EMPTY }
    }

    /// Counts `node` as a yes. Its first vote stands.
    pub fn yes(&mut self, node: NodeId) {
        if !self.no.contains(node) {
            self.yes.insert(node);
        }
    }

    /// Counts `node` as a no, or as one that will never answer. Its first vote stands.
    pub fn no(&mut self, node: NodeId) {
        if !self.yes.contains(node) {
            self.no.insert(node);
        }
    }

    /// Turns everybody who has not voted into a no: nobody waits for them any longer.
    pub fn close(&mut self) {
        self.no = NodeSet::first(self.quorum.nodes()).without(self.yes);
    }

    /// The nodes that said yes.
    #[must_use]
    pub const fn in_favour(&self) -> NodeSet {
        self.yes
    }

    /// The decision as it stands.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        if self.yes.len() >= self.quorum.needed() {
            Decision::Reached
        } else if self.no.len() >= self.quorum.blocking() {
            Decision::Impossible
        } else {
            Decision::Open
        }
    }

    /// How many more votes there must be before a decision can fall: a reader need not wake earlier.
    #[must_use]
    pub fn votes_missing(&self) -> usize {
        let to_win = self.quorum.needed().saturating_sub(self.yes.len());
        let to_lose = self.quorum.blocking().saturating_sub(self.no.len());
        to_win.min(to_lose).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_at_the_earliest_sound_moment() {
        for (nodes, votes, expected) in [
            (5, "yy", Decision::Open),
            (5, "yyy", Decision::Reached),
            (5, "nyny", Decision::Open),
            (5, "nynn", Decision::Impossible),
            (4, "yynn", Decision::Impossible), // an even split is a decision, not a wait
            (4, "nn", Decision::Impossible),
            (2, "n", Decision::Impossible),
            (1, "y", Decision::Reached),
        ] {
            let mut tally = Tally::new(Quorum::of(nodes).unwrap());
            for (node, vote) in NodeId::all(nodes).zip(votes.chars()) {
                if vote == 'y' { tally.yes(node) } else { tally.no(node) }
            }
            assert_eq!(tally.decision(), expected, "{votes} of {nodes}");
        }
    }

    #[test]
    fn a_node_votes_once_and_silence_ends_as_no() {
        let mut tally = Tally::new(Quorum::of(3).unwrap());
        let node = NodeId::new(0).unwrap();
        tally.yes(node);
        tally.no(node);
        assert_eq!(tally.in_favour().len(), 1);
        tally.close();
        assert_eq!(tally.decision(), Decision::Impossible);
    }
}
