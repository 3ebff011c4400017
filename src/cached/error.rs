//! [`CachedError`]: why a call has no value.

use std::convert::Infallible;
use std::time::Duration;

use super::store::Entry;
use crate::{AcquireError, ResourceError};

/// Why a call has no value. `E` is the error of the caller's own computation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CachedError<E = Infallible> {
    /// The key cannot be used: it is the name of the lock, too.
    #[error(transparent)]
    Key(#[from] ResourceError),
    /// The value cannot be kept for so long, or not at all.
    #[error("a time to live of {ttl:?} is not possible: 1 ms to {most:?}", most = Entry::TTL_MAX)]
    Ttl {
        /// The time to live that was asked for.
        ttl: Duration,
    },
    /// The lock was not acquired in time: another process computes, or too few nodes answer.
    #[error("the value was not computed, because the lock was not acquired: {0}")]
    Acquire(#[source] AcquireError),
    /// Another task of this process did not compute the value in time.
    #[error("another task of this process did not compute the value within {waited:.1?}: try later, or raise wait_max")]
    Waited {
        /// How long this call waited.
        waited: Duration,
    },
    /// The store failed. After a write it is not known whether it has the value.
    #[error("the store failed: {0}")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The computation failed. The next caller computes.
    #[error("the computation failed: {0}")]
    Compute(E),
    /// The computation took too long and was cancelled. The next caller computes.
    #[error("the computation was cancelled after {after:?}: raise compute_max if it needs longer")]
    TimedOut {
        /// How long it was allowed to take.
        after: Duration,
    },
    /// The value is longer than [`Entry::LEN_MAX`].
    #[error("a value of {len} bytes is too long, at most {most}: cache a reference to it", most = Entry::LEN_MAX)]
    TooLong {
        /// The length in bytes.
        len: usize,
    },
}

impl CachedError {
    /// The same where the computation has an error.
    pub(super) fn widened<E>(self) -> CachedError<E> {
        match self {
            Self::Key(error) => CachedError::Key(error),
            Self::Ttl { ttl } => CachedError::Ttl { ttl },
            Self::Acquire(error) => CachedError::Acquire(error),
            Self::Waited { waited } => CachedError::Waited { waited },
            Self::Store(error) => CachedError::Store(error),
            Self::Compute(never) => match never {},
            Self::TimedOut { after } => CachedError::TimedOut { after },
            Self::TooLong { len } => CachedError::TooLong { len },
        }
    }
}

/// A call of the store that did not end in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {within:?}")]
pub(super) struct Unanswered {
    /// How long it was waited for.
    pub(super) within: Duration,
}
