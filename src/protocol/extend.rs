//! [`Extend`]: one attempt to extend a lease.

use std::time::Duration;

use super::{Decision, Fault, FaultKind, Quorum, Reply, Tally, Terms, Vote, Votes};
use crate::{Moment, NodeId, NodeSet};

/// One attempt to extend a lease, driven by replies.
///
/// A node votes yes only if it is a voter and the lock was **still the holder's** there. A node that lost the lock
/// and granted it again is never a vote, because another holder may have had it in between. The same holds for a node
/// whose grant came late; [`Continuity`](super::Continuity) says how late. Suppose that no voter drew a number above
/// the token. Then no extension succeeds that began after a lease with a greater token was returned, whatever the
/// clocks do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Extend {
    quorum: Quorum,
    terms: Terms,
    started: Moment,
    voters: NodeSet,
    votes: Vec<Vote>,
    tally: Tally,
    done: bool,
}

/// What to do after an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtendStep {
    /// Nothing; more replies are needed.
    Wait,
    /// The lease lives until then. Its token is the same.
    Extended {
        /// When the lease ends for its holder.
        valid_until: Moment,
    },
    /// The lease was not extended. It still lives as long as before, unless the defeat says otherwise.
    Lost(ExtendDefeat),
}

/// Why a lease was not extended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtendDefeat {
    /// So many nodes no longer have the lock for this holder that it is lost: no further attempt can succeed.
    Gone(Votes),
    /// So many nodes did not answer that the outcome is unknown. Another attempt may succeed.
    NoQuorum(Votes),
    /// A quorum extended the lease, but too late to rely on it.
    TooSlow {
        /// The time from before the first request to the last reply that was needed.
        took: Duration,
    },
}

impl Extend {
    /// Starts the attempt. The caller must read `started` before it sends the first byte. `voters` are the nodes that
    /// [`Continuity`](super::Continuity) counts.
    #[must_use]
    pub fn new(quorum: Quorum, terms: Terms, started: Moment, voters: NodeSet) -> Self {
        let votes = vec![Vote::Pending; quorum.nodes()];
        Self { quorum, terms, started, voters, votes, tally: Tally::new(quorum), done: false }
    }

    /// Takes one reply. After the end, every further reply returns [`ExtendStep::Wait`].
    pub fn reply(&mut self, node: NodeId, reply: Reply, now: Moment) -> ExtendStep {
        let (false, Some(slot @ Vote::Pending)) = (self.done, self.votes.get_mut(node.index())) else {
            return ExtendStep::Wait;
        };
        match reply {
            Reply::Extended if self.voters.contains(node) => {
                *slot = Vote::Granted;
                self.tally.yes(node);
            }
            Reply::Extended => {
                *slot = Vote::Failed(Fault::new(FaultKind::LateGrant, ""));
                self.tally.no(node);
            }
            Reply::Refused(view) => {
                *slot = Vote::Refused(view);
                self.tally.no(node);
            }
            Reply::Failed(fault) => {
                *slot = Vote::Failed(fault);
                self.tally.no(node);
            }
            Reply::Granted { .. }
            | Reply::Sealed
            | Reply::Released
            | Reply::Inspected(_)
            | Reply::Left
            | Reply::Scanned { .. }
            | Reply::Reported(_) => {
                return ExtendStep::Wait;
            }
        }
        self.decide(now)
    }

    /// Ends the wait for silent nodes.
    pub fn timeout(&mut self, now: Moment) -> ExtendStep {
        if self.done {
            return ExtendStep::Wait;
        }
        self.votes.iter_mut().filter(|vote| **vote == Vote::Pending).for_each(|vote| *vote = Vote::Silent);
        self.tally.close();
        self.decide(now)
    }

    /// How many more replies must come before the state can change.
    #[must_use]
    pub fn replies_missing(&self) -> usize {
        self.tally.votes_missing()
    }

    fn decide(&mut self, now: Moment) -> ExtendStep {
        let took = now.since(self.started);
        self.done = true;
        match self.tally.decision() {
            Decision::Open => {
                self.done = false;
                ExtendStep::Wait
            }
            Decision::Reached if self.terms.validity(took).is_none() => {
                ExtendStep::Lost(ExtendDefeat::TooSlow { took })
            }
            Decision::Reached => ExtendStep::Extended { valid_until: self.terms.valid_until(self.started) },
            Decision::Impossible => {
                let votes = std::mem::take(&mut self.votes);
                // A node whose grant came late can never vote, so it counts like a node that lost the lock.
                let is_for_good = |vote: &Vote| match vote {
                    Vote::Refused(_) => true,
                    Vote::Failed(fault) => fault.kind == FaultKind::LateGrant,
                    _ => false,
                };
                let votes = Votes::new(votes);
                ExtendStep::Lost(match self.quorum.is_blocked_by(votes.nodes_with(is_for_good)) {
                    true => ExtendDefeat::Gone(votes),
                    false => ExtendDefeat::NoQuorum(votes),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LockView;
    use super::*;

    const AT: fn(u64) -> Moment = |ms| Moment::from_origin(Duration::from_millis(ms));

    /// One letter for each node: `e` extended, `g` gone, `f` failed, `.` silent.
    fn outcome(replies: &str, at: u64) -> ExtendStep {
        let terms = Terms { ttl: Duration::from_secs(1), drift_ppm: 10_000, min_validity: Duration::ZERO };
        let mut extend = Extend::new(Quorum::of(replies.len()).unwrap(), terms, AT(0), NodeSet::first(replies.len()));
        for (node, letter) in NodeId::all(replies.len()).zip(replies.chars()) {
            let step = match letter {
                'e' => extend.reply(node, Reply::Extended, AT(at)),
                'g' => extend.reply(node, Reply::Refused(LockView::default()), AT(at)),
                'f' => extend.reply(node, Reply::Failed(Fault::new(FaultKind::TimedOut, "")), AT(at)),
                _ => ExtendStep::Wait,
            };
            if step != ExtendStep::Wait {
                return step;
            }
        }
        extend.timeout(AT(at))
    }

    #[test]
    fn outcomes() {
        let extended = |step: &ExtendStep| *step == ExtendStep::Extended { valid_until: AT(988) };
        let gone = |step: &ExtendStep| matches!(step, ExtendStep::Lost(ExtendDefeat::Gone(_)));
        let unknown = |step: &ExtendStep| matches!(step, ExtendStep::Lost(ExtendDefeat::NoQuorum(_)));
        let slow = |step: &ExtendStep| matches!(step, ExtendStep::Lost(ExtendDefeat::TooSlow { .. }));
        type Expected = fn(&ExtendStep) -> bool;
        let table: [(&str, u64, Expected); 7] = [
            ("eee..", 5, extended),
            ("ege.e", 5, extended),
            ("ggg..", 5, gone),
            ("gfgee", 5, unknown), // one of the three that say no did not answer: another try may succeed
            ("e....", 50, unknown),
            ("gg", 5, gone),
            ("eee", 988, slow), // s10: a quorum after the end of the validity extends nothing
        ];
        for (replies, at, expected) in table {
            let step = outcome(replies, at);
            assert!(expected(&step), "{replies} at {at}: {step:?}");
        }
    }

    #[test]
    fn s19_a_grant_that_came_late_is_no_vote_for_continuity() {
        let terms = Terms { ttl: Duration::from_secs(1), drift_ppm: 10_000, min_validity: Duration::ZERO };
        let mut extend = Extend::new(Quorum::of(3).unwrap(), terms, AT(0), NodeSet::first(2));
        assert_eq!(extend.reply(NodeId::new(2).unwrap(), Reply::Extended, AT(1)), ExtendStep::Wait);
        assert_eq!(extend.reply(NodeId::new(0).unwrap(), Reply::Extended, AT(1)), ExtendStep::Wait);
        let gone = extend.reply(NodeId::new(1).unwrap(), Reply::Refused(LockView::default()), AT(1));
        assert!(matches!(gone, ExtendStep::Lost(ExtendDefeat::Gone(_))), "no further try can succeed: {gone:?}");
    }
}
