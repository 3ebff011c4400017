//! Checks of a set of nodes: what can hurt, before it hurts.
//!
//! Every check answers *ok*, *bad* or *could not check, because*; one file a check. What is asked of the servers is in
//! `facts.rs`; the checks themselves are pure.

mod canary;
mod clock;
mod count;
mod counters;
mod distinct;
mod eviction;
mod examine;
mod facts;
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

pub use facts::Facts;
pub use permissions::minimal_rule;

use crate::{NodeCondition, NodeStatus};

/// The doctor's own resource.
const CANARY: &str = "redfence doctor's canary";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check, one word.
    pub check: &'static str,
    /// The address of the node that it is about; `None` for the set as a whole.
    pub node: Option<String>,
    /// The answer.
    pub outcome: Outcome,
}

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Ok(String),
    /// Not as it should be.
    Bad {
        /// What is wrong.
        what: String,
        /// What can go wrong by it.
        risk: &'static str,
        /// What puts it right.
        fix: &'static str,
    },
    /// It could not be checked.
    Unknown {
        /// Why.
        because: String,
    },
}

/// All findings.
#[derive(Debug, Clone)]
pub struct Report {
    /// The findings, check by check, node by node.
    pub findings: Vec<Finding>,
    /// Whether a quorum of nodes answered and takes part.
    pub has_quorum: bool,
}

impl Report {
    /// Whether nothing bad was found and a quorum answered.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.has_quorum && !self.bad().any(|_| true)
    }

    /// What is bad.
    pub fn bad(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Bad { .. }))
    }
}

/// The verdict in one line.
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

/// What the doctor is told beside what it finds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) node_timeout: Duration,
    pub(crate) drift_ppm: u32,
    pub(crate) durable: bool,
    pub(crate) needed: usize,
}

/// What is examined: the facts of every node, in order, and what the locker knows of them.
pub(crate) struct Case {
    pub(crate) terms: Terms,
    pub(crate) nodes: Vec<NodeStatus>,
    pub(crate) facts: Vec<Result<Facts, crate::protocol::Fault>>,
    /// A counter of each node, where it told one: of the same slot for all.
    pub(crate) counters: Vec<Option<u64>>,
    pub(crate) canary: Result<Duration, Sick>,
}

/// Why the doctor's own lease did not come to be, or did not live on.
pub(crate) struct Sick {
    pub(crate) what: String,
    pub(crate) cause: Cause,
}

/// What kind of reason that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// So few nodes answered that there is no quorum.
    NoQuorum,
    /// Another doctor has the lock at this moment.
    Contended,
    /// Another one.
    Other,
}

impl Case {
    /// Runs every check.
    pub(crate) fn examine(&self) -> Report {
        let checks: [fn(&Self) -> Vec<Finding>; 14] = [
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
            resting::check,
            network::check,
            canary::check,
        ];
        let can_vote =
            |(node, facts): &(&NodeStatus, &Result<_, _>)| facts.is_ok() && node.condition == NodeCondition::Ready;
        let voters = self.nodes.iter().zip(&self.facts).filter(can_vote).count();
        let canary_found_none = self.canary.as_ref().is_err_and(|sick| sick.cause == Cause::NoQuorum);
        let has_quorum = voters >= self.terms.needed && !canary_found_none;
        Report { findings: checks.iter().flat_map(|check| check(self)).collect(), has_quorum }
    }

    /// One finding for each node that was reached. The others are the business of `reach`.
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
