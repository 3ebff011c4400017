//! Checks a set of nodes, to find faults before they hurt.
//!
//! <div class="warning">
//!
//! **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
//!
//! </div>
//!
//! Every check answers *ok*, *bad* or *could not check, because*. Each check is a pure function in a file of its own.
//! `facts.rs` asks the servers.

mod canary;
mod clock;
mod count;
mod counters;
mod distinct;
mod eviction;
mod examine;
mod facts;
mod foreign;
mod network;
mod permissions;
mod persistence;
mod reach;
mod replicas;
mod resting;
mod role;
mod version;

use std::fmt;
use std::time::Duration;

use facts::Facts;
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub use permissions::minimal_rule;

use crate::{NodeCondition, NodeStatus};

/// The doctor's own resource.
const CANARY: &str = "redfence doctor's canary";

/// One result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The name of the check, one word.
    pub check: &'static str,
    /// The address of the node; `None` if the finding is about the whole set.
    pub node: Option<String>,
    /// The answer.
    pub outcome: Outcome,
}

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// As it should be.
    Ok(String),
    /// Not as it should be.
    Bad {
        /// What is wrong.
        what: String,
        /// What can happen because of it.
        risk: &'static str,
        /// How to correct it.
        fix: &'static str,
    },
    /// The check could not be done.
    Unknown {
        /// Why.
        because: String,
    },
}

/// The results of all checks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The findings, check by check, node by node.
    pub findings: Vec<Finding>,
    /// Whether a quorum of nodes answered and may be asked for locks.
    pub has_quorum: bool,
}

impl Report {
    /// Whether no check found anything bad and a quorum answered.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.has_quorum && !self.bad().any(|_| true)
    }

    /// The findings that are bad.
    pub fn bad(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Bad { .. }))
    }
}

/// Writes the verdict in one line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = self.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Unknown { .. })).count();
        match (self.has_quorum, self.bad().count()) {
            (false, _) => f.write_str("no quorum of nodes takes part")?,
            (true, 0) => f.write_str("healthy")?,
            (true, 1) => f.write_str("1 thing is bad")?,
            (true, bad) => write!(f, "{bad} things are bad")?,
        }
        if unknown > 0 { write!(f, ", {unknown} could not be checked") } else { Ok(()) }
    }
}

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
    pub(crate) facts: Vec<Result<Facts, crate::protocol::Fault>>,
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
    /// Runs every check.
    pub(crate) fn examine(&self) -> Report {
        let checks: [fn(&Self) -> Vec<Finding>; 15] = [
            reach::check,
            count::check,
            distinct::check,
            role::check,
            replicas::check,
            version::check,
            permissions::check,
            eviction::check,
            persistence::check,
            clock::check,
            counters::check,
            foreign::check,
            resting::check,
            network::check,
            canary::check,
        ];
        let can_vote =
            |(node, facts): &(&NodeStatus, &Result<_, _>)| facts.is_ok() && node.condition == NodeCondition::Ready;
        let voters = self.nodes.iter().zip(&self.facts).filter(can_vote).count();
        let canary_found_none = self.canary.as_ref().is_err_and(|sick| sick.cause == Cause::NoQuorum);
        let has_quorum = voters >= self.expected.needed && !canary_found_none;
        Report { findings: checks.iter().flat_map(|check| check(self)).collect(), has_quorum }
    }

    /// One finding for each node that answered. The check `reach` reports the others.
    fn each(&self, check: &'static str, outcome: impl Fn(&Facts) -> Outcome) -> Vec<Finding> {
        let reached = self.nodes.iter().zip(&self.facts).filter_map(|(node, facts)| Some((node, facts.as_ref().ok()?)));
        reached
            .map(|(node, facts)| Finding { check, node: Some(node.address.clone()), outcome: outcome(facts) })
            .collect()
    }
}

/// A finding about the set as a whole.
fn whole(check: &'static str, outcome: Outcome) -> Vec<Finding> {
    vec![Finding { check, node: None, outcome }]
}

fn ok(what: impl Into<String>) -> Outcome {
    Outcome::Ok(what.into())
}

fn unknown(because: impl Into<String>) -> Outcome {
    Outcome::Unknown { because: because.into() }
}
