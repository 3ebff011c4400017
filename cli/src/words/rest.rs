//! [`Rest`]: the message if so many nodes rest that no lock can be acquired.

use std::time::Duration;

use redfence::protocol::Reason;
use redfence::{NodeCondition, NodeStatus, Redlock};

use super::node;

/// So many nodes rest that no lock can be acquired.
pub(crate) struct Rest {
    resting: usize,
    nodes: usize,
    /// The time until all of them take part.
    pub(crate) left: Duration,
    /// Whether none of them has a record.
    is_new: bool,
}

impl Rest {
    pub(crate) fn of(redlock: &Redlock) -> Option<Self> {
        let nodes = redlock.nodes();
        if !node::wrong_clocks(&nodes).is_empty() {
            // A wait does not help, and the faults of the nodes say why.
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

    /// One short paragraph with one next step.
    pub(crate) fn story(&self) -> String {
        let Self { resting, nodes, left, is_new } = self;
        let left = node::seconds_up(*left);
        if *is_new {
            return format!(
                "{resting} of {nodes} nodes rest: they started a short time ago, remember nothing and may have forgotten \
                 locks. They take part in {left}. If they are new, and no process holds a lock, run `redfence bootstrap`"
            );
        }
        format!("{resting} of {nodes} nodes rest: they may have forgotten locks. Wait, they take part in {left}")
    }

    /// A short form, for users who have read the story.
    pub(crate) fn in_short(&self) -> String {
        let Self { resting, nodes, left, .. } = self;
        format!("{resting} of {nodes} nodes rest, they take part in {}", node::seconds_up(*left))
    }
}

/// Whether the node answers, but may have forgotten locks.
pub(crate) fn rests(node: &NodeStatus) -> bool {
    node.condition == NodeCondition::Resting && node.last_fault.is_none()
}
