//! [`Guard`]: the live handle of a lease, and [`LeaseHandle`], a view of it that may be passed on.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::error::{ExtendError, Lost};
use super::hand_over::{self, Passed};
use super::lease::active::ActiveLease;
use super::round::exchange::Phase;
use super::round::extension;
use crate::protocol::{LossCause, ReleaseOutcome};
use crate::{FencingToken, Holder, Lease, Resource};

/// A held lease. It is renewed by itself unless configured otherwise, and released when it goes out of scope.
///
/// Everything a holder wants to know is on the [`LeaseHandle`] that a guard dereferences to.
///
/// Drop is best effort: it sends the releases on the spot and waits for nothing, and it leaves a trace event
/// (`dropped without release`), for a program that ends at once may take the connections with it. Prefer
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

    /// Gives the lease back and tells what was found.
    ///
    /// Returns when a quorum has let go; the other nodes follow. A release that some node does not acknowledge is
    /// repeated in the background until the lock has expired there. Never fails: a lease that had ended before is an
    /// overrun, reported as [`ReleaseOutcome::AlreadyExpired`] or [`ReleaseOutcome::TakenByOther`] and traced.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future releases all the same, and loses only the outcome.
    pub async fn release(mut self) -> ReleaseOutcome {
        let lease = Arc::clone(&self.handle.0);
        // The clock decides, also when no task has had the time to notice, and the nodes may still have the lock.
        let overrun = lease.check().is_err();
        lease.end(LossCause::Released);
        if hand_over::more_may_come(&lease) {
            // Those who had a section a moment ago may be about to ask for the next: all of them share one round to the nodes.
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
            let (resource, token) = (&lease.subject.resource, lease.token);
            tracing::warn!(%resource, ?token, ?outcome, "overrun: the lease had ended before its release");
        }
        outcome
    }

    /// Hands the lease over to whoever knows its holder: from here on this process neither renews nor releases it.
    /// [`Redlock::extend_as`](super::Redlock::extend_as) and [`Redlock::release_as`](super::Redlock::release_as) go on
    /// with it. To handles of this guard the lease is over, with [`LossCause::Released`].
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
            lease.end(LossCause::Released);
            tracing::warn!(
                resource = %lease.subject.resource,
                holder = ?lease.subject.holder,
                token = ?lease.token,
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

/// A view of a held lease: cheap to clone, and of no influence on how long the lease lives.
#[derive(Clone)]
pub struct LeaseHandle(Arc<ActiveLease>);

impl LeaseHandle {
    /// The fencing token: pass it with every write. It is the same for the whole life of the lease.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.0.token
    }

    /// What is held.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.0.subject.resource
    }

    /// Who holds it: new for every attempt.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.0.subject.holder
    }

    /// The lease as a value, as things stand.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease {
            resource: self.resource().clone(),
            holder: self.holder().clone(),
            token: self.token(),
            ttl: self.0.settings.terms.ttl,
            valid_until: self.0.ends_at(),
        }
    }

    /// The validity that is left; `None` once the lease is over.
    ///
    /// Measured on a clock that counts suspend, with the drift allowance already taken off.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        self.0.check().ok()
    }

    /// Fails once the lease is over. Cheap: no network, no await. Call it before each side effect.
    ///
    /// A pause may come right after the check, so this narrows the window and does not close it; the token at the
    /// resource does.
    ///
    /// # Errors
    ///
    /// [`Lost`] with the cause.
    pub fn check(&self) -> Result<(), Lost> {
        self.0.check().map(|_| ())
    }

    /// Completes when the lease is over, with the cause. Fires at the end of the validity at the latest, with no
    /// network and no other task involved; after a release it completes with [`LossCause::Released`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing; a new call gives the same answer.
    pub async fn lost(&self) -> LossCause {
        self.0.lost().await
    }

    /// Extends the lease by a full time to live from now. Seldom needed: guards renew themselves.
    ///
    /// # Errors
    ///
    /// [`ExtendError::Lost`] when the lease is over, for good; the others leave it as long as it was.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the locks on the nodes living longer than this handle believes, never shorter.
    pub async fn extend(&self) -> Result<(), ExtendError> {
        self.0.extend().await
    }
}

impl fmt::Debug for LeaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseHandle").field(&self.lease()).finish()
    }
}
