//! [`WakeListener`]: takes in what a node tells a locker that waits.

use std::time::Duration;

use crate::{NodeId, Resource};

/// Takes in wakes. Called from any thread that a node learns of a release on, and must not block.
pub trait WakeListener: Send + Sync {
    /// The lock of `resource` on `node` is reserved for this locker; or, after so long, its reservation for another ends.
    fn woken(&self, node: NodeId, resource: &Resource, after: Duration);

    /// Whether wakes of `node` come in: not where the user may not subscribe or publish.
    fn receives_wakes(&self, node: NodeId, receives: bool);
}
