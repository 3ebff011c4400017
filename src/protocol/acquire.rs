//! [`Acquire`]: one attempt. A grant round, a seal round if the counters disagree, and the verdict.

use std::time::Duration;

use super::{Counters, Decision, Fault, Quorum, Reply, Tally, Terms, TokenBlock, Vote, Votes};
use crate::{FencingToken, Moment, NodeId, NodeSet};

/// One attempt to acquire, driven by replies.
///
/// ```text
///              needed granted                          needed sealed
///  granting ───────────────────▶ sealing ─────────────────────────────▶ won, unless too little validity is left
///     │   (equal counters: both at once, one round trip)  │
///     └────────────── blocking refused or failed ─────────┴──────────▶ lost
/// ```
///
/// The machine asks each node for at most one grant, and takes replies in any order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acquire {
    quorum: Quorum,
    terms: Terms,
    started: Moment,
    votes: Vec<Vote>,
    grants: Tally,
    seals: Tally,
    counters: Counters,
    done: bool,
    block: u32,
}

/// What to do after an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing; more replies are needed.
    Wait,
    /// Send a seal of this token to these nodes, and start the time-out of a new round.
    Seal(NodeSet, FencingToken),
    /// The lease exists.
    Won(Win),
    /// There is no lease: roll back on every node that may have the lock.
    Lost(Defeat),
}

/// A lease was won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Win {
    /// The tokens of the lease. A quorum has sealed the last.
    pub tokens: TokenBlock,
    /// When the lease ends for its holder.
    pub valid_until: Moment,
    /// The nodes whose locks count from now on: they granted, and drew no number above the token.
    pub voters: NodeSet,
    /// Whether a seal round was needed.
    pub sealed_apart: bool,
}

/// Why an attempt was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defeat {
    /// Another holder has the lock, or several contenders split the votes.
    Contended(Votes),
    /// Too few nodes for a quorum answered without an error.
    NoQuorum(Votes),
    /// A quorum was reached, but too little validity was left by then.
    TooSlow {
        /// The time from before the first request to the last reply that was needed.
        took: Duration,
        /// The validity that was left; zero if it had ended.
        left: Duration,
        /// Every node's vote.
        votes: Votes,
    },
}

impl Defeat {
    /// Every node's vote.
    #[must_use]
    pub const fn votes(&self) -> &Votes {
        match self {
            Self::Contended(votes) | Self::NoQuorum(votes) | Self::TooSlow { votes, .. } => votes,
        }
    }
}

impl Acquire {
    /// Starts the attempt. The caller must read `started` before it sends the first byte, and then ask all nodes.
    #[must_use]
    pub fn new(quorum: Quorum, terms: Terms, started: Moment) -> Self {
        let votes = vec![Vote::Pending; quorum.nodes()];
        let tally = Tally::new(quorum);
        Self {
            quorum,
            terms,
            started,
            votes,
            grants: tally,
            seals: tally,
            counters: Counters::new(),
            done: false,
            block: 1,
        }
    }

    /// The same attempt for a block of `block` tokens. The grants must ask for the same number.
    #[must_use]
    pub const fn for_block(mut self, block: u32) -> Self {
        self.block = block;
        self
    }

    /// Takes a reply to a grant or a seal. After the end, every further reply returns [`Step::Wait`].
    pub fn reply(&mut self, node: NodeId, reply: Reply, now: Moment) -> Step {
        if self.done || node.index() >= self.quorum.nodes() {
            return Step::Wait;
        }
        match reply {
            Reply::Granted { counter } => match FencingToken::new(counter) {
                Ok(counter) => return self.granted(node, counter, now),
                Err(error) => self.against(node, Vote::Failed(unusable(&error))),
            },
            Reply::Sealed => {
                self.counters.sealed(node);
                self.seals.yes(node);
            }
            Reply::Refused(view) => self.against(node, Vote::Refused(view)),
            Reply::Failed(fault) => self.against(node, Vote::Failed(fault)),
            Reply::Extended
            | Reply::Released
            | Reply::Inspected(_)
            | Reply::Left
            | Reply::Scanned { .. }
            | Reply::Reported(_) => {
                return Step::Wait;
            }
        }
        self.decide(now)
    }

    /// Excludes nodes that are not asked, because they rest or have not been joined. Call it before anything is sent.
    /// It records every reason before the verdict, so that the votes are complete. If the verdict falls here, the
    /// other nodes are not asked.
    pub fn without(&mut self, reasons: impl IntoIterator<Item = (NodeId, Fault)>, now: Moment) -> Step {
        for (node, reason) in reasons {
            self.against(node, Vote::Failed(reason));
        }
        if self.grants.decision() == Decision::Impossible {
            self.votes.iter_mut().filter(|vote| **vote == Vote::Pending).for_each(|vote| *vote = Vote::NotAsked);
        }
        self.decide(now)
    }

    /// Ends the wait for nodes that are silent in this round.
    pub fn timeout(&mut self, now: Moment) -> Step {
        if self.done {
            return Step::Wait;
        }
        let unsealed = NodeSet::first(self.quorum.nodes()).without(self.seals.in_favour());
        for (node, vote) in NodeId::all(self.votes.len()).zip(&mut self.votes) {
            let silent_seal = self.counters.token().is_some() && unsealed.contains(node) && *vote == Vote::Granted;
            if *vote == Vote::Pending || silent_seal {
                *vote = Vote::Silent;
            }
        }
        self.grants.close();
        self.seals.close();
        self.decide(now)
    }

    /// How many more replies must come before the state can change.
    #[must_use]
    pub fn replies_missing(&self) -> usize {
        match self.counters.token() {
            None => self.grants.votes_missing(),
            Some(_) => self.seals.votes_missing(),
        }
    }

    fn granted(&mut self, node: NodeId, counter: FencingToken, now: Moment) -> Step {
        let Some(vote @ Vote::Pending) = self.votes.get_mut(node.index()) else {
            return Step::Wait; // a second reply to the node's only grant is not a vote
        };
        *vote = Vote::Granted;
        self.grants.yes(node);
        let lagging = self.counters.granted(node, counter, self.quorum);
        for node in self.counters.sealed_nodes().iter() {
            self.seals.yes(node);
        }
        for node in self.grants.in_favour().iter().filter(|node| self.counters.is_above(*node)) {
            self.seals.no(node);
        }
        match (self.decide(now), self.counters.token()) {
            (Step::Wait, Some(token)) if !lagging.is_empty() => Step::Seal(lagging, token),
            (step, _) => step,
        }
    }

    fn against(&mut self, node: NodeId, vote: Vote) {
        self.grants.no(node);
        self.seals.no(node);
        if let Some(slot) = self.votes.get_mut(node.index()) {
            *slot = vote;
        }
    }

    fn decide(&mut self, now: Moment) -> Step {
        let lost = self.grants.decision() == Decision::Impossible || self.seals.decision() == Decision::Impossible;
        let won = self.seals.decision() == Decision::Reached;
        let (true, votes) = (won || lost, &mut self.votes) else { return Step::Wait };
        self.done = true;
        match self.counters.token() {
            Some(token) if won => {
                let took = now.since(self.started);
                let left = self.terms.validity(took).unwrap_or_default();
                if left.is_zero() || left < self.terms.min_validity {
                    return Step::Lost(Defeat::TooSlow { took, left, votes: Votes::new(std::mem::take(votes)) });
                }
                let valid_until = self.terms.valid_until(self.started);
                let voters = self.counters.granted_up_to_token();
                let sealed_apart = self.counters.sealed_apart();
                let tokens = TokenBlock::up_to(token, self.block);
                Step::Won(Win { tokens, valid_until, voters, sealed_apart })
            }
            _ => {
                let votes = Votes::new(std::mem::take(votes));
                Step::Lost(match votes.is_contention(self.quorum) {
                    true => Defeat::Contended(votes),
                    false => Defeat::NoQuorum(votes),
                })
            }
        }
    }
}

/// The fault of a node whose counter cannot become a token, because another program wrote into it.
fn unusable(error: &crate::TokenError) -> super::Fault {
    super::Fault::new(super::FaultKind::Unexpected, format!("the counter cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::{FaultKind, LockState, LockView};
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const AT: fn(u64) -> Moment = |ms| Moment::from_origin(MS(ms));

    fn attempt(nodes: usize) -> Acquire {
        let terms = Terms { ttl: MS(1_000), drift_ppm: 10_000, min_validity: MS(100) };
        Acquire::new(Quorum::of(nodes).unwrap(), terms, AT(0))
    }

    fn node(position: usize) -> NodeId {
        NodeId::new(position).unwrap()
    }

    fn held() -> Reply {
        Reply::Refused(LockView {
            lock: LockState::of_value(b"other"),
            ttl_left: Some(MS(70)),
            counter: 9,
            ..LockView::default()
        })
    }

    fn failed(kind: FaultKind) -> Reply {
        Reply::Failed(Fault::new(kind, ""))
    }

    fn granted(counter: u64) -> Reply {
        Reply::Granted { counter }
    }

    #[test]
    fn equal_counters_win_in_one_round_trip() {
        let mut attempt = attempt(5);
        assert_eq!(attempt.reply(node(0), granted(7), AT(1)), Step::Wait);
        assert_eq!(attempt.reply(node(3), granted(7), AT(2)), Step::Wait);
        let Step::Won(win) = attempt.reply(node(1), granted(7), AT(3)) else { panic!("not won") };
        assert_eq!((win.tokens.last.get(), win.valid_until, win.sealed_apart), (7, AT(988), false));
        assert_eq!(attempt.reply(node(2), held(), AT(4)), Step::Wait, "nothing comes after the end");
    }

    #[test]
    fn lagging_counters_are_sealed_before_the_token_is_shown() {
        let mut attempt = attempt(3);
        attempt.reply(node(0), granted(3), AT(1));
        let Step::Seal(nodes, token) = attempt.reply(node(1), granted(5), AT(2)) else { panic!("no seal") };
        assert_eq!((nodes, token.get()), (NodeSet::from_iter([node(0)]), 5));
        let Step::Won(win) = attempt.reply(node(0), Reply::Sealed, AT(4)) else { panic!("not won") };
        assert!(win.sealed_apart);
    }

    #[test]
    fn r14_a_verdict_before_anything_is_sent_says_who_was_not_asked() {
        let mut attempt = attempt(3);
        let rests = || Fault::new(FaultKind::Resting, "");
        let Step::Lost(defeat) = attempt.without([(node(0), rests()), (node(1), rests())], AT(1)) else {
            panic!("not lost")
        };
        assert_eq!(defeat.votes().iter().last().map(|(_, vote)| vote), Some(&Vote::NotAsked));
        assert_eq!(defeat.votes().to_string(), "2 of 3 nodes: resting");
    }

    #[test]
    fn a_late_grant_with_the_same_number_completes_the_seal() {
        let mut attempt = attempt(3);
        attempt.reply(node(0), granted(3), AT(1));
        assert!(matches!(attempt.reply(node(1), granted(5), AT(2)), Step::Seal(..)));
        assert!(matches!(attempt.reply(node(2), granted(5), AT(2)), Step::Won(_)));
    }

    #[test]
    fn a_late_grant_above_the_token_never_counts() {
        let mut attempt = attempt(3);
        attempt.reply(node(0), granted(3), AT(1));
        assert!(matches!(attempt.reply(node(1), granted(5), AT(2)), Step::Seal(..)));
        assert_eq!(attempt.reply(node(2), granted(9), AT(2)), Step::Wait);
        assert!(matches!(attempt.reply(node(0), held(), AT(3)), Step::Lost(Defeat::Contended(_))));
    }

    #[test]
    fn l1_an_even_split_is_a_decision() {
        let mut attempt = attempt(4);
        attempt.reply(node(0), granted(1), AT(1));
        attempt.reply(node(1), granted(1), AT(1));
        assert_eq!(attempt.reply(node(2), held(), AT(1)), Step::Wait);
        assert!(matches!(attempt.reply(node(3), held(), AT(1)), Step::Lost(Defeat::Contended(_))));
    }

    #[test]
    fn contended_and_no_quorum_are_told_apart() {
        let mut outage = attempt(3);
        outage.reply(node(0), granted(1), AT(1));
        outage.reply(node(1), failed(FaultKind::Unreachable), AT(1));
        assert!(matches!(outage.reply(node(2), failed(FaultKind::TimedOut), AT(1)), Step::Lost(Defeat::NoQuorum(_))));

        let mut silent = attempt(3);
        silent.reply(node(0), granted(1), AT(1));
        let Step::Lost(Defeat::NoQuorum(votes)) = silent.timeout(AT(50)) else { panic!("not lost") };
        assert_eq!(votes.to_string(), "2 of 3 nodes: timed out");
    }

    #[test]
    fn s1_a_quorum_that_comes_too_late_is_refused() {
        for (last_reply, won) in [(888, true), (889, false), (1_000, false), (5_000, false)] {
            let mut attempt = attempt(3);
            attempt.reply(node(0), granted(1), AT(1));
            match attempt.reply(node(1), granted(1), AT(last_reply)) {
                Step::Won(win) => assert!(won && win.valid_until > AT(last_reply)),
                Step::Lost(Defeat::TooSlow { took, .. }) => assert!(!won && took == MS(last_reply)),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_poisoned_counter_is_no_vote() {
        let mut attempt = attempt(3);
        attempt.reply(node(0), granted(u64::MAX), AT(1));
        assert!(matches!(attempt.reply(node(1), granted(0), AT(1)), Step::Lost(Defeat::NoQuorum(_))));
    }
}
