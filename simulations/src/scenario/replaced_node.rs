//! Replaced node.
//!
//! Node 1 is replaced by an empty machine. Its counter is gone, and with it the greatest token, which client 0 has.
//! Node 2 never received that token, and node 0 cannot be reached. Counters start at the clock, not at one. So the new
//! counter is above every number of the old one, and tokens keep growing.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Memory, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "replaced-node",
    source: include_str!("replaced_node.rs"),
    plan: || {
        let mut plan = Plan::of(3)
            .client([Section::after(40).wait(300).write()])
            .client([Section::after(250).wait(2_400).write().work(50)])
            .fault(0, Fault::partition(0, 2, 200))
            .fault(210, Fault::Crash { node: 1, down_ms: 20, memory: Memory::Lost })
            .fault(200, Fault::partition(1, 0, 2_400))
            .faults_end_at(2_700);
        plan.ahead = vec![2, 2, 0];
        plan
    },
    expectations: &[
        Expectation {
            what: "client 0 gets the lock before node 1 is replaced",
            holds: |run| run.acquired_within(0, 0, 209),
        },
        Expectation {
            what: "client 1 gets it from the new node 1 and node 2",
            holds: |run| run.acquired_within(1, 231, 2_600),
        },
        Expectation { what: "client 1's token is greater", holds: |run| run.follows(0, 1) },
        Expectation { what: "client 1's write is admitted", holds: |run| run.judged(1, true) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::NoClockStart,
        what: "a lost counter starts at the lowest number",
        breaks: Promise::T2,
    }),
};
