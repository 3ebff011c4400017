//! [`Mutant`]: the short cuts that look harmless.

use redfence::WallTime;
use redfence::node::NodeState;
use redfence::protocol::{Reply, Request};

/// A wrong protocol. Each differs from the right one in a single place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutant {
    /// The token is the greatest number of the quorum, and no node is sealed.
    NoSeal,
    /// A seal raises the counter without checking the holder of the lock.
    SealWithoutHolder,
    /// A node that lost its counters votes, and its counters start again at the lowest valid number.
    ForgottenCounterVotes,
    /// A quorum of the reachable nodes instead of the configured ones.
    ReachableQuorum,
    /// An extension takes a lost lock again and counts that as a vote.
    ExtendReseeds,
    /// A grant is delivered twice.
    GrantTwice,
    /// A node that forgot its locks is activated at once.
    NoRest,
    /// A block of tokens is drawn as a single number, and handed out as a block.
    BlockNotOwned,
    /// A lease is handed over to a task that came after the nodes were asked.
    HandOverToLatecomers,
    /// A lease that is over is handed over.
    HandOverAfterLoss,
    /// A client of another library knows one node only, and that node is no anchor.
    NoAnchor,
    /// An extension counts a majority, with or without the anchor.
    ExtendWithoutAnchor,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NoSeal,
        Self::SealWithoutHolder,
        Self::ForgottenCounterVotes,
        Self::ReachableQuorum,
        Self::ExtendReseeds,
        Self::GrantTwice,
        Self::NoRest,
        Self::BlockNotOwned,
        Self::HandOverToLatecomers,
        Self::HandOverAfterLoss,
        Self::NoAnchor,
        Self::ExtendWithoutAnchor,
    ];

    /// What is wrong with it, in a few words.
    #[must_use]
    pub const fn short_cut(self) -> &'static str {
        match self {
            Self::NoSeal => "the greatest counter of the quorum is the token, and no node is sealed",
            Self::SealWithoutHolder => "a seal does not check the holder of the lock",
            Self::ForgottenCounterVotes => "a node that comes back with empty counters votes",
            Self::ReachableQuorum => "a quorum of the nodes that can be reached",
            Self::ExtendReseeds => "an extension takes a lost lock again, and counts that as a vote",
            Self::GrantTwice => "a grant is delivered twice",
            Self::NoRest => "a node that forgot its locks is activated at once",
            Self::BlockNotOwned => "one number is drawn, and two tokens are used",
            Self::HandOverToLatecomers => "a lease is handed over to a task that came after the nodes were asked",
            Self::HandOverAfterLoss => "a lease that is over is handed over",
            Self::NoAnchor => "a foreign client knows one node only, and that node is no anchor",
            Self::ExtendWithoutAnchor => "an extension needs a majority, and not the anchor",
        }
    }

    /// What a node does with a request under this mutant.
    pub(super) fn apply(mutant: Option<Self>, node: &mut NodeState, now: WallTime, request: &Request) -> Reply {
        let same = match mutant {
            Some(Self::SealWithoutHolder) => Some(crate::Mutant::SealWithoutHolder),
            Some(Self::ExtendReseeds) => Some(crate::Mutant::ExtendReseeds),
            Some(Self::BlockNotOwned) => Some(crate::Mutant::BlockNotOwned),
            // The other mutants do not change how a node handles a request.
            _ => None,
        };
        crate::Mutant::apply(same, node, now, request)
    }
}
