//! [`WakeListener`]: receives the wakes of a node for a locker that waits.

use std::time::Duration;

use crate::{NodeId, Resource};

/// Receives wakes. It is called on the thread on which the node learns of a release, and must not block.
pub trait WakeListener: Send + Sync {
    /// The lock of `resource` on `node` is reserved for this locker; or, after `after`, its reservation for another
    /// locker ends.
    fn woken(&self, node: NodeId, resource: &Resource, after: Duration);

    /// Whether wakes of `node` arrive. They do not if the user may not subscribe or publish, nor before the server has
    /// confirmed the subscription. Grants that were sent meanwhile joined no queue.
    fn receives_wakes(&self, node: NodeId, receives: bool);
}
