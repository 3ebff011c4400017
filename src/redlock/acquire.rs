//! The ways to acquire: one attempt, with a wait, or around a body.

use std::pin::pin;
use std::time::Duration;

use tracing::Instrument as _;

use super::contend::acquire;
use super::env::spans;
use super::error::{AcquireError, Lost, WithLockError};
use super::guard::{Guard, LeaseHandle};
use super::handle::Redlock;
use crate::{Resource, ResourceError};

/// What [`Redlock::acquire_with`] does while another holder has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfHeld {
    /// Makes one attempt, and fails.
    Fail,
    /// Waits for the configured time ([`Builder::wait_max`](crate::Builder::wait_max)), and fails then.
    Wait,
    /// Waits for this time, and fails then.
    WaitFor(Duration),
    /// Makes one attempt, and returns no guard: the caller skips the work.
    Skip,
}

impl Redlock {
    /// One attempt: at most two round trips to the nodes.
    ///
    /// # Errors
    ///
    /// [`AcquireError`], with the vote of every node.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped at any point, the attempt is rolled back: the releases are sent at once, behind the
    /// grants.
    pub async fn try_acquire(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
    ) -> Result<Guard, AcquireError> {
        self.acquire_within(resource, Duration::ZERO).await
    }

    /// Makes attempts until the lease is acquired or the configured wait
    /// ([`Builder::wait_max`](crate::Builder::wait_max)) has passed.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] of the last attempt, with the vote of every node.
    ///
    /// # Cancel safety
    ///
    /// As for [`Redlock::try_acquire`].
    pub async fn acquire(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
    ) -> Result<Guard, AcquireError> {
        self.acquire_within(resource, self.settings.wait_max).await
    }

    /// Like [`Redlock::acquire`], but waits for `wait_max` instead. The last attempt begins when `wait_max` has
    /// passed at the latest.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] of the last attempt, with the vote of every node.
    ///
    /// # Cancel safety
    ///
    /// As for [`Redlock::try_acquire`].
    pub async fn acquire_within(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
        wait_max: Duration,
    ) -> Result<Guard, AcquireError> {
        let resource = resource.try_into().map_err(Into::<ResourceError>::into)?;
        let span = spans::acquire(&resource);
        let call = pin!(Some(acquire(&self.locker, &self.settings, &resource, wait_max)));
        let acquired = spans::InPlace(call).instrument(span.clone()).await;
        spans::acquired(&span, acquired.as_ref().map(|guard| guard.token()));
        acquired
    }

    /// Acquires the lease, or does what `if_held` says while another holder has it. `None` is returned only for
    /// [`IfHeld::Skip`], and only if the resource is held: if too few nodes answer to know, that is an error.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// use redfence::IfHeld;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
    /// let report = redlock.acquire_with("report", IfHeld::Wait).await?;
    /// assert!(report.is_some());
    /// if let Some(guard) = redlock.acquire_with("report", IfHeld::Skip).await? {
    ///     println!("write the report with token {}", guard.token());
    /// } else {
    ///     println!("another process writes it");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AcquireError`] of the last attempt, with the vote of every node.
    ///
    /// # Cancel safety
    ///
    /// As for [`Redlock::try_acquire`].
    pub async fn acquire_with(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
        if_held: IfHeld,
    ) -> Result<Option<Guard>, AcquireError> {
        let wait_max = match if_held {
            IfHeld::Fail | IfHeld::Skip => Duration::ZERO,
            IfHeld::Wait => self.settings.wait_max,
            IfHeld::WaitFor(wait_max) => wait_max,
        };
        match self.acquire_within(resource, wait_max).await {
            Err(error) if error.is_held() && if_held == IfHeld::Skip => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Runs `body` while the resource is locked. The body never runs without a lease. If the lease is lost, the body
    /// is cancelled at its current await point. The lease is released before this call returns.
    ///
    /// A body that does not await cannot be cancelled, so it may continue after the end of the lease. Let it call
    /// `lease.check()` before each side effect, and let the resource check the token.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
    /// let sum = redlock.with_lock("ledger", |lease| async move { 40 + 2 * u64::from(lease.check().is_ok()) }).await?;
    /// assert_eq!(sum, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`WithLockError::Acquire`] if the body never ran, [`WithLockError::Lost`] if it was cancelled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the body is dropped, and the lease is released in the background.
    pub async fn with_lock<F, T>(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
        body: impl FnOnce(LeaseHandle) -> F,
    ) -> Result<T, WithLockError>
    where
        F: Future<Output = T>,
    {
        let guard = self.acquire(resource).await?;
        let finished = tokio::select! {
            biased;
            cause = guard.lost() => Err(Lost { cause }),
            value = body(guard.handle()) => Ok(value),
        };
        // The outcome of the release is traced if it matters. The caller asked for the result of the body.
        drop(guard.release().await);
        Ok(finished?)
    }
}
