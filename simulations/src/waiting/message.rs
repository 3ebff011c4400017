//! Messages between a process and a node.

use redfence::protocol::{Next, Reply, Waits};

/// On its way to a node. Attempts are distinguished by their names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ToNode {
    Grant(usize, Option<Waits>),
    Release(usize, Next),
    Leave,
    /// The connection ends.
    End,
}

/// On its way to a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ToProcess {
    /// The reply to the grant of an attempt.
    Reply(usize, Reply),
    /// The lock is reserved for it now; or will be free when the reservation of another ends.
    Wake { now: bool },
}
