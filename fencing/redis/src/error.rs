//! [`WriteError`]: why a fenced write did not happen, or may not have.

use redfence::FencingToken;
use redfence::verifier::StaleToken;

/// A foreign value at a key may have any size.
const LEN_MAX: usize = 200;

pub(crate) fn one_line(text: &str) -> String {
    text.chars().take(LEN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Why a fenced write did not happen, or is not known to have.
///
/// | variant | the write | what to do |
/// |---|---|---|
/// | [`Stale`](Self::Stale) | did not happen | acquire the lock again, write with the new token |
/// | [`Missing`](Self::Missing) | did not happen | the key is not there: the lock cannot help |
/// | [`CrossSlot`](Self::CrossSlot) | did not happen | give resource and keys one hash tag |
/// | [`Refused`](Self::Refused) | did not happen; your own script may have begun | as the reason says |
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
    /// The fence and the key are in different slots of a Cluster, so no script can use both.
    #[error(
        "{reason}: a script can only use keys of one slot; give the resource the hash tag of the key, as in \
         \"{{user:7}}:cart\" for both"
    )]
    CrossSlot {
        /// The keys, or the message of the server.
        reason: String,
    },
    /// The server refused. The token may be the highest one from now on.
    #[error("the server refused: {reason}")]
    Refused {
        /// The message of the server.
        reason: String,
    },
    /// No answer came, or an unreadable one: the write may have happened, and may even happen later.
    #[error("no answer came, the write may have happened or not: {reason}")]
    Unknown {
        /// The error of the connection.
        reason: String,
    },
}

impl WriteError {
    /// The highest token, if the token was stale; for `redfence_retry::retry_stale`.
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
            // Also if a connection was refused: it may be a second connection, dialled again for a request that was
            // already sent.
            _ => Self::Unknown { reason },
        }
    }
}
