//! Nodes that do not take part, said once a command.

use std::time::Duration;

use redfence::protocol::Reason;
use redfence::{NodeCondition, NodeStatus, Redlock};
use serde::Serialize;

use super::{ms, node};
use crate::output::Output;

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

/// Says which nodes did not take part, when it was done without them: the next failure may be one too many.
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

/// Says that a wait begins for nodes that rest, and what to do; returns whether there are so many.
pub(super) fn note_rest(redlock: &Redlock, output: Output) -> bool {
    let Some(rest) = Rest::of(redlock) else { return false };
    let nodes = redlock.nodes();
    let nodes = nodes.iter().filter(|node| rests(node)).map(of).collect();
    output.event(&Event::Resting { nodes, takes_part_in_ms: ms(rest.left) });
    output.note(&format!("waiting: {}", rest.story()));
    true
}

/// So many nodes rest that nobody can acquire.
pub(crate) struct Rest {
    resting: usize,
    nodes: usize,
    /// Until all of them take part.
    left: Duration,
    /// None of them remembers anything.
    is_new: bool,
}

impl Rest {
    pub(crate) fn of(redlock: &Redlock) -> Option<Self> {
        let nodes = redlock.nodes();
        if !node::wrong_clocks(&nodes).is_empty() {
            // Waiting does not help, and the nodes say why.
            return None;
        }
        let resting: Vec<_> = nodes.iter().filter(|node| rests(node)).collect();
        let blocking = nodes.len() - (nodes.len() / 2 + 1) + 1;
        (resting.len() >= blocking).then(|| Self {
            resting: resting.len(),
            nodes: nodes.len(),
            left: resting.iter().filter_map(|node| node.rests_for).max().unwrap_or_default(),
            is_new: resting.iter().all(|node| node.rests_because == Some(Reason::New)),
        })
    }

    /// In one short paragraph with one next step.
    pub(crate) fn story(&self) -> String {
        let Self { resting, nodes, left, is_new } = self;
        let left = node::seconds_up(*left);
        if *is_new {
            return format!(
                "{resting} of {nodes} nodes rest: they started a short time ago, remember nothing and may have forgotten \
                 locks. They take part in {left}. If they are new, and nobody holds anything, run `redfence found`"
            );
        }
        format!("{resting} of {nodes} nodes rest: they may have forgotten locks. Wait, they take part in {left}")
    }

    /// In half a line, for one who has read the story.
    pub(crate) fn in_short(&self) -> String {
        let Self { resting, nodes, left, .. } = self;
        format!("{resting} of {nodes} nodes rest, they take part in {}", node::seconds_up(*left))
    }
}

fn rests(node: &NodeStatus) -> bool {
    node.condition == NodeCondition::Resting && node.last_fault.is_none()
}

fn is_out(node: &NodeStatus) -> bool {
    node.last_fault.is_some() || rests(node)
}

fn of(status: &NodeStatus) -> Node<'_> {
    Node { address: &status.address, stands: node::standing(status) }
}
