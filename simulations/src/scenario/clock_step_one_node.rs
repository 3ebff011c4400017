//! Clock step on one node.
//!
//! The wall clock of node 0 is set forward by a second, and the lock that it had expires there at once. The other two
//! nodes still have the lock, and they are a majority. So client 1 gets one vote and has to wait, and client 0 keeps
//! and renews its lease.

use super::{Expectation, Scenario};
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "clock-step-one-node",
    source: include_str!("clock_step_one_node.rs"),
    plan: || {
        Plan::of(3)
            .client([Section::after(0).work(800).write()])
            .client([Section::after(120).wait(1_500).write().work(50)])
            .fault(100, Fault::NodeClock { node: 0, by_ms: 1_000 })
            .faults_end_at(1_300)
    },
    expectations: &[
        Expectation { what: "a lock ends early on one node", holds: |run| run.seen().vanished >= 1 },
        Expectation {
            what: "client 0 keeps its lease all the time",
            holds: |run| run.seen().lost == 0 && run.judged(0, true),
        },
        Expectation { what: "no other client holds the lock while client 0 does", holds: |run| run.follows(0, 1) },
    ],
    short_cut: None,
};
