#![doc = include_str!("../README.md")]

use redfence::{FencingToken, LeaseHandle, Redlock, Resource, ResourceError, WithLockError};

/// Runs `body` under the lock; and again, under a new lease with a new token, each time its write was refused as stale.
///
/// A stale token says that another holder has written since: what the body knew is old. So it begins anew and reads again.
/// No other refusal is retried: an unknown outcome in particular is the body's to read back.
///
/// `stale` distinguishes a stale token from other errors and returns the highest one: `FenceError::stale`,
/// `WriteError::stale`, `ClaimError::stale`, `FileError::stale`, `Refusal::stale`. `attempts` is how often the body runs at
/// most; 0 is taken for 1. Each waits for the lock as [`Redlock::acquire`] does.
///
/// ```
/// # use redfence::{EmbeddedNode, Redlock};
/// # use redfence::verifier::{MemoryStore, Rule};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
/// # let store = MemoryStore::new();
/// let stale = |error: &redfence::verifier::StaleToken| Some(error.highest);
/// let written = redfence_retry::retry_stale(&redlock, "ledger", 3, stale, async |lease| {
///     store.write(lease.resource(), lease.token(), Rule::AcceptEqual, || "written")
/// });
/// assert_eq!(written.await?, "written");
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`RetryStaleError`], with the body's own error where it gave one.
///
/// # Cancel safety
///
/// As [`Redlock::with_lock`]: dropping the future drops the body and releases the lease in the background.
pub async fn retry_stale<R, T, E>(
    redlock: &Redlock,
    resource: R,
    attempts: u32,
    stale: impl Fn(&E) -> Option<FencingToken>,
    body: impl AsyncFnMut(LeaseHandle) -> Result<T, E>,
) -> Result<T, RetryStaleError<E>>
where
    R: TryInto<Resource>,
    ResourceError: From<R::Error>,
{
    let resource = resource.try_into().map_err(|error| WithLockError::Acquire(ResourceError::from(error).into()))?;
    retry(redlock, &resource, attempts.max(1), stale, body).await
}

async fn retry<T, E>(
    redlock: &Redlock,
    resource: &Resource,
    mut left: u32,
    stale: impl Fn(&E) -> Option<FencingToken>,
    mut body: impl AsyncFnMut(LeaseHandle) -> Result<T, E>,
) -> Result<T, RetryStaleError<E>> {
    let mut refused_by = None;
    loop {
        left -= 1;
        let run = async |lease: LeaseHandle| match refused_by {
            // A lease that was acquired after the refusal has a greater token, if lock and fence belong together.
            Some(highest) if lease.token() <= highest => {
                Err(RetryStaleError::FenceAhead { token: lease.token(), highest })
            }
            _ => body(lease).await.map_err(RetryStaleError::Write),
        };
        match redlock.with_lock(resource, run).await? {
            Err(RetryStaleError::Write(error)) => match stale(&error) {
                highest @ Some(_) if left > 0 => refused_by = highest,
                _ => return Err(RetryStaleError::Write(error)),
            },
            ended => return ended,
        }
    }
}

/// Why a write under the lock failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetryStaleError<E> {
    /// The lock could not be had, or the lease was lost while the body ran.
    #[error(transparent)]
    Lock(#[from] WithLockError),
    /// The body's error: the last one that was stale, or one that is not retried.
    #[error("{0}")]
    Write(E),
    /// The fence has seen a token that this lock has not issued yet: it will refuse every lease for long.
    #[error(
        "the fence has token {highest}, and the lock issues {token}: a number was written there by hand or by another lock, \
         or the nodes lost their counters; look which, and set the fence back only when no older holder is left"
    )]
    FenceAhead {
        /// The token of the new lease.
        token: FencingToken,
        /// What the fence refused the one before with.
        highest: FencingToken,
    },
}
