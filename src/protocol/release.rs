//! [`Release`]: releases a lease, and reports what it found.

use super::{Decision, Fault, FaultKind, LockState, LockView, Quorum, Reply, Tally};
use crate::{NodeId, NodeSet, Occupant};

/// One release, driven by replies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release {
    tally: Tally,
    quorum: Quorum,
    gone: NodeSet,
    taken_by: Option<Occupant>,
    faults: Vec<(NodeId, Fault)>,
    answered: NodeSet,
    done: bool,
}

/// What a release found. None of these is an error of the caller: the work is done, and the lock is gone or will be.
/// A background task repeats releases that no node acknowledged, until the time to live has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a lease that was gone before its release means that the work overran it"]
#[non_exhaustive]
pub enum ReleaseOutcome {
    /// Nothing was released: another task of this process has the lease now, with a token of its own.
    HandedOver,
    /// A quorum still held the lock for this holder, and has released it.
    Released {
        /// The nodes that had released when the outcome was certain. Others may follow.
        nodes: NodeSet,
    },
    /// Too few nodes still had the lock, and no other holder was seen: it expired before the release. An *overrun*.
    AlreadyExpired,
    /// Too few nodes still had the lock, and another holder has it: it expired and was taken. An *overrun*.
    TakenByOther {
        /// The other one, as a node reports it.
        occupant: Occupant,
    },
    /// Too few nodes answered to know the outcome.
    Unknown {
        /// The nodes that have released.
        nodes: NodeSet,
        /// The nodes that gave no proper reply, and why.
        faults: Vec<(NodeId, Fault)>,
    },
}

impl Release {
    /// Starts a release over `quorum`. The caller must ask every node, or report it to [`Release::reply`] as never
    /// sent.
    #[must_use]
    pub const fn new(quorum: Quorum) -> Self {
        Self {
            tally: Tally::new(quorum),
            quorum,
            gone: NodeSet::EMPTY,
            taken_by: None,
            faults: Vec::new(),
            answered: NodeSet::EMPTY,
            done: false,
        }
    }

    /// Takes one reply. Returns `Some` once, when the outcome is certain.
    pub fn reply(&mut self, node: NodeId, reply: Reply) -> Option<ReleaseOutcome> {
        if self.done || self.answered.contains(node) {
            return None;
        }
        match reply {
            Reply::Released => self.tally.yes(node),
            Reply::Refused(view) => self.refused(node, view),
            Reply::Failed(fault) => self.faults.push((node, fault)),
            Reply::Granted { .. }
            | Reply::Sealed
            | Reply::Extended
            | Reply::Inspected(_)
            | Reply::Left
            | Reply::Scanned { .. }
            | Reply::Reported(_) => {
                return None;
            }
        }
        self.answered.insert(node);
        let all_answered = self.answered.len() == self.quorum.nodes();
        (self.tally.decision() == Decision::Reached || all_answered).then(|| self.outcome())
    }

    /// Ends the wait for silent nodes.
    pub fn timeout(&mut self) -> ReleaseOutcome {
        let silent = NodeSet::first(self.quorum.nodes()).without(self.answered);
        self.faults.extend(silent.iter().map(|node| (node, Fault::new(FaultKind::TimedOut, ""))));
        self.outcome()
    }

    /// How many more replies must come before the outcome can be certain.
    #[must_use]
    pub fn replies_missing(&self) -> usize {
        let open = self.quorum.nodes().saturating_sub(self.answered.len());
        self.quorum.missing(self.tally.in_favour()).min(open).max(1)
    }

    fn refused(&mut self, node: NodeId, view: LockView) {
        self.gone.insert(node);
        if let (None, LockState::HeldBy(occupant)) = (&self.taken_by, view.lock) {
            self.taken_by = Some(occupant);
        }
    }

    fn outcome(&mut self) -> ReleaseOutcome {
        self.done = true;
        let nodes = self.tally.in_favour();
        if self.tally.decision() == Decision::Reached {
            return ReleaseOutcome::Released { nodes };
        }
        // A quorum has not released. The outcome is certain only if so many nodes had lost the lock that a quorum
        // cannot release.
        if self.quorum.is_blocked_by(self.gone) {
            return self
                .taken_by
                .take()
                .map_or(ReleaseOutcome::AlreadyExpired, |occupant| ReleaseOutcome::TakenByOther { occupant });
        }
        ReleaseOutcome::Unknown { nodes, faults: std::mem::take(&mut self.faults) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter for each node: `r` released, `g` gone, `t` taken, `f` failed, `.` silent.
    fn outcome(replies: &str) -> ReleaseOutcome {
        let mut release = Release::new(Quorum::of(replies.len()).unwrap());
        for (node, letter) in NodeId::all(replies.len()).zip(replies.chars()) {
            let reply = match letter {
                'r' => Reply::Released,
                'g' => Reply::Refused(LockView::default()),
                't' => Reply::Refused(LockView { lock: LockState::of_value(b"other"), ..LockView::default() }),
                'f' => Reply::Failed(Fault::new(FaultKind::Unreachable, "")),
                _ => continue,
            };
            if let Some(outcome) = release.reply(node, reply) {
                return outcome;
            }
        }
        release.timeout()
    }

    #[test]
    fn l3_a_release_is_data_whatever_was_found() {
        assert!(matches!(outcome("rrr.."), ReleaseOutcome::Released { nodes } if nodes.len() == 3));
        assert!(matches!(outcome("grgrr"), ReleaseOutcome::Released { .. }));
        assert_eq!(outcome("ggg.."), ReleaseOutcome::AlreadyExpired);
        assert_eq!(outcome("ggrrg"), ReleaseOutcome::AlreadyExpired);
        assert_eq!(outcome("gtg.."), ReleaseOutcome::TakenByOther { occupant: Occupant::of_value(b"other") });
        assert!(
            matches!(outcome("rrff."), ReleaseOutcome::Unknown { nodes, faults } if nodes.len() == 2 && faults.len() == 3)
        );
        assert!(matches!(outcome("ggfrf"), ReleaseOutcome::Unknown { .. }));
    }
}
