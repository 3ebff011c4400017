//! [`Semaphore`]: at most K holders at a time.

use std::fmt;
use std::time::Duration;

use futures::future::{join_all, select_ok};

use super::wait::Wait;
use crate::admin::Agreement;
use crate::{AcquireError, Guard, Redlock, Resource, ResourceError};

/// At most K holders of a resource at a time, each with a permit: a lease of its own, on `name#1` to `name#K`.
///
/// A permit is an ordinary [`Guard`], with a token. Its [resource](crate::LeaseHandle::resource) says which of the K it is.
/// Tokens are ordered among the holders of one permit, and not across permits: a resource server compares them under the name
/// of the permit. If a holder crashes, its permit is free again after the time to live.
///
/// # Order
///
/// All calls wait in one queue, that of the lock `name#queue`, in the order that any lock has. Only the call that holds this
/// lock asks for permits, and it takes the first that is free. So no call overtakes another, and the calls behind the first
/// cost the nodes as little as those that wait for a lock.
///
/// All processes must use the same K. If they do not, there are as many holders as the greatest K allows.
#[derive(Clone)]
pub struct Semaphore {
    redlock: Redlock,
    queue: Resource,
    permits: Box<[Resource]>,
}

/// Why there is no such semaphore.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SemaphoreError {
    /// The name cannot be used, or it is too long for the names of the permits.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// No permit at all, or too many.
    #[error("a semaphore of {permits} permits is not possible: 1 to {most}", most = Semaphore::PERMITS_MAX)]
    Permits {
        /// How many were asked for.
        permits: usize,
    },
}

/// Why no permit was acquired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PermitError {
    /// All permits are held, or other calls wait before this one. The nodes are well: try later.
    #[error("none of {permits} permits is free, or other calls wait before this one: {error}")]
    AllHeld {
        /// How many there are.
        permits: usize,
        /// Why the last attempt failed.
        #[source]
        error: AcquireError,
    },
    /// Too few nodes granted the lease, for another reason.
    #[error(transparent)]
    Acquire(AcquireError),
}

impl Redlock {
    /// The semaphore `name` with this number of permits. Asks no node.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// # Errors
    ///
    /// [`SemaphoreError`] for a name that cannot be used, or that is longer than [`Resource::LEN_MAX`] with `#queue` behind it,
    /// and for a number of permits that is not between 1 and [`Semaphore::PERMITS_MAX`].
    pub fn semaphore(
        &self,
        name: impl TryInto<Resource, Error: Into<ResourceError>>,
        permits: usize,
    ) -> Result<Semaphore, SemaphoreError> {
        let name: Resource = name.try_into().map_err(Into::into)?;
        if !(1..=Semaphore::PERMITS_MAX).contains(&permits) {
            return Err(SemaphoreError::Permits { permits });
        }
        let queue = Resource::new(format!("{name}#queue"))?;
        let permits: Result<_, _> = (1..=permits).map(|number| Resource::new(format!("{name}#{number}"))).collect();
        Ok(Semaphore { redlock: self.clone(), queue, permits: permits? })
    }
}

impl Semaphore {
    /// The most permits: a call that waits asks the nodes for all of them.
    pub const PERMITS_MAX: usize = 128;

    /// Acquires a permit if one is free. If other calls are before it in the queue, it waits for them for one node timeout.
    ///
    /// # Errors
    ///
    /// [`PermitError`]; [`PermitError::AllHeld`] also if the other calls did not leave the queue in that time.
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    pub async fn try_acquire(&self) -> Result<Guard, PermitError> {
        self.acquire_within(Duration::ZERO).await
    }

    /// Acquires a permit, or waits for one as long as is configured ([`Builder::wait_max`](crate::Builder::wait_max)).
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
    /// let reports = redlock.semaphore("reports", 2)?;
    /// let (one, other) = (reports.acquire().await?, reports.acquire().await?);
    /// assert!(reports.try_acquire().await.is_err());
    /// drop(one.release().await);
    /// let next = reports.acquire().await?;
    /// println!("{} with token {}", next.resource(), next.token()); // reports#1 with token ...
    /// # drop((other.release().await, next.release().await)); Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PermitError`], with the error of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any point leaves the queue, and rolls back the attempts that were under way.
    pub async fn acquire(&self) -> Result<Guard, PermitError> {
        self.acquire_within(self.redlock.wait_max()).await
    }

    /// As [`Semaphore::acquire`], with a wait of its own.
    ///
    /// # Errors
    ///
    /// [`PermitError`], with the error of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    pub async fn acquire_within(&self, wait_max: Duration) -> Result<Guard, PermitError> {
        let wait = Wait::begin(&self.redlock, wait_max);
        // A call that finds a free permit leaves the queue after some round trips, so a call that does not wait for permits waits that long.
        let queue_max = wait_max.max(self.redlock.node_timeout());
        let turn = self.redlock.acquire_within(&self.queue, queue_max).await.map_err(|error| self.error(error))?;
        // If the lease of the queue ends meanwhile, the next call waits for permits as well: behind this one in the queue of each.
        let permit = self.first_free(&wait).await;
        drop(turn.release().await);
        permit.map_err(|error| self.error(error))
    }

    /// The first permit that is free. Only the call that holds the queue's lock acquires permits, so the number of free ones only grows.
    async fn first_free(&self, wait: &Wait<'_>) -> Result<Guard, AcquireError> {
        for permit in self.not_held().await {
            match self.redlock.try_acquire(permit).await {
                Err(error) if error.is_held() => {}
                Err(error) if wait.left().is_zero() => return Err(error),
                Err(_) => break,
                acquired => return acquired,
            }
        }
        let each = self.permits.iter().map(|permit| Box::pin(self.redlock.acquire_within(permit, wait.left())));
        // The first is kept, and dropping the other futures rolls their attempts back.
        select_ok(each).await.map(|(permit, _)| permit)
    }

    /// The permits of which a quorum does not say that they are held; first those of which a quorum says that they are free.
    async fn not_held(&self) -> Vec<&Resource> {
        let views = self.permits.iter().map(async |permit| (permit, self.redlock.admin().inspect(permit).await));
        let agreed = |(permit, view): (_, Result<crate::admin::Inspection, _>)| Some((permit, view.ok()?.agreement()));
        let mut permits: Vec<_> = join_all(views).await.into_iter().filter_map(agreed).collect();
        permits.retain(|(_, agreement)| !matches!(agreement, Agreement::HeldBy(_)));
        permits.sort_by_key(|(_, agreement)| *agreement != Agreement::Free);
        permits.into_iter().map(|(permit, _)| permit).collect()
    }

    fn error(&self, error: AcquireError) -> PermitError {
        match error {
            error if error.is_held() => PermitError::AllHeld { permits: self.permits.len(), error },
            error => PermitError::Acquire(error),
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("queue", &self.queue).field("permits", &self.permits.len()).finish()
    }
}
