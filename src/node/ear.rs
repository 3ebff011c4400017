//! [`Ear`]: who is told that a lock was released.

use std::sync::Arc;

use crate::protocol::{Reply, Request, Subject};
use crate::{HolderId, NodeId, Resource};

/// Takes in notices. Called from whatever thread a node learns of a release on, and must not block.
pub trait Ear: Send + Sync {
    /// `holder` released the lock of `resource` on `node` a moment ago. It may be taken again already.
    fn freed(&self, node: NodeId, resource: &Resource, holder: HolderId);
}

/// Of which releases among requests that a node did in one step, in this order, those who wait are to be told: a lock that
/// was taken again in the same step is nobody else's business.
pub fn to_tell(turn: &[(Request, Reply)]) -> impl Iterator<Item = &Arc<Subject>> {
    let mut rest = turn.iter();
    std::iter::from_fn(move || {
        let (request, reply) = rest.next()?;
        let again = |(later, reply): &(Request, Reply)| {
            later.subject.resource == request.subject.resource && matches!(reply, Reply::Granted { .. })
        };
        let is_told = *reply == Reply::Released && !rest.as_slice().iter().any(again);
        Some(is_told.then_some(&request.subject))
    })
    .flatten()
}
