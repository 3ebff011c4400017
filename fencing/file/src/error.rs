//! [`FileError`]: why nothing was admitted.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use redfence::FencingToken;
use redfence::verifier::StaleToken;

/// Why nothing was admitted: the write must not go ahead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A newer holder has written: the lease that the token belongs to is over.
    #[error(transparent)]
    Stale(#[from] StaleToken),
    /// Another process has held the fence for all that time.
    #[error("{}: another process has held the fence for {waited:?}; wait longer, or see who has {} open", path.display(), lock.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// The file that is locked.
        lock: PathBuf,
        /// How long this one waited.
        waited: Duration,
    },
    /// The file is not what was written last: it is short, edited, or another program's.
    #[error(
        "{}: {reason}; no token is admitted, for an older holder might pass. Restore the file, or, when certainly no older \
         holder is left, remove it together with {}",
        path.display(),
        lock.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The file beside it that remembers that there was one.
        lock: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file would be too large: it is read and written as a whole.
    #[error("{}: a fence file has at most {most} bytes; use a file for each kind of resource, or a database", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// The most bytes.
        most: u64,
    },
    /// The system refused.
    #[error("{}: {step}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    /// The highest token, if the token was stale: what `redfence_retry::retry_stale` asks.
    #[must_use]
    pub const fn stale(&self) -> Option<FencingToken> {
        match self {
            Self::Stale(stale) => Some(stale.highest),
            _ => None,
        }
    }
}
