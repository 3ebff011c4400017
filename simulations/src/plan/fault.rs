//! [`ScheduledFault`]: one thing that goes wrong, at one time. Faults overlap.

use serde::{Deserialize, Serialize};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledFault {
    /// When.
    pub at_ms: u32,
    /// What.
    pub fault: Fault,
}

/// A fault. `client` and `node` say where, and `None` means everywhere; `for_ms` says how long it lasts.
#[expect(missing_docs, reason = "the variants are described, and their fields say no more than their names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Connections break more often.
    Lossy { client: Option<u8>, node: Option<u8>, per_mille: u32, for_ms: u32 },
    /// Messages take longer, and some much longer.
    Slow { client: Option<u8>, node: Option<u8>, extra_ms: u32, tail_ms: u32, for_ms: u32 },
    /// Nothing gets through, and neither end notices. Messages may arrive when the fault ends, long after the sender
    /// gave up.
    Partition { client: Option<u8>, node: Option<u8>, direction: Direction, delivers_after: bool, for_ms: u32 },
    /// The node does nothing; when this ends, it executes the requests that arrived meanwhile.
    Hang { node: u8, for_ms: u32 },
    /// The node ends and is started again.
    Crash { node: u8, down_ms: u32, memory: Memory },
    /// The node takes a snapshot, which [`Memory::Snapshot`] brings back.
    Snapshot { node: u8 },
    /// Everything is deleted on a live node.
    Flush { node: u8 },
    /// The counter of a resource is deleted.
    DropCounter { node: u8, resource: u8 },
    /// The lock of a resource vanishes.
    Evict { node: u8, resource: u8 },
    /// The node has so little memory that every lock vanishes soon after it was taken.
    Evicting { node: u8, after_ms: u32, for_ms: u32 },
    /// The node's wall clock steps.
    NodeClock { node: u8, by_ms: i32 },
    /// The process is paused, including its background tasks. Time goes on.
    Pause { client: u8, for_ms: u32 },
    /// The process dies and another one takes its place.
    Reboot { client: u8, down_ms: u32 },
    /// The client's wall clock steps.
    ClientClock { client: u8, by_ms: i32 },
    /// The protected resource is slow.
    SlowStore { by_ms: u32, for_ms: u32 },
}

/// Which direction is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From client to node.
    ToNode,
    /// From node to client.
    ToClient,
    /// Both.
    Both,
}

/// What a node remembers when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Memory {
    /// Everything.
    Kept,
    /// Nothing: it lost its data, or was replaced by another machine.
    Lost,
    /// The data of the last [`Fault::Snapshot`]; nothing if there was none.
    Snapshot,
}

impl Fault {
    /// No message gets through between a client and a node, and what was sent is lost.
    #[must_use]
    pub const fn partition(client: u8, node: u8, for_ms: u32) -> Self {
        Self::Partition {
            client: Some(client),
            node: Some(node),
            direction: Direction::Both,
            delivers_after: false,
            for_ms,
        }
    }

    /// No message gets through between a client and any node, and what was sent is lost.
    #[must_use]
    pub const fn isolation(client: u8, for_ms: u32) -> Self {
        let (client, node, direction) = (Some(client), None, Direction::Both);
        Self::Partition { client, node, direction, delivers_after: false, for_ms }
    }

    /// How long it lasts; `None` if it is over at once.
    #[must_use]
    pub const fn lasts_ms(&self) -> Option<u32> {
        match *self {
            Self::Lossy { for_ms, .. }
            | Self::Slow { for_ms, .. }
            | Self::Partition { for_ms, .. }
            | Self::Hang { for_ms, .. }
            | Self::Evicting { for_ms, .. }
            | Self::Pause { for_ms, .. }
            | Self::SlowStore { for_ms, .. } => Some(for_ms),
            Self::Crash { down_ms, .. } | Self::Reboot { down_ms, .. } => Some(down_ms),
            Self::Snapshot { .. }
            | Self::Flush { .. }
            | Self::DropCounter { .. }
            | Self::Evict { .. }
            | Self::NodeClock { .. }
            | Self::ClientClock { .. } => None,
        }
    }

    /// Whether it affects `client`.
    #[must_use]
    pub fn concerns_client(&self, client: u8) -> bool {
        match *self {
            Self::Pause { client: one, .. }
            | Self::Reboot { client: one, .. }
            | Self::ClientClock { client: one, .. } => one == client,
            Self::Lossy { client: some, .. }
            | Self::Slow { client: some, .. }
            | Self::Partition { client: some, .. } => some.is_none_or(|one| one == client),
            _ => false,
        }
    }
}
