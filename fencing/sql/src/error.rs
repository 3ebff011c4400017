//! [`FenceError`]: why a fenced write did not happen, or may not have.

use std::fmt;

use redfence::FencingToken;

/// Why a fenced write did not happen, or is not known to have. `E` is the error of the driver.
///
/// | variant | the write | what to do |
/// |---|---|---|
/// | [`Stale`](Self::Stale) | did not happen | roll back, acquire the lock again, write with the new token |
/// | [`Missing`](Self::Missing) | did not happen | the row is not there: the lock cannot help |
/// | [`Retry`](Self::Retry) | did not happen | roll back, run the transaction again with the same token |
/// | [`Unknown`](Self::Unknown) | happened or not | read it back, in a transaction that admits the same token first |
/// | others | did not happen | roll back |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FenceError<E> {
    /// A newer holder has written: the lease that the token belongs to is over.
    Stale {
        /// The highest token accepted for the resource.
        highest: FencingToken,
    },
    /// The caller's table has no such row, so there was nothing to update.
    Missing,
    /// The database has rolled back the transaction because of another one, or asks for it: SQLSTATE 40001 and similar
    /// errors. It says nothing about the token. `None`: the row changed between the update and the query for the
    /// reason.
    Retry(Option<E>),
    /// The answer to the commit did not come: it may have happened, and may even happen later.
    Unknown(E),
    /// The connection is in no transaction, so the fence would have been released before the write.
    NoTransaction,
    /// The fence holds a number that no lock has issued.
    NotAToken {
        /// That number.
        found: i64,
    },
    /// Any other refusal of the database, or of the connection before the commit.
    Database(E),
}

impl<E> FenceError<E> {
    /// The highest token, if the token was stale: what `redfence_retry::retry_stale` asks.
    #[must_use]
    pub const fn stale(&self) -> Option<FencingToken> {
        match self {
            Self::Stale { highest } => Some(*highest),
            _ => None,
        }
    }

    /// Whether the same transaction may be run again with the same token.
    pub const fn is_retry(&self) -> bool {
        matches!(self, Self::Retry(_))
    }
}

impl<E: fmt::Display> fmt::Display for FenceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { highest } => write!(
                f,
                "stale fencing token: a holder with token {highest} has written since; roll back and acquire the lock again"
            ),
            Self::Missing => f.write_str("there is no such row, so nothing was written"),
            Self::Retry(Some(error)) => write!(
                f,
                "the transaction conflicted with another one, which says nothing about the token: roll back and run it again ({error})"
            ),
            Self::Retry(None) => f.write_str("the row changed meanwhile: roll back and run the transaction again"),
            Self::Unknown(error) => write!(
                f,
                "the commit was not answered, it may have happened or not: read it back in a transaction that admits \
                 the same token first ({error})"
            ),
            Self::NoTransaction => f.write_str(
                "the connection is in no transaction, so the fence would be released before the write: begin one first",
            ),
            Self::NotAToken { found } => {
                write!(f, "the fence holds {found}, which is not a fencing token (1 to {})", FencingToken::MAX)
            }
            Self::Database(error) => write!(f, "the database refused: {error}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for FenceError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Retry(Some(error)) | Self::Unknown(error) | Self::Database(error) => Some(error),
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
        assert_eq!(FenceError::<()>::Stale { highest }.stale(), Some(highest));
        for other in [FenceError::Missing, FenceError::Retry(None), FenceError::Unknown(()), FenceError::NoTransaction]
        {
            assert_eq!(other.stale(), None, "{other:?}");
        }
    }
}
