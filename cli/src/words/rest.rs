//! [`Rest`]: the message if no lock can be acquired because too many nodes rest.

use std::time::Duration;

use redfence::protocol::Reason;
use redfence::{NodeCondition, NodeId, NodeSet, NodeStatus, Redlock};

use super::node;

/// No lock can be acquired: with the nodes that rest there is no quorum.
pub(crate) struct Rest {
    resting: usize,
    nodes: usize,
    /// `, among them the anchor`, if it rests.
    anchor: &'static str,
    /// The time until all of them take part.
    pub(crate) left: Duration,
    /// Whether none of them has a record.
    is_new: bool,
    /// The nodes without an answer, if none of the others has a record: if these nodes have none either, the
    /// installation is new.
    silent: Vec<String>,
}

impl Rest {
    pub(crate) fn of(redlock: &Redlock) -> Option<Self> {
        let nodes = redlock.nodes();
        if !node::wrong_clocks(&nodes).is_empty() {
            // A wait does not help, and the faults of the nodes say why.
            return None;
        }
        let quorum = redlock.quorum();
        let are_resting: NodeSet =
            NodeId::all(nodes.len()).zip(&nodes).filter(|(_, node)| rests(node)).map(|(id, _)| id).collect();
        let has_anchor = quorum.anchor().is_some_and(|anchor| are_resting.contains(anchor));
        let resting: Vec<_> = nodes.iter().filter(|node| rests(node)).collect();
        let is_blank = |node: &&&NodeStatus| matches!(node.rests_because, Some(Reason::New | Reason::Forgot));
        let silent = nodes.iter().filter(|node| node.last_fault.is_some());
        let may_be_new = resting.iter().filter(is_blank).count() + silent.clone().count() == nodes.len();
        quorum.is_blocked_by(are_resting).then(|| Self {
            resting: resting.len(),
            nodes: nodes.len(),
            anchor: if has_anchor { ", among them the anchor" } else { "" },
            left: resting.iter().filter_map(|node| node.rests_for).max().unwrap_or_default(),
            is_new: resting.iter().all(|node| node.rests_because == Some(Reason::New)),
            silent: silent.filter(|_| may_be_new).map(|node| node.address.clone()).collect(),
        })
    }

    /// One short paragraph with one next step.
    pub(crate) fn story(&self) -> String {
        let Self { resting, nodes, anchor, left, is_new, silent } = self;
        let left = node::seconds_up(*left);
        if *is_new {
            return format!(
                "{resting} of {nodes} nodes rest{anchor}: they started a short time ago, remember nothing and may have forgotten \
                 locks. They take part in {left}. If they are new, and no process holds a lock, run `redfence bootstrap`"
            );
        }
        if !silent.is_empty() {
            return format!(
                "{resting} of {nodes} nodes rest{anchor}: they remember nothing and may have forgotten locks. They take part in \
                 {left}. If all nodes are new, and no process holds a lock, start {} and run `redfence bootstrap`",
                silent.join(" and ")
            );
        }
        format!(
            "{resting} of {nodes} nodes rest{anchor}: they may have forgotten locks. Wait, they take part in {left}"
        )
    }

    /// The hint that a wait of this length ends before the rest, if it does.
    pub(crate) fn hint(&self, wait: Duration) -> String {
        if self.left <= wait {
            return String::new();
        }
        let enough = node::seconds_up(self.left + Duration::from_secs(1));
        format!(". This wait ends earlier: use --wait {}", enough.replace(' ', ""))
    }

    /// A short form, for users who have read the story.
    pub(crate) fn in_short(&self) -> String {
        let Self { resting, nodes, anchor, left, .. } = self;
        format!("{resting} of {nodes} nodes rest{anchor}, they take part in {}", node::seconds_up(*left))
    }
}

/// Whether the node answers, but may have forgotten locks.
pub(crate) fn rests(node: &NodeStatus) -> bool {
    node.condition == NodeCondition::Resting && node.last_fault.is_none()
}
