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
    /// Another process has held the fence for all of that time.
    #[error("{}: another process has held the fence for {waited:?}; wait longer, or see who has {} open", path.display(), lock.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// The file that is locked.
        lock: PathBuf,
        /// How long this one waited.
        waited: Duration,
    },
    /// The file is not as it was last written: it is cut, edited, or of another program.
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
        /// The step that failed.
        step: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

impl FileError {
    /// The highest token, if the token was stale; for `redfence_retry::retry_stale`.
    #[must_use]
    pub const fn stale(&self) -> Option<FencingToken> {
        match self {
            Self::Stale(stale) => Some(stale.highest),
            _ => None,
        }
    }
}
