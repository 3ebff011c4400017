//! [`MultiGuard`]: the leases of several resources as one.

use std::fmt;
use std::future::pending;
use std::ops::Deref;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{join_all, try_join_all};
use futures::stream::FuturesUnordered;

use crate::{ExtendError, FencingToken, Guard, LeaseHandle, LossCause, ReleaseOutcome, Resource};

/// The leases of several resources, held as one: the loss of a part is the loss of all.
///
/// Each part has a token of its own and renews itself, as any guard. A multi-guard dereferences to [`MultiHandle`], which has
/// everything that a holder needs. Dropping this drops all parts, in the reverse order of their names; prefer
/// [`MultiGuard::release`], as for a [`Guard`].
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct MultiGuard {
    /// In the order of their names.
    parts: Vec<Guard>,
    handle: MultiHandle,
}

/// A view of the parts of a [`MultiGuard`] for other tasks. It does not keep the leases alive.
#[derive(Debug, Clone)]
pub struct MultiHandle {
    /// In the order of their names.
    parts: Vec<LeaseHandle>,
}

/// A part of a [`MultiGuard`] is lost, and so the whole is: the program must no longer touch anything that it protected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease of {resource} is lost, and so the whole is: {cause}")]
#[non_exhaustive]
pub struct PartLost {
    /// The part.
    pub resource: Resource,
    /// Why.
    pub cause: LossCause,
}

impl MultiGuard {
    /// The most parts.
    pub const PARTS_MAX: usize = 128;

    pub(super) const fn new() -> Self {
        Self { parts: Vec::new(), handle: MultiHandle { parts: Vec::new() } }
    }

    pub(super) fn push(&mut self, part: Guard) {
        self.handle.parts.push(part.handle());
        self.parts.push(part);
    }

    /// A view of the parts for other tasks. It does not keep the leases alive.
    #[must_use]
    pub fn handle(&self) -> MultiHandle {
        self.handle.clone()
    }

    /// Releases all parts, all at once and the last name first, and returns the outcome of each in that order. Ends as soon
    /// as [`Guard::release`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future releases all the same, and loses only the outcomes.
    pub async fn release(mut self) -> Vec<(Resource, ReleaseOutcome)> {
        let parts = std::mem::take(&mut self.parts).into_iter().rev();
        let released = parts.map(async |part| (part.resource().clone(), part.release().await));
        join_all(released).await
    }
}

impl MultiHandle {
    /// A view of each part, in the order of their names.
    pub fn parts(&self) -> impl Iterator<Item = &LeaseHandle> {
        self.parts.iter()
    }

    /// The token for writes to `resource`; `None` if it is no part.
    #[must_use]
    pub fn token(&self, resource: &str) -> Option<FencingToken> {
        self.parts().find(|part| part.resource().as_str() == resource).map(LeaseHandle::token)
    }

    /// Fails once a part is over. Cheap: no network, no await. Call it before each side effect.
    ///
    /// # Errors
    ///
    /// [`PartLost`] with the part and the cause.
    pub fn check(&self) -> Result<(), PartLost> {
        self.parts().try_for_each(|part| part.check().map_err(|lost| lost_part(part, lost.cause)))
    }

    /// The validity that is left of the part that ends first; `None` once a part is over.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        self.parts().map(LeaseHandle::valid_for).min().flatten()
    }

    /// Completes when a part is over, with the part and the cause; as [`LeaseHandle::lost`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing; a new call gives the same answer.
    pub async fn lost(&self) -> PartLost {
        let mut parts: FuturesUnordered<_> =
            self.parts().map(async |part| lost_part(part, part.lost().await)).collect();
        match parts.next().await {
            Some(lost) => lost,
            None => pending().await,
        }
    }

    /// Extends all parts by a full time to live from now, at once. Seldom needed: parts renew themselves.
    ///
    /// # Errors
    ///
    /// That of the first part that was not extended, as [`LeaseHandle::extend`]; others may have been.
    ///
    /// # Cancel safety
    ///
    /// As [`LeaseHandle::extend`].
    pub async fn extend(&self) -> Result<(), ExtendError> {
        try_join_all(self.parts().map(LeaseHandle::extend)).await.map(drop)
    }
}

fn lost_part(part: &LeaseHandle, cause: LossCause) -> PartLost {
    PartLost { resource: part.resource().clone(), cause }
}

impl Deref for MultiGuard {
    type Target = MultiHandle;

    fn deref(&self) -> &MultiHandle {
        &self.handle
    }
}

impl Drop for MultiGuard {
    fn drop(&mut self) {
        while let Some(last) = self.parts.pop() {
            drop(last);
        }
    }
}

impl fmt::Debug for MultiGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MultiGuard").field(&self.parts).finish()
    }
}
