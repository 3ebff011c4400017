//! [`Case`]: what the checks examine.

use std::time::Duration;

use super::facts::Facts;
use super::finding::{Finding, Outcome};
use crate::NodeStatus;
use crate::protocol::Fault;

/// What the locker's settings say, beside what the servers report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) node_timeout: Duration,
    pub(crate) drift_ppm: u32,
    pub(crate) durable: bool,
    pub(crate) needed: usize,
}

/// What the checks examine: the facts of every node, in order, and what the locker knows of the nodes.
pub(crate) struct Case {
    pub(crate) expected: Expected,
    pub(crate) nodes: Vec<NodeStatus>,
    pub(crate) facts: Vec<Result<Facts, Fault>>,
    /// The counter of one slot, the same slot on each node; `None` if the node did not report it.
    pub(crate) counters: Vec<Option<u64>>,
    pub(crate) canary: Result<Duration, CanaryFailure>,
}

/// Why the doctor's own lease failed.
pub(crate) struct CanaryFailure {
    pub(crate) what: String,
    pub(crate) cause: Cause,
}

/// The kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Too few nodes answered for a quorum.
    NoQuorum,
    /// Another doctor holds the lock at this moment.
    Contended,
    /// Any other cause.
    Other,
}

impl Case {
    /// One finding for each node that answered. The check `reach` reports the others.
    pub(super) fn each(&self, check: &'static str, outcome: impl Fn(&Facts) -> Outcome) -> Vec<Finding> {
        let reached = self.nodes.iter().zip(&self.facts).filter_map(|(node, facts)| Some((node, facts.as_ref().ok()?)));
        reached
            .map(|(node, facts)| Finding { check, node: Some(node.address.clone()), outcome: outcome(facts) })
            .collect()
    }
}
