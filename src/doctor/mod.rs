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
mod case;
mod clock;
mod count;
mod counters;
mod distinct;
mod endless;
mod eviction;
mod examine;
mod facts;
mod finding;
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

pub use finding::{Finding, Outcome};
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub use permissions::minimal_rule;

use self::case::{Case, Cause};
use crate::{NodeCondition, NodeStatus};

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
}
