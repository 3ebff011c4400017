//! What can go wrong.

use redfence::FencingToken;
use redfence::verifier::StaleToken;

/// What another program left at a key may be of any size.
const LEN_MAX: usize = 200;

fn one_line(text: &str) -> String {
    text.chars().take(LEN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Why a fenced write did not happen, or is not known to have.
///
/// | variant | the write | what to do |
/// |---|---|---|
/// | [`Stale`](Self::Stale) | did not happen | acquire the lock again, write with the new token |
/// | [`Missing`](Self::Missing) | did not happen | the key is not there: the lock cannot help |
/// | [`CrossSlot`](Self::CrossSlot) | did not happen | give resource and keys one hash tag |
/// | [`Refused`](Self::Refused) | did not happen; a script of one's own may have begun | as the reason says |
/// | [`Unknown`](Self::Unknown) | happened or not | send it again with the same token if it may happen twice, else read first |
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A newer holder has written: the lease that the token belongs to is over.
    #[error(transparent)]
    Stale(#[from] StaleToken),
    /// There is no such key.
    #[error("there is no such key, so nothing was written")]
    Missing,
    /// The fence and the key lie in different slots of a Cluster, so no script can use both.
    #[error(
        "{reason}: a script can only use keys of one slot; give the resource the hash tag of the key, as in \
         \"{{user:7}}:cart\" for both"
    )]
    CrossSlot {
        /// Which keys they are, or what the server said.
        reason: String,
    },
    /// The server refused. The token may be the highest one from now on.
    #[error("the server refused: {reason}")]
    Refused {
        /// What the server said.
        reason: String,
    },
    /// No answer came, or none that can be understood: the write may have happened, and may even happen yet.
    #[error("no answer came, the write may have happened or not: {reason}")]
    Unknown {
        /// What the connection said.
        reason: String,
    },
}

impl WriteError {
    /// The highest token, if the token was stale: what `redfence_retry::retry_stale` asks.
    #[must_use]
    pub const fn stale(&self) -> Option<FencingToken> {
        match self {
            Self::Stale(stale) => Some(stale.highest),
            _ => None,
        }
    }

    pub(crate) fn refused(reason: &str) -> Self {
        Self::Refused { reason: one_line(reason) }
    }

    pub(crate) fn unknown(reason: &str) -> Self {
        Self::Unknown { reason: one_line(reason) }
    }

    pub(crate) fn of(error: &redis::RedisError) -> Self {
        let reason = one_line(&error.to_string());
        match error.kind() {
            redis::ErrorKind::Server(redis::ServerErrorKind::CrossSlot) => Self::CrossSlot { reason },
            redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => Self::Refused { reason },
            // Also where a connection was refused: it may be the second one, dialled anew for a request that was sent.
            _ => Self::Unknown { reason },
        }
    }
}
