//! Faults in words.

use crate::plan::{Direction, Fault, Memory};

/// A fault in a few words, for the picture.
pub(super) const fn short(fault: &Fault) -> &'static str {
    match fault {
        Fault::Lossy { .. } => "lossy",
        Fault::Slow { .. } => "slow",
        Fault::Partition { .. } => "cut off",
        Fault::Hang { .. } => "hangs",
        Fault::Crash { memory: Memory::Kept, .. } => "down",
        Fault::Crash { memory: Memory::Lost, .. } => "down, forgets everything",
        Fault::Crash { memory: Memory::Snapshot, .. } => "down, back from a snapshot",
        Fault::Snapshot { .. } => "snapshot taken",
        Fault::Flush { .. } => "flushed",
        Fault::DropCounter { .. } => "counter deleted",
        Fault::Evict { .. } => "lock evicted",
        Fault::Evicting { .. } => "evicts locks",
        Fault::NodeClock { .. } | Fault::ClientClock { .. } => "wall clock steps",
        Fault::Pause { .. } => "is paused",
        Fault::Reboot { .. } => "dead",
        Fault::SlowStore { .. } => "slow",
    }
}

/// A fault in one sentence.
pub(super) fn long(fault: &Fault) -> String {
    match *fault {
        Fault::Lossy { client, node, per_mille, .. } => {
            format!("connections {} break, at {per_mille} messages in a thousand", between(client, node))
        }
        Fault::Slow { client, node, extra_ms, tail_ms, .. } => {
            format!("messages {} take {extra_ms} ms longer, some {tail_ms} ms", between(client, node))
        }
        Fault::Partition { client, node, direction, delivers_after, .. } => {
            let direction = match direction {
                Direction::ToNode => "requests",
                Direction::ToClient => "replies",
                Direction::Both => "messages",
            };
            let then = if delivers_after { "the messages arrive afterwards" } else { "the messages are lost" };
            format!("no {direction} get through {}, and neither end notices; {then}", between(client, node))
        }
        Fault::Hang { node, .. } => format!("node {node} does nothing, and handles requests later"),
        Fault::Crash { node, memory, .. } => {
            let remembers = match memory {
                Memory::Kept => "everything",
                Memory::Lost => "nothing",
                Memory::Snapshot => "the data of its last snapshot",
            };
            format!("node {node} ends, starts again and remembers {remembers}")
        }
        Fault::Snapshot { node } => format!("node {node} takes a snapshot"),
        Fault::Flush { node } => format!("everything is deleted on node {node}"),
        Fault::DropCounter { node, resource } => {
            format!("the counter of resource {resource} is deleted on node {node}")
        }
        Fault::Evict { node, resource } => format!("the lock of resource {resource} vanishes on node {node}"),
        Fault::Evicting { node, after_ms, .. } => format!("locks vanish from node {node} after {after_ms} ms"),
        Fault::NodeClock { node, by_ms } => format!("the wall clock of node {node} steps by {by_ms:+} ms"),
        Fault::Pause { client, .. } => format!("client {client} is paused with all its tasks"),
        Fault::Reboot { client, .. } => format!("the process of client {client} dies, and a new one replaces it"),
        Fault::ClientClock { client, by_ms } => format!("the wall clock of client {client} steps by {by_ms:+} ms"),
        Fault::SlowStore { by_ms, .. } => format!("the protected resources take {by_ms} ms longer"),
    }
}

fn between(client: Option<u8>, node: Option<u8>) -> String {
    let client = client.map_or_else(|| "all clients".to_owned(), |client| format!("client {client}"));
    let node = node.map_or_else(|| "all nodes".to_owned(), |node| format!("node {node}"));
    format!("between {client} and {node}")
}
