//! Notes about nodes that do not take part, one for each command.

use std::time::Duration;

use redfence::{NodeStatus, Redlock};
use serde::Serialize;

use crate::output::Output;
use crate::words::rest::{Rest, rests};
use crate::words::{ms, node};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Degraded { nodes: Vec<Node<'a>> },
    Resting { nodes: Vec<Node<'a>>, takes_part_in_ms: u64 },
}

#[derive(Serialize)]
struct Node<'a> {
    address: &'a str,
    stands: String,
}

/// Notes the nodes that did not take part although the command succeeded: the next failure may be one too many.
pub(super) fn note(redlock: &Redlock, output: Output) {
    let nodes = redlock.nodes();
    let out: Vec<_> = nodes.iter().filter(|node| is_out(node)).map(of).collect();
    if out.is_empty() {
        return;
    }
    let mut alike: Vec<(&str, Vec<&str>)> = Vec::new();
    for Node { address, stands } in &out {
        match alike.iter_mut().find(|(known, _)| known == stands) {
            Some((_, addresses)) => addresses.push(address),
            None => alike.push((stands, vec![address])),
        }
    }
    let stories = alike.iter().map(|(stands, addresses)| format!("{}: {stands}", addresses.join(", ")));
    let stories = stories.collect::<Vec<_>>().join("; ");
    let (count, nodes) = (out.len(), nodes.len());
    let verb = if count == 1 { "does" } else { "do" };
    output.note(&format!("{count} of {nodes} nodes {verb} not take part: {stories}"));
    output.event(&Event::Degraded { nodes: out });
}

/// If too many nodes rest for a lock, notes that the `wait` is for them, and what to do. Returns whether it noted it.
pub(super) fn note_rest(redlock: &Redlock, wait: Duration, output: Output) -> bool {
    let Some(rest) = Rest::of(redlock) else { return false };
    let nodes = redlock.nodes();
    let nodes = nodes.iter().filter(|node| rests(node)).map(of).collect();
    output.event(&Event::Resting { nodes, takes_part_in_ms: ms(rest.left) });
    output.note(&format!("waiting: {}{}", rest.story(), rest.hint(wait)));
    true
}

fn is_out(node: &NodeStatus) -> bool {
    node.last_fault.is_some() || rests(node)
}

fn of(status: &NodeStatus) -> Node<'_> {
    Node { address: &status.address, stands: node::standing(status) }
}
