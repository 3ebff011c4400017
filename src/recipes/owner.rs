//! The owner of a resource: the holder that a quorum names.

use crate::admin::{Agreement, Inspection, Row};
use crate::{Holder, Occupant, Redlock, Resource, ResourceError};

/// Why the owner of a resource is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerError {
    /// The name of the resource cannot be used.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// It is held by another program, with a value that is no holder of this library.
    #[error("it is held by another program, with the value {0}")]
    Foreign(Occupant),
    /// No quorum agrees: too few nodes answered or take part, or the lock is passing from one holder to another. Ask again.
    #[error(
        "no {needed} of {nodes} nodes agree: {held} have a lock, {free} have none, {silent} did not answer or may have forgotten one"
    )]
    Undecided {
        /// How many nodes there are.
        nodes: usize,
        /// How many must agree.
        needed: usize,
        /// How many have a lock, for different holders or for one without a quorum.
        held: usize,
        /// How many take part and have no lock.
        free: usize,
        /// How many did not answer, or may have forgotten a lock.
        silent: usize,
    },
}

impl Redlock {
    /// The holder of `resource` that a quorum names; `None` if on a quorum no holder has the lock. Any process may ask. It
    /// changes nothing, and the answer may be out of date when it arrives. [`Admin::inspect`](crate::admin::Admin::inspect)
    /// has the answer of each node.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let redlock = Redlock::builder().node(EmbeddedNode::new()).label("worker-7").build()?;
    /// assert!(!redlock.is_locked("invoice:42").await?);
    /// let guard = redlock.acquire("invoice:42").await?;
    /// let owner = redlock.owner("invoice:42").await?;
    /// assert_eq!(owner.as_ref(), Some(guard.holder()));
    /// assert_eq!(owner.map(|owner| owner.label().to_string()), Some("worker-7".to_owned()));
    /// # drop(guard.release().await); Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`OwnerError::Undecided`] if no quorum agrees, [`OwnerError::Foreign`] if another program holds it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn owner(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
    ) -> Result<Option<Holder>, OwnerError> {
        match agreed(&self.admin().inspect(resource).await?)? {
            Some(Occupant::Holder(holder)) => Ok(Some(holder)),
            Some(foreign) => Err(OwnerError::Foreign(foreign)),
            None => Ok(None),
        }
    }

    /// Whether `resource` is held, by a holder of this library or by another program; as [`Redlock::owner`].
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// # Errors
    ///
    /// [`OwnerError::Undecided`] if no quorum agrees.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn is_locked(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
    ) -> Result<bool, OwnerError> {
        Ok(agreed(&self.admin().inspect(resource).await?)?.is_some())
    }
}

/// What a quorum has at the lock's key; `None` if a quorum has nothing.
fn agreed(inspection: &Inspection) -> Result<Option<Occupant>, OwnerError> {
    match inspection.agreement() {
        Agreement::HeldBy(occupant) => Ok(Some(occupant)),
        Agreement::Free => Ok(None),
        Agreement::Indeterminate => {
            let (nodes, needed) = (inspection.rows.len(), inspection.needed);
            let (held, free) = (inspection.count(Row::is_held), inspection.count(Row::is_free));
            Err(OwnerError::Undecided { nodes, needed, held, free, silent: nodes.saturating_sub(held + free) })
        }
    }
}
