//! What went wrong, in words for people.

use crate::plan::{Blow, Memory, Way};

/// A fault in a few words, for the picture.
pub(super) const fn short(blow: &Blow) -> &'static str {
    match blow {
        Blow::Lossy { .. } => "lossy",
        Blow::Slow { .. } => "slow",
        Blow::Cut { .. } => "cut off",
        Blow::Hang { .. } => "hangs",
        Blow::Crash { memory: Memory::Kept, .. } => "down",
        Blow::Crash { memory: Memory::Lost, .. } => "down, forgets everything",
        Blow::Crash { memory: Memory::Snapshot, .. } => "down, back from a snapshot",
        Blow::Snapshot { .. } => "snapshot taken",
        Blow::Flush { .. } => "flushed",
        Blow::DropCounter { .. } => "counter deleted",
        Blow::Evict { .. } => "lock evicted",
        Blow::Evicting { .. } => "evicts locks",
        Blow::NodeClock { .. } | Blow::ClientClock { .. } => "wall clock steps",
        Blow::Pause { .. } => "stands still",
        Blow::Reboot { .. } => "dead",
        Blow::SlowStore { .. } => "slow",
    }
}

/// A fault in one sentence.
pub(super) fn long(blow: &Blow) -> String {
    match *blow {
        Blow::Lossy { client, node, per_mille, .. } => {
            format!("connections {} break, at {per_mille} messages in a thousand", between(client, node))
        }
        Blow::Slow { client, node, extra_ms, tail_ms, .. } => {
            format!("messages {} take {extra_ms} ms longer, some {tail_ms} ms", between(client, node))
        }
        Blow::Cut { client, node, way, arrives_after, .. } => {
            let way = match way {
                Way::There => "requests",
                Way::Back => "replies",
                Way::Both => "messages",
            };
            let then = if arrives_after { "what was sent arrives afterwards" } else { "what was sent is lost" };
            format!("no {way} get through {}, and nobody is told; {then}", between(client, node))
        }
        Blow::Hang { node, .. } => format!("node {node} does nothing, and does later what was asked meanwhile"),
        Blow::Crash { node, memory, .. } => {
            let remembers = match memory {
                Memory::Kept => "everything",
                Memory::Lost => "nothing",
                Memory::Snapshot => "what it knew at its last snapshot",
            };
            format!("node {node} ends, starts again and remembers {remembers}")
        }
        Blow::Snapshot { node } => format!("node {node} takes a snapshot"),
        Blow::Flush { node } => format!("everything is deleted on node {node}"),
        Blow::DropCounter { node, resource } => format!("the counter of resource {resource} is deleted on node {node}"),
        Blow::Evict { node, resource } => format!("the lock of resource {resource} vanishes on node {node}"),
        Blow::Evicting { node, after_ms, .. } => format!("locks vanish from node {node} after {after_ms} ms"),
        Blow::NodeClock { node, by_ms } => format!("the wall clock of node {node} steps by {by_ms:+} ms"),
        Blow::Pause { client, .. } => format!("client {client} stands still with all its tasks"),
        Blow::Reboot { client, .. } => format!("the process of client {client} dies, and another one takes its place"),
        Blow::ClientClock { client, by_ms } => format!("the wall clock of client {client} steps by {by_ms:+} ms"),
        Blow::SlowStore { by_ms, .. } => format!("the guarded resources take {by_ms} ms longer"),
    }
}

fn between(client: Option<u8>, node: Option<u8>) -> String {
    let client = client.map_or_else(|| "all clients".to_owned(), |client| format!("client {client}"));
    let node = node.map_or_else(|| "all nodes".to_owned(), |node| format!("node {node}"));
    format!("between {client} and {node}")
}
