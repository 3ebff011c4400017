//! [`ClaimError`]: why a fenced write did not happen, or may not have.

use std::fmt;

use redfence::FencingToken;

/// Why a claim or a fenced write did not happen, or is not known to have. `E` is the error of the store's client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError<E> {
    /// A newer holder has claimed: the lease that the token belongs to is over. Acquire the lock again.
    Stale {
        /// The highest token accepted.
        highest: FencingToken,
    },
    /// The claimed fence does not exist any more: it was deleted. Nothing was written.
    Missing,
    /// Another task has claimed with the same token meanwhile. Nothing was written: claim again, read, write.
    Retry,
    /// The answer did not come, or is not clear: the write happened, may still happen, or never will. Claim again with
    /// the same token: then a write that has not happened yet is refused. Then read.
    Unknown(E),
    /// The fence holds an older token than the one that was claimed: the store has lost what it had accepted. Nothing was
    /// written.
    Lost {
        /// The token that it holds now.
        found: FencingToken,
    },
    /// The object in the place of the fence was not written by this library. Nothing was written.
    NotAFence,
    /// The store ignores the condition of a put, so it cannot fence. Nothing was written.
    Unfit(&'static str),
    /// Any other refusal of the store. Nothing was written; a claim may have been.
    Store(E),
}

impl<E> ClaimError<E> {
    /// The highest token, if the token was stale: what `redfence_retry::retry_stale` asks.
    #[must_use]
    pub const fn stale(&self) -> Option<FencingToken> {
        match self {
            Self::Stale { highest } => Some(*highest),
            _ => None,
        }
    }

    /// Whether to claim again with the same token, then read and decide.
    pub const fn is_claim_again(&self) -> bool {
        matches!(self, Self::Retry | Self::Unknown(_))
    }
}

impl<E: fmt::Display> fmt::Display for ClaimError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { highest } => write!(
                f,
                "stale fencing token: a holder with token {highest} has claimed since; acquire the lock again and claim \
                 with the new token"
            ),
            Self::Missing => {
                f.write_str("the fence was deleted, so nothing was written: a fence must never be deleted nor expire")
            }
            Self::Retry => f.write_str(
                "the fence was claimed again with the same token, so nothing was written: claim again, read, write",
            ),
            Self::Unknown(error) => write!(
                f,
                "the write was not answered, it may have happened or not: claim again with the same token, then read \
                 ({error})"
            ),
            Self::Lost { found } => write!(
                f,
                "the fence holds token {found}, older than the one that it had accepted: the store has lost data"
            ),
            Self::NotAFence => f.write_str(
                "what is stored there is not a fence of this library, and was left alone: choose another name",
            ),
            Self::Unfit(why) => write!(f, "the store cannot fence: {why}"),
            Self::Store(error) => write!(f, "the store refused: {error}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for ClaimError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unknown(error) | Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stale_is_stale() {
        let highest = FencingToken::new(7).unwrap();
        assert_eq!(ClaimError::<()>::Stale { highest }.stale(), Some(highest));
        for other in [
            ClaimError::Missing,
            ClaimError::Retry,
            ClaimError::Unknown(()),
            ClaimError::Lost { found: highest },
            ClaimError::NotAFence,
            ClaimError::Unfit(""),
            ClaimError::Store(()),
        ] {
            assert_eq!(other.stale(), None, "{other:?}");
        }
    }
}
