//! [`Mutant`]: wrong protocols. Each differs from the right one in one place, by a wrapper; no shipped code is changed.
//!
//! | where | file |
//! |---|---|
//! | what a node does | `server.rs` |
//! | what a client sends, and how it reads replies | `client.rs` |
//! | clock, terms, belief, verifier | checked where these are created |

mod client;
mod server;

pub(crate) use client::mutated;

use crate::invariant::Promise;
use crate::plan::Profile;

/// A wrong protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub enum Mutant {
    /// token = max over the quorum, and no seal.
    NoSeal,
    /// A seal raises the counter without checking the holder of the lock.
    SealWithoutHolder,
    /// A node without counters votes, and its counters start again at the lowest valid number.
    EmptyCounterVotes,
    /// A quorum of the reachable nodes instead of the configured ones.
    ReachableQuorum,
    /// An extension takes a lost lock again and counts that as a vote.
    ExtendReseeds,
    /// A grant is sent twice, and the second one arrives late.
    GrantTwice,
    /// The validity has no allowance for clock drift.
    NoDrift,
    /// The holder measures validity by its wall clock.
    WallClock,
    /// The holder measures validity from after the replies.
    ValidFromReplies,
    /// A node that does not answer counts as one that granted.
    UnknownIsGranted,
    /// Grants without an answer are not released.
    UnknownNotReleased,
    /// A release removes the lock, also that of another holder.
    ReleaseWithoutHolder,
    /// A renewal goes out after the release.
    ExtendAfterRelease,
    /// A node that may have forgotten votes at once.
    NoRest,
    /// Lost counters start at the lowest valid number, not at the clock.
    NoClockStart,
    /// The verifier checks first and writes later.
    CheckThenWrite,
    /// A holder believes until a reply says that the lock is gone.
    LossByReplyOnly,
    /// A block of tokens is drawn as a single number, and handed out as a block.
    BlockNotOwned,
    /// A waiter that is woken believes that it has the lock.
    WakeIsGrant,
    /// A lease is handed over to tasks that came after the nodes were asked, although the setting forbids it.
    HandOverToLatecomers,
    /// The next waiter is not woken, and asks only when the lock would have expired.
    WakeIsLost,
    /// A lock is reserved for the first in the queue, although its process is gone.
    DeadHeadIsNext,
    /// A reservation does not end.
    ReservationWithoutEnd,
    /// Nodes do not agree which waiter has waited longest.
    OrdersDiffer,
    /// A waiter that leaves stays in the queue, and its reservation is not passed on.
    LeaveIgnored,
    /// No anchor, although another library knows one node only.
    NoAnchor,
    /// A lock that another library has taken counts as free.
    ForeignIgnored,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::NoSeal,
        Self::SealWithoutHolder,
        Self::EmptyCounterVotes,
        Self::ReachableQuorum,
        Self::ExtendReseeds,
        Self::GrantTwice,
        Self::NoDrift,
        Self::WallClock,
        Self::ValidFromReplies,
        Self::UnknownIsGranted,
        Self::UnknownNotReleased,
        Self::ReleaseWithoutHolder,
        Self::ExtendAfterRelease,
        Self::NoRest,
        Self::NoClockStart,
        Self::CheckThenWrite,
        Self::LossByReplyOnly,
        Self::BlockNotOwned,
        Self::WakeIsGrant,
        Self::HandOverToLatecomers,
        Self::WakeIsLost,
        Self::DeadHeadIsNext,
        Self::ReservationWithoutEnd,
        Self::OrdersDiffer,
        Self::LeaveIgnored,
        Self::NoAnchor,
        Self::ForeignIgnored,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether the model finds it much sooner, so that seeds are searched only on request.
    #[must_use]
    pub const fn is_for_the_model(self) -> bool {
        matches!(self, Self::ExtendReseeds | Self::SealWithoutHolder | Self::HandOverToLatecomers)
    }

    /// The profile in which it is caught soon.
    #[must_use]
    pub const fn profile(self) -> Profile {
        match self {
            // Late wakes show if nodes and network are healthy and many clients wait.
            Self::WakeIsLost
            | Self::DeadHeadIsNext
            | Self::ReservationWithoutEnd
            | Self::OrdersDiffer
            | Self::LeaveIgnored => Profile::Contention,
            Self::NoAnchor | Self::ForeignIgnored => Profile::MixedFleet,
            _ => Profile::ManyFaults,
        }
    }

    /// Whether it changes a shipped script, and is caught soon at the stream level.
    #[must_use]
    pub const fn falls_soon_in_scripts(self) -> bool {
        matches!(
            self,
            Self::EmptyCounterVotes
                | Self::ReleaseWithoutHolder
                | Self::NoRest
                | Self::NoClockStart
                | Self::BlockNotOwned
                | Self::WakeIsLost
                | Self::DeadHeadIsNext
                | Self::ReservationWithoutEnd
                | Self::LeaveIgnored
                | Self::ForeignIgnored
        )
    }

    /// The promises that it is expected to break.
    #[must_use]
    pub const fn breaks(self) -> &'static [Promise] {
        match self {
            Self::NoSeal | Self::EmptyCounterVotes | Self::NoClockStart | Self::BlockNotOwned => {
                &[Promise::T1, Promise::T2]
            }
            Self::SealWithoutHolder => &[Promise::T1, Promise::T2, Promise::X],
            Self::GrantTwice => &[Promise::T1, Promise::T2, Promise::X, Promise::E, Promise::Clean],
            Self::ReachableQuorum | Self::UnknownIsGranted | Self::WakeIsGrant => {
                &[Promise::T1, Promise::T2, Promise::X]
            }
            Self::HandOverToLatecomers => &[Promise::T2],
            Self::ExtendReseeds => &[Promise::E, Promise::X],
            Self::NoDrift | Self::WallClock | Self::ValidFromReplies => &[Promise::X],
            Self::ReleaseWithoutHolder | Self::NoRest | Self::LossByReplyOnly => &[Promise::X],
            Self::NoAnchor | Self::ForeignIgnored => &[Promise::X],
            Self::UnknownNotReleased => &[Promise::Clean],
            Self::ExtendAfterRelease => &[Promise::Quiet],
            Self::CheckThenWrite => &[Promise::F],
            Self::WakeIsLost => &[Promise::W, Promise::L],
            Self::DeadHeadIsNext | Self::ReservationWithoutEnd | Self::LeaveIgnored => {
                &[Promise::Reserved, Promise::W, Promise::L]
            }
            Self::OrdersDiffer => &[Promise::InTurn, Promise::W, Promise::L],
        }
    }
}
