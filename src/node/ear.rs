//! [`Ear`]: who is told that a lock was released.

use crate::{HolderId, NodeId, Resource};

/// Takes in notices. Called from whatever thread a node learns of a release on, and must not block.
pub trait Ear: Send + Sync {
    /// `holder` released the lock of `resource` on `node` a moment ago. It may be taken again already.
    fn freed(&self, node: NodeId, resource: &Resource, holder: HolderId);
}
