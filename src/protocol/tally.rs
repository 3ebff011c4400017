//! [`Tally`]: counts the votes of one round, and decides as early as is sound.

use super::Quorum;
use crate::{NodeId, NodeSet};

/// The yes votes and the no votes of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tally {
    quorum: Quorum,
    yes: NodeSet,
    no: NodeSet,
}

/// The decision of a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Neither outcome is certain yet.
    Open,
    /// Enough nodes said yes.
    Reached,
    /// So many nodes did not say yes that a quorum is impossible.
    Impossible,
}

impl Tally {
    /// An empty tally.
    #[must_use]
    pub const fn new(quorum: Quorum) -> Self {
        Self { quorum, yes: NodeSet::EMPTY, no: NodeSet::EMPTY }
    }

    /// Counts `node` as a yes. The first vote of a node is final.
    pub fn yes(&mut self, node: NodeId) {
        if !self.no.contains(node) {
            self.yes.insert(node);
        }
    }

    /// Counts `node` as a no, or as a node that will never answer. The first vote of a node is final.
    pub fn no(&mut self, node: NodeId) {
        if !self.yes.contains(node) {
            self.no.insert(node);
        }
    }

    /// Counts every node that has not voted as a no, because the wait for it is over.
    pub fn close(&mut self) {
        self.no = NodeSet::first(self.quorum.nodes()).without(self.yes);
    }

    /// The nodes that said yes.
    #[must_use]
    pub const fn in_favour(&self) -> NodeSet {
        self.yes
    }

    /// The decision with the votes so far.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        if self.quorum.is_met_by(self.yes) {
            Decision::Reached
        } else if self.quorum.is_blocked_by(self.no) {
            Decision::Impossible
        } else {
            Decision::Open
        }
    }

    /// How many more votes must come before a decision is possible. A reader need not wake earlier.
    #[must_use]
    pub fn votes_missing(&self) -> usize {
        let to_win = self.quorum.missing(self.yes);
        // The no of an anchor decides alone.
        let to_lose = match self.quorum.anchor() {
            Some(anchor) if !self.yes.contains(anchor) => 1,
            _ => self.quorum.blocking().saturating_sub(self.no.len()),
        };
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
    fn an_anchor_decides_alone_against_and_never_alone_in_favour() {
        for (votes, expected) in [
            ("yy.", Decision::Open),
            ("yyy", Decision::Reached),
            ("yyn", Decision::Impossible),
            ("..n", Decision::Impossible),
            ("..y", Decision::Open),
            ("nny", Decision::Impossible),
            ("n.y", Decision::Open),
            ("y.y", Decision::Reached),
        ] {
            let mut tally = Tally::new(Quorum::of(3).unwrap().with_anchor(NodeId::new(2).unwrap()).unwrap());
            for (node, vote) in NodeId::all(3).zip(votes.chars()) {
                match vote {
                    'y' => tally.yes(node),
                    'n' => tally.no(node),
                    _ => {}
                }
            }
            assert_eq!(tally.decision(), expected, "{votes}, and the last is the anchor");
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
