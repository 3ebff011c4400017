//! Acquiring several resources at once: all of them or none.

use std::time::Duration;

use futures::future::join_all;

use super::multi_guard::{MultiGuard, PartLost};
use super::wait::Wait;
use crate::{AcquireError, ExtendError, FencingToken, Redlock, Resource, ResourceError};

/// Why the resources were not all acquired. Then none is held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireAllError {
    /// No resource was named.
    #[error("no resource was named: name at least one")]
    Empty,
    /// More resources than one call may name.
    #[error("{count} resources are too many: at most {most} at once", most = MultiGuard::PARTS_MAX)]
    TooMany {
        /// How many were named.
        count: usize,
    },
    /// A name cannot be used.
    #[error("resource {position}: {reason}")]
    Resource {
        /// Which of them, from 1.
        position: usize,
        /// What is wrong with it.
        reason: ResourceError,
    },
    /// A resource was named twice: its second lease would wait for the first.
    #[error("{0} was named twice: name each resource once")]
    Duplicate(Resource),
    /// One of them was not acquired. The others have been released.
    #[error("{resource} was not acquired: {error}")]
    Acquire {
        /// Which.
        resource: Resource,
        /// Why.
        #[source]
        error: Box<AcquireError>,
    },
    /// One was acquired, and was lost while the call waited for the others. The others have been released.
    #[error(transparent)]
    Lost(#[from] PartLost),
    /// After the wait for the others, one had too little validity left and could not be extended. All have been released.
    #[error("too little validity is left of {resource} after the wait for the others: {error}")]
    Extend {
        /// Which.
        resource: Resource,
        /// Why it was not extended.
        #[source]
        error: ExtendError,
    },
}

impl Redlock {
    /// Acquires all of `resources` or none, with one attempt for each.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// # Errors
    ///
    /// [`AcquireAllError`] with the resource that was not acquired.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any point releases the leases that were acquired, and rolls back the attempt that was under way.
    pub async fn try_acquire_all<I>(&self, resources: I) -> Result<MultiGuard, AcquireAllError>
    where
        I: IntoIterator<Item: TryInto<Resource, Error: Into<ResourceError>>>,
    {
        self.acquire_all_within(resources, Duration::ZERO).await
    }

    /// Acquires all of `resources` or none. The configured wait ([`Builder::wait_max`](crate::Builder::wait_max)) is for all
    /// of them together.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// The call acquires them one after the other **in the order of their names**, whatever the order of the arguments. So
    /// such calls never wait for each other in a circle. A task that already holds a resource and then acquires others does not
    /// keep to that order, and can deadlock until its wait is over: name all resources in one call.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
    /// let both = redlock.acquire_all(["account:7", "account:2"]).await?;
    /// both.check()?; // fails as soon as one of the two is lost
    /// let (from, to) = (both.token("account:7"), both.token("account:2")); // each write carries its resource's token
    /// assert!(from.is_some() && to.is_some());
    /// drop(both.release().await);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AcquireAllError`] with the resource that was not acquired.
    ///
    /// # Cancel safety
    ///
    /// As [`Redlock::try_acquire_all`].
    pub async fn acquire_all<I>(&self, resources: I) -> Result<MultiGuard, AcquireAllError>
    where
        I: IntoIterator<Item: TryInto<Resource, Error: Into<ResourceError>>>,
    {
        self.acquire_all_within(resources, self.wait_max()).await
    }

    /// As [`Redlock::acquire_all`], with a wait of its own: the last attempt for the last resource begins when `wait_max` has
    /// passed at the latest.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// # Errors
    ///
    /// [`AcquireAllError`] with the resource that was not acquired.
    ///
    /// # Cancel safety
    ///
    /// As [`Redlock::try_acquire_all`].
    pub async fn acquire_all_within<I>(&self, resources: I, wait_max: Duration) -> Result<MultiGuard, AcquireAllError>
    where
        I: IntoIterator<Item: TryInto<Resource, Error: Into<ResourceError>>>,
    {
        let resources = in_order(resources)?;
        let mut parts = MultiGuard::new();
        match fill(&mut parts, self, resources, &Wait::begin(self, wait_max)).await {
            Ok(()) => Ok(parts),
            Err(error) => {
                drop(parts.release().await);
                Err(error)
            }
        }
    }
}

/// The order in which every call acquires: that of the names.
fn in_order<I>(resources: I) -> Result<Vec<Resource>, AcquireAllError>
where
    I: IntoIterator<Item: TryInto<Resource, Error: Into<ResourceError>>>,
{
    let mut named = Vec::new();
    let mut resources = resources.into_iter();
    for (at, resource) in resources.by_ref().take(MultiGuard::PARTS_MAX).enumerate() {
        let unusable = |reason| AcquireAllError::Resource { position: at + 1, reason };
        named.push(resource.try_into().map_err(|error| unusable(error.into()))?);
    }
    if resources.next().is_some() {
        let rest = resources.size_hint().0;
        return Err(AcquireAllError::TooMany { count: MultiGuard::PARTS_MAX.saturating_add(1).saturating_add(rest) });
    }
    named.sort_unstable();
    let twice = named.iter().zip(named.iter().skip(1)).find(|(one, next)| one == next);
    match (twice, named.is_empty()) {
        (Some((one, _)), _) => Err(AcquireAllError::Duplicate(one.clone())),
        (None, true) => Err(AcquireAllError::Empty),
        (None, false) => Ok(named),
    }
}

/// Acquires `resources` in their order.
async fn fill(
    parts: &mut MultiGuard,
    redlock: &Redlock,
    resources: Vec<Resource>,
    wait: &Wait<'_>,
) -> Result<(), AcquireAllError> {
    for resource in resources {
        add(parts, redlock, &resource, wait).await?;
    }
    refresh(parts, redlock).await
}

/// Acquires one more part; fails as soon as one of the others is lost.
pub(super) async fn add(
    parts: &mut MultiGuard,
    redlock: &Redlock,
    resource: &Resource,
    wait: &Wait<'_>,
) -> Result<FencingToken, AcquireAllError> {
    let part = tokio::select! {
        biased;
        lost = parts.lost() => return Err(lost.into()),
        acquired = redlock.acquire_within(resource, wait.left()) => {
            acquired.map_err(|error| AcquireAllError::Acquire { resource: resource.clone(), error: error.into() })?
        }
    };
    let token = part.token();
    parts.push(part);
    Ok(token)
}

/// Extends the parts whose validity has become too little while the call waited for the others.
pub(super) async fn refresh(parts: &MultiGuard, redlock: &Redlock) -> Result<(), AcquireAllError> {
    let is_old = |left: Duration| left < redlock.min_validity();
    let old = parts.parts().filter(|part| part.valid_for().is_none_or(is_old));
    let extended = old.map(async |part| (part.resource().clone(), part.extend().await));
    for (resource, extended) in join_all(extended).await {
        extended.map_err(|error| AcquireAllError::Extend { resource, error })?;
    }
    Ok(parts.check()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_put_in_one_order_and_each_is_named_once() {
        let names = |resources: &[&str]| in_order(resources.iter().copied()).map_err(|error| error.to_string());
        let sorted: Vec<String> = names(&["b", "a", "a1", "B"]).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["B", "a", "a1", "b"]);
        assert_eq!(names(&[]), Err("no resource was named: name at least one".to_owned()));
        assert_eq!(names(&["b", "a", "b"]), Err("b was named twice: name each resource once".to_owned()));
        assert!(names(&["a", ""]).unwrap_err().starts_with("resource 2: a resource name must not be empty"));
        let many = |count: usize| in_order((0..count).map(|at| at.to_string())).map(|all| all.len());
        assert_eq!(many(MultiGuard::PARTS_MAX).unwrap(), MultiGuard::PARTS_MAX);
        assert!(matches!(many(MultiGuard::PARTS_MAX + 3), Err(AcquireAllError::TooMany { count: 131 })));
        // A source without an end is not read to its end.
        assert!(matches!(in_order(std::iter::repeat("a")), Err(AcquireAllError::TooMany { .. })));
    }
}
