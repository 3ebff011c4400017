//! [`Mutex`] and [`MutexGuard`]: the lock of one resource, and its lease while it is held.

use std::fmt;
use std::time::Duration;

use super::background::{Background, BackgroundError, Located};
use crate::{
    AcquireError, ExtendError, FencingToken, Guard, LeaseHandle, LossCause, Lost, NodeSet, ReleaseOutcome, Resource,
    Votes,
};

/// The lock of one resource for threads of any number of processes, as [`std::sync::Mutex`] is for the threads of one.
///
/// It contains no value: the data lies elsewhere, and the program that keeps it should check the
/// [token](MutexGuard::token). Threads that share a locker wait in order.
#[derive(Clone)]
pub struct Mutex {
    locker: Located,
    resource: Resource,
    nodes: usize,
}

impl Mutex {
    pub(super) fn new(locker: Located, resource: Resource) -> Self {
        let nodes = locker.redlock.addresses().len();
        Self { locker, resource, nodes }
    }

    /// What is locked.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }

    /// One attempt; ends as soon as [`Redlock::try_acquire`](crate::Redlock::try_acquire).
    ///
    /// # Errors
    ///
    /// [`AcquireError`], with the vote of every node. In a fork [`AcquireError::NoQuorum`] whose votes say so.
    pub fn try_lock(&self) -> Result<MutexGuard, AcquireError> {
        self.lock_within(Duration::ZERO)
    }

    /// Blocks until the lease is acquired or the configured wait ([`Builder::wait_max`](crate::Builder::wait_max)) has
    /// passed; ends as soon as [`Redlock::acquire`](crate::Redlock::acquire).
    ///
    /// # Errors
    ///
    /// As [`Mutex::try_lock`].
    pub fn lock(&self) -> Result<MutexGuard, AcquireError> {
        let (redlock, resource) = (self.locker.redlock.clone(), self.resource.clone());
        self.run(async move { redlock.acquire(resource).await })
    }

    /// As [`Mutex::lock`], with a wait of its own.
    ///
    /// # Errors
    ///
    /// As [`Mutex::try_lock`].
    pub fn lock_within(&self, wait_max: Duration) -> Result<MutexGuard, AcquireError> {
        let (redlock, resource) = (self.locker.redlock.clone(), self.resource.clone());
        self.run(async move { redlock.acquire_within(resource, wait_max).await })
    }

    /// Runs `body` on this thread while the resource is held, and releases the resource afterwards, also if `body` panics.
    /// Loss of the lease does not interrupt the body: let it call [`MutexGuard::check`] before each side effect.
    ///
    /// # Errors
    ///
    /// As [`Mutex::try_lock`]; then `body` never ran.
    pub fn scope<T>(&self, body: impl FnOnce(&MutexGuard) -> T) -> Result<T, AcquireError> {
        let guard = self.lock()?;
        Ok(body(&guard))
    }

    fn run(
        &self,
        acquired: impl Future<Output = Result<Guard, AcquireError>> + Send + 'static,
    ) -> Result<MutexGuard, AcquireError> {
        let (nodes, background) = (self.nodes, self.locker.background.clone());
        let guard = background.run(acquired).map_err(|stopped| AcquireError::NoQuorum {
            votes: closed(nodes, &stopped),
            attempts: 0,
            waited: Duration::ZERO,
        })??;
        Ok(MutexGuard { lease: guard.handle(), guard: Some(guard), nodes, background })
    }
}

impl fmt::Debug for Mutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mutex").field(&self.resource).finish()
    }
}

/// A held lease. The background thread renews it unless configured otherwise. It is released when it goes out of scope.
///
/// Dropping it blocks until a quorum has released it, for one node timeout at most.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct MutexGuard {
    lease: LeaseHandle,
    /// The background thread releases it; in a fork it is not released.
    guard: Option<Guard>,
    nodes: usize,
    background: Background,
}

impl MutexGuard {
    /// The fencing token: pass it with every write. It is the same for the whole life of the lease.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.lease.token()
    }

    /// What is held.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        self.lease.resource()
    }

    /// Fails once the lease is over. Cheap: no network, no other thread. Call it before each side effect.
    ///
    /// # Errors
    ///
    /// [`Lost`] with the cause.
    pub fn check(&self) -> Result<(), Lost> {
        // A fork touches nothing of its parent's: another thread of the parent may have had it locked.
        if self.background.is_forked() { Err(Lost { cause: LossCause::Forked }) } else { self.lease.check() }
    }

    /// Why the lease is over; `None` as long as it may be relied on.
    #[must_use]
    pub fn lost(&self) -> Option<LossCause> {
        self.check().err().map(|lost| lost.cause)
    }

    /// The validity that is left; `None` once the lease is over.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        if self.background.is_forked() { None } else { self.lease.valid_for() }
    }

    /// Extends the lease by a full time to live from now. Seldom needed: guards renew themselves. Ends within a node timeout.
    ///
    /// # Errors
    ///
    /// As [`LeaseHandle::extend`]; in a fork the lease is lost.
    pub fn extend(&self) -> Result<(), ExtendError> {
        self.check()?;
        let lease = self.lease.clone();
        let extended = self.background.run(async move { lease.extend().await });
        extended.unwrap_or_else(|stopped| Err(ExtendError::NoQuorum { votes: closed(self.nodes, &stopped) }))
    }

    /// Releases the lease and returns what the nodes said, as [`Guard::release`]. Dropping the guard does the same and
    /// discards the outcome. A fork releases nothing, and its outcome is [`ReleaseOutcome::Unknown`].
    pub fn release(mut self) -> ReleaseOutcome {
        self.give_back().unwrap_or(ReleaseOutcome::Unknown { nodes: NodeSet::default(), faults: Vec::new() })
    }

    fn give_back(&mut self) -> Option<ReleaseOutcome> {
        let guard = self.guard.take()?;
        if self.background.is_forked() {
            // It is the parent's: another thread of the parent may have had it locked.
            std::mem::forget(guard);
            return None;
        }
        self.background.run(async move { guard.release().await }).ok()
    }
}

impl Drop for MutexGuard {
    fn drop(&mut self) {
        drop(self.give_back());
    }
}

impl fmt::Debug for MutexGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resource, token) = (self.resource(), self.token());
        f.debug_struct("MutexGuard").field("resource", resource).field("token", &token).finish_non_exhaustive()
    }
}

/// The votes when no node is asked.
fn closed(nodes: usize, stopped: &BackgroundError) -> Votes {
    Votes::closed(nodes, &stopped.to_string())
}
