//! [`OnceGuard`]: the lease of work that is done once per period, and what becomes of it.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::period::Period;
use crate::{ExtendError, Guard, LeaseHandle, Moment, Redlock, ReleaseOutcome};

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

/// For how long `finish` tries to store the rest of a period.
const STORE_MAX: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

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
