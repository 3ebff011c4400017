//! Retry storm. Eight clients want the same lock again and again, and each holds it only briefly. A refused client
//! knows when the lock ends at the latest, and is woken when it is released. So it waits and does not poll. Each client
//! completes every section, and the nodes get few more requests than the leases need.

use super::{Expectation, Scenario};
use crate::plan::{Plan, Section};

const CLIENTS: usize = 8;
const SECTIONS: usize = 3;
/// For one lease three nodes are asked, in the best case once each.
const GRANTS_A_LEASE_MAX: usize = 30;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "retry-storm",
    source: include_str!("retry_storm.rs"),
    plan: || {
        let section = || Section::after(5).wait(4_000).work(10).write();
        let plan = Plan::of(3).faults_end_at(4_000);
        (0..CLIENTS).fold(plan, |plan, _| plan.client((0..SECTIONS).map(|_| section()).collect::<Vec<_>>()))
    },
    expectations: &[
        Expectation {
            what: "every client completes every section",
            holds: |run| run.seen().failed == 0 && run.leases().len() >= CLIENTS * SECTIONS,
        },
        Expectation { what: "one after another", holds: |run| !run.overlapped() && run.tokens_grow() },
        Expectation {
            what: "the nodes are asked for fewer than 30 grants per lease",
            holds: |run| run.requests("Grant") < run.leases().len() * GRANTS_A_LEASE_MAX,
        },
        Expectation { what: "no write is refused", holds: |run| run.seen().stale == 0 },
    ],
    short_cut: None,
};
