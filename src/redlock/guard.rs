//! [`Guard`]: the live handle of a lease, and [`LeaseHandle`], a view of it for other tasks.

use std::fmt;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::env::spans;
use super::error::{ExtendError, Lost};
use super::hand_over::{self, Passed};
use super::lease::active::ActiveLease;
use super::round::exchange::Phase;
use super::round::extension;
use crate::protocol::{LossCause, ReleaseOutcome};
use crate::{FencingToken, Holder, Lease, Resource};

/// The live handle of a lease. It renews the lease unless configured otherwise, and releases it when it goes out of
/// scope.
///
/// A guard dereferences to [`LeaseHandle`], which has everything that a holder needs.
///
/// Drop is best effort: it sends the releases at once, waits for no reply, and emits a trace event (`dropped without
/// release`). A program that ends right afterwards may close the connections before the releases are sent. Prefer
/// [`release`](Guard::release).
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct Guard {
    handle: LeaseHandle,
    released: bool,
}

impl Guard {
    pub(super) const fn new(lease: Arc<ActiveLease>) -> Self {
        Self { handle: LeaseHandle(lease), released: false }
    }

    /// A view of the lease for other tasks. It does not keep the lease alive.
    #[must_use]
    pub fn handle(&self) -> LeaseHandle {
        self.handle.clone()
    }

    /// Releases the lease and reports what it found.
    ///
    /// Returns when a quorum has released; the other nodes follow. If some node does not acknowledge the release, it
    /// is repeated in the background until the lock has expired there. This call never fails. If the lease had ended
    /// before, that is an overrun, reported as [`ReleaseOutcome::AlreadyExpired`] or
    /// [`ReleaseOutcome::TakenByOther`], and traced.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the lease is still released, and only the outcome is lost.
    pub async fn release(self) -> ReleaseOutcome {
        let span = spans::release(self.resource(), self.token());
        spans::InPlace(pin!(Some(self.let_go()))).instrument(span).await
    }

    async fn let_go(mut self) -> ReleaseOutcome {
        let lease = Arc::clone(&self.handle.0);
        let overrun = lease.give_up().is_err();
        if hand_over::more_may_come(&lease) {
            // Tasks that had a section a moment ago may be about to ask for the next. All of them share one round to
            // the nodes.
            tokio::task::yield_now().await;
        }
        self.released = true;
        let outcome = match hand_over::pass_on(&lease, Some(Phase::Release)) {
            Passed::On => return ReleaseOutcome::HandedOver,
            Passed::Released(asked) => {
                extension::released(Arc::clone(&lease.exchange), asked, lease.settings.node_timeout).await
            }
        };
        if overrun || matches!(outcome, ReleaseOutcome::AlreadyExpired | ReleaseOutcome::TakenByOther { .. }) {
            let (resource, token) = (&lease.subject.resource, lease.token());
            tracing::warn!(%resource, ?token, ?outcome, "overrun: the lease had ended before its release");
            lease.overran();
        }
        outcome
    }

    /// Gives up the lease without a release: from here on, this process neither renews nor releases it.
    /// [`Redlock::resume`](super::Redlock::resume) makes a guard of it again, here or in another process, before its time to live
    /// has passed. A process that knows the holder can also continue with [`Redlock::extend_as`](super::Redlock::extend_as) and
    /// [`Redlock::release_as`](super::Redlock::release_as). For handles of this guard the lease is over, with
    /// [`LossCause::Released`].
    #[must_use]
    pub fn into_lease(mut self) -> Lease {
        let lease = self.handle.lease();
        self.released = true;
        self.handle.0.end(LossCause::Released);
        drop(self.handle.0.take_permit());
        lease
    }
}

impl Deref for Guard {
    type Target = LeaseHandle;

    fn deref(&self) -> &LeaseHandle {
        &self.handle
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.released {
            let lease = &self.handle.0;
            if lease.end(LossCause::Released) != LossCause::Released {
                lease.overran();
            }
            tracing::warn!(
                resource = %lease.subject.resource,
                holder = ?lease.subject.holder,
                token = ?lease.token(),
                "dropped without release; releasing in the background"
            );
            hand_over::pass_on(lease, None);
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.handle.lease()).finish()
    }
}

/// A view of a lease. It is cheap to clone, and does not keep the lease alive.
#[derive(Clone)]
pub struct LeaseHandle(Arc<ActiveLease>);

impl LeaseHandle {
    /// The fencing token. Pass it with every write. It never changes during the lease.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.0.token()
    }

    /// What is locked.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.0.subject.resource
    }

    /// The holder; new for every attempt.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.0.subject.holder
    }

    /// The lease as a value, with its present validity.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease {
            resource: self.resource().clone(),
            holder: self.holder().clone(),
            token: self.token(),
            ttl: self.0.settings.terms.ttl,
            valid_until: self.0.ends_at(),
            voters: self.0.voters(),
        }
    }

    /// The validity that is left; `None` after the end of the lease.
    ///
    /// It is measured on a clock that counts suspend, and the allowance for drift is already subtracted.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        self.0.check().ok()
    }

    /// Fails if the lease is over. It is cheap: no network, no await. Call it before each side effect.
    ///
    /// A pause may come right after the check. So the check makes the dangerous window smaller, but does not close
    /// it. The token at the resource closes it.
    ///
    /// # Errors
    ///
    /// [`Lost`] with the cause.
    pub fn check(&self) -> Result<(), Lost> {
        self.0.check().map(|_| ())
    }

    /// Completes when the lease is over, and returns the cause. It completes at the end of the validity at the
    /// latest, and needs no network and no other task for that. After a release it returns [`LossCause::Released`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing changes. A new call returns the same cause.
    pub async fn lost(&self) -> LossCause {
        self.0.lost().await
    }

    /// Extends the lease to a full time to live from now. It is seldom needed, because guards renew their leases.
    ///
    /// # Errors
    ///
    /// [`ExtendError::Lost`] if the lease is over. After other errors the lease lives as long as before.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the locks on the nodes may live longer than this handle believes, but never shorter.
    pub async fn extend(&self) -> Result<(), ExtendError> {
        self.0.extend().await
    }
}

impl fmt::Debug for LeaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseHandle").field(&self.lease()).finish()
    }
}
