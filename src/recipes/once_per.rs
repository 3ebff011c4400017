//! [`OncePer`]: work that is done once per period, however many processes try to do it.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::period::{Period, ends_within};
use super::wait::Wait;
use crate::{
    AcquireError, ConfigError, ExtendError, Guard, LeaseHandle, Moment, Redlock, ReleaseOutcome, Resource,
    ResourceError,
};

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

/// What became of the lock of work that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnceOutcome {
    /// It stays for so long from now on.
    #[non_exhaustive]
    Kept {
        /// How long.
        rest: Duration,
    },
    /// It was released: the work failed, or took longer than the period.
    Released(ReleaseOutcome),
}

/// For how long the rest of a period is tried to be stored.
const STORE_MAX: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

impl Redlock {
    /// Work on `resource` that is done once per `period`. Asks no node.
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

    /// As [`Redlock::acquire_within`], but does not wait for a lock that stays until after the wait unless it is released: that
    /// of work which was done in this period.
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

/// The lease under which the work is done. Dropped without [`finish`](OnceGuard::finish) it is released, as a [`Guard`].
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct OnceGuard {
    guard: Guard,
    redlock: Redlock,
    period: Period,
    /// When it was acquired.
    began: Moment,
}

impl OnceGuard {
    /// A guard that was acquired just now, by `redlock`.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn new(redlock: &Redlock, guard: Guard, period: Period) -> Self {
        Self { guard, redlock: redlock.clone(), period, began: redlock.clock().now() }
    }

    /// The guard alone. Its release keeps nothing.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn into_guard(self) -> Guard {
        self.guard
    }

    /// Ends the work: the lock stays for the rest of its period, or is released. Tries to store the period for 30 s, while the
    /// lease lives.
    ///
    /// # Errors
    ///
    /// [`ExtendError`] if the work succeeded and no quorum stored its period: it may be done again within it, and what nodes
    /// still have ends with the time to live. [`ExtendError::Lost`] if the work succeeded after its lease had ended.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the lock may be released, end with its time to live, or stay for its period.
    pub async fn finish(self, succeeded: bool) -> Result<OnceOutcome, ExtendError> {
        let now = self.redlock.clock().now();
        let stay = self.period.stay(succeeded).unwrap_or_default();
        let until = Some(self.began.after(stay)).filter(|until| *until > now);
        let lost = self.guard.check().err();
        let (Some(until), None) = (until, &lost) else {
            let outcome = self.guard.release().await;
            return lost.filter(|_| succeeded).map_or(Ok(OnceOutcome::Released(outcome)), |lost| Err(lost.into()));
        };
        keep(&self.redlock, self.guard, (stay, until), self.period.must_be_stored(succeeded)).await?;
        Ok(OnceOutcome::Kept { rest: until.since(self.redlock.clock().now()) })
    }
}

impl Deref for OnceGuard {
    type Target = LeaseHandle;

    fn deref(&self) -> &LeaseHandle {
        &self.guard
    }
}

impl fmt::Debug for OnceGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceGuard").field("guard", &self.guard).field("period", &self.period).finish_non_exhaustive()
    }
}

/// Leaves the lock of `guard` at the nodes until `until`, the end of its `stay`. If it `must` be stored, that is an error if no
/// quorum stores it.
async fn keep(
    redlock: &Redlock,
    guard: Guard,
    (stay, until): (Duration, Moment),
    must: bool,
) -> Result<(), ExtendError> {
    let clock = redlock.clock();
    // Nodes count whole milliseconds.
    let rest = || stay.min(until.since(clock.now()) + Duration::from_millis(1));
    let Some(mut storing) = storing(redlock, rest()) else {
        // Too little time for a lease of its own: hold it for the rest.
        tokio::select! {
            () = tokio::time::sleep(rest()) => {}
            _ = guard.lost() => {}
        }
        drop(guard.release().await);
        return Ok(());
    };
    // From here on this process sends no renewal, which would make the time to live shorter again.
    let lease = guard.into_lease();
    let give_up_at = lease.valid_until.min(clock.now().after(STORE_MAX));
    loop {
        let Err(error) = storing.extend_as(lease.resource.clone(), &lease.holder).await else { return Ok(()) };
        if !must {
            return Ok(());
        }
        if matches!(error, ExtendError::Lost(_)) || clock.now() >= give_up_at {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
        match self::storing(redlock, rest()) {
            Some(shorter) => storing = shorter,
            None => return Err(error),
        }
    }
}

/// What stores a time to live of `rest`; `None` if that is too little.
fn storing(redlock: &Redlock, rest: Duration) -> Option<Redlock> {
    if rest < redlock.ttl() / 10 {
        return None;
    }
    redlock.with_max_hold(None).ok()?.with_ttl(rest).ok()
}
