//! [`Semaphore`]: at most K holders at a time.

use std::fmt;
use std::time::Duration;

use futures::future::{join_all, select_ok};

use super::wait::Wait;
use crate::admin::Agreement;
use crate::{AcquireError, Guard, Redlock, Resource, ResourceError};

/// At most K holders of a resource at a time, each with a permit: a lease of its own, on `name#1` to `name#K`.
///
/// A permit is a [`Guard`] as any other: renewed, lost, released; it has a token, and its
/// [resource](crate::LeaseHandle::resource) says which of the K it is. Tokens are ordered among the holders of one permit, and
/// not across permits: a resource server compares them under the name of the permit. The permit of a holder that crashes comes
/// back by itself after its time to live.
///
/// # Order
///
/// Calls wait in one queue, in which they are served as those are that wait for a lock: they pass the lock `name#queue` one
/// after the other, and the one that has it waits for whichever permit comes free first. So nobody overtakes those that wait,
/// and a process that waits costs the nodes no more than for a lock.
///
/// All processes must agree on K. Where they differ, the greatest counts.
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
    /// Nobody could ever have a permit, or there are too many.
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
    /// All permits are held, or others wait before this call. The nodes are well: try later.
    #[error("none of {permits} permits was free; the last that was tried: {error}")]
    AllHeld {
        /// How many there are.
        permits: usize,
        /// What became of the last attempt.
        #[source]
        error: AcquireError,
    },
    /// The nodes are the reason.
    #[error(transparent)]
    Acquire(AcquireError),
}

impl Redlock {
    /// The semaphore `name` with so many permits. Asks no node.
    ///
    /// # Errors
    ///
    /// [`SemaphoreError`] for a name that cannot be used, or that is longer than [`Resource::LEN_MAX`] with `#queue` behind it,
    /// and for a number of permits that is not between 1 and [`Semaphore::PERMITS_MAX`].
    pub fn semaphore<R: TryInto<Resource>>(&self, name: R, permits: usize) -> Result<Semaphore, SemaphoreError>
    where
        ResourceError: From<R::Error>,
    {
        let name: Resource = name.try_into().map_err(ResourceError::from)?;
        if !(1..=Semaphore::PERMITS_MAX).contains(&permits) {
            return Err(SemaphoreError::Permits { permits });
        }
        let queue = Resource::new(format!("{name}#queue"))?;
        let permits: Result<_, _> = (1..=permits).map(|number| Resource::new(format!("{name}#{number}"))).collect();
        Ok(Semaphore { redlock: self.clone(), queue, permits: permits? })
    }
}

impl Semaphore {
    /// The most permits: one call at a time asks the nodes for all of them.
    pub const PERMITS_MAX: usize = 128;

    /// Acquires a permit if one is free. While others wait it gives them a node time-out to go before it.
    ///
    /// # Errors
    ///
    /// [`PermitError`]; [`PermitError::AllHeld`] also while others wait.
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
    /// [`PermitError`] with what became of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any point leaves the queue, and rolls back what was asked for.
    pub async fn acquire(&self) -> Result<Guard, PermitError> {
        self.acquire_within(self.redlock.wait_max()).await
    }

    /// As [`Semaphore::acquire`], with a wait of its own.
    ///
    /// # Errors
    ///
    /// [`PermitError`] with what became of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    pub async fn acquire_within(&self, wait_max: Duration) -> Result<Guard, PermitError> {
        let wait = Wait::begin(&self.redlock, wait_max);
        // Calls that find a permit pass in some round trips: they are waited for, also by one that does not wait for permits.
        let queue_max = wait_max.max(self.redlock.node_timeout());
        let turn = self.redlock.acquire_within(&self.queue, queue_max).await.map_err(|error| self.error(error))?;
        // If the lease of the queue ends meanwhile the next call waits for permits, too: behind this one at each of them.
        let permit = self.first_free(&wait).await;
        drop(turn.release().await);
        permit.map_err(|error| self.error(error))
    }

    /// The permit that is free first. For the call whose turn it is: nobody else acquires permits, they only come back.
    async fn first_free(&self, wait: &Wait<'_>) -> Result<Guard, AcquireError> {
        for permit in self.not_held().await {
            match self.redlock.try_acquire(permit).await {
                Err(AcquireError::Contended { .. }) => {}
                Err(error) if wait.left().is_zero() => return Err(error),
                Err(_) => break,
                acquired => return acquired,
            }
        }
        let each = self.permits.iter().map(|permit| Box::pin(self.redlock.acquire_within(permit, wait.left())));
        // The first is kept, and what was asked of the others is rolled back.
        select_ok(each).await.map(|(permit, _)| permit)
    }

    /// The permits that no holder has by the word of a quorum; those that nobody has for certain first.
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
            AcquireError::Contended { .. } => PermitError::AllHeld { permits: self.permits.len(), error },
            error => PermitError::Acquire(error),
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("queue", &self.queue).field("permits", &self.permits.len()).finish()
    }
}
