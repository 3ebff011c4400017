//! [`OncePer`]: work that is done once per period, however many processes try to do it.

use std::fmt;
use std::time::Duration;

use super::once_guard::OnceGuard;
use super::period::{Period, ends_within};
use super::wait::Wait;
use crate::{AcquireError, ConfigError, Guard, Redlock, Resource, ResourceError};

/// Work that is done once per [`Period`], however many processes try: the lock of work that succeeded stays at the nodes for
/// the rest of the period.
#[derive(Clone)]
pub struct OncePer {
    redlock: Redlock,
    resource: Resource,
    period: Period,
}

/// Why work cannot be done once per such a period.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OncePerError {
    /// The name of the resource cannot be used.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// No lock lasts as long as the period. Raise [`Builder::max_ttl`](crate::Builder::max_ttl) in every program that uses these
    /// nodes with this key prefix, and give such work a prefix of its own.
    #[error("no lock lasts as long as the period: {0}")]
    Config(#[from] ConfigError),
    /// A time of zero keeps nothing.
    #[error("a period needs a time above zero")]
    Zero,
}

impl Redlock {
    /// Work on `resource` that is done once per `period`. Asks no node.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use redfence::{EmbeddedNode, Redlock};
    /// use redfence::recipes::Period;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    /// // The lock lasts as long as the period, so every program that uses these nodes needs such a `max_ttl`.
    /// let redlock = Redlock::builder().node(EmbeddedNode::new()).max_ttl(minutes(60)).build()?;
    /// let nightly = redlock.once_per("nightly-report", Period::once_per(minutes(55)))?;
    /// let run = nightly.acquire().await?; // `AcquireError::Contended`: it was done, or another process is at it
    /// println!("report with token {}", run.token());
    /// run.finish(true).await?;
    /// assert!(nightly.acquire_within(Duration::ZERO).await.is_err());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`OncePerError`] for a name that cannot be used, and for a period that is zero or longer than a lock may last
    /// ([`Builder::max_ttl`](crate::Builder::max_ttl)).
    pub fn once_per(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
        period: Period,
    ) -> Result<OncePer, OncePerError> {
        let resource = resource.try_into().map_err(Into::into)?;
        if period.is_zero() {
            return Err(OncePerError::Zero);
        }
        let longest = self.ttl().max(period.stay(true).unwrap_or_default());
        self.with_max_hold(None)?.with_ttl(longest)?;
        Ok(OncePer { redlock: self.with_ttl(period.ttl(self.ttl()))?, resource, period })
    }

    /// As [`Redlock::acquire_within`], with one exception: it does not wait for a lock that ends by itself only after the wait,
    /// as that of work which was done in this period.
    ///
    /// # Errors
    ///
    /// As [`Redlock::acquire_within`].
    ///
    /// # Cancel safety
    ///
    /// As [`Redlock::acquire`].
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub async fn acquire_unless_kept(&self, resource: &Resource, wait_max: Duration) -> Result<Guard, AcquireError> {
        let wait = Wait::begin(self, wait_max);
        if !wait_max.is_zero() {
            match self.try_acquire(resource).await {
                Err(ref met @ AcquireError::Contended { .. }) if ends_within(met, wait_max) => {}
                Err(AcquireError::NoQuorum { .. } | AcquireError::Overloaded { .. } | AcquireError::TooSlow { .. }) => {
                }
                outcome => return outcome,
            }
        }
        self.acquire_within(resource, wait.left()).await
    }
}

impl OncePer {
    /// Acquires for the work, and waits as long as is configured ([`Builder::wait_max`](crate::Builder::wait_max)). It does not
    /// wait for a period whose end is later than that.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Contended`] if the work was done in this period, or another process is at it; the others as
    /// [`Redlock::acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`Redlock::acquire`].
    pub async fn acquire(&self) -> Result<OnceGuard, AcquireError> {
        self.acquire_within(self.redlock.wait_max()).await
    }

    /// As [`OncePer::acquire`], with a wait of its own.
    ///
    /// # Errors
    ///
    /// As [`OncePer::acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`Redlock::acquire`].
    pub async fn acquire_within(&self, wait_max: Duration) -> Result<OnceGuard, AcquireError> {
        let guard = self.redlock.acquire_unless_kept(&self.resource, wait_max).await?;
        Ok(OnceGuard::new(&self.redlock, guard, self.period))
    }
}

impl fmt::Debug for OncePer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OncePer").field("resource", &self.resource).field("period", &self.period).finish()
    }
}
