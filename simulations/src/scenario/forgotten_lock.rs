//! Forgotten lock: a node comes back without its data.
//!
//! Client 0 holds the lock on nodes 0 and 1. Node 1 crashes and comes back at once, without its data: it has forgotten
//! the lock. Client 1 cannot reach node 0, but nodes 1 and 2 would give it a majority. A node that may have forgotten
//! locks rests until all of them have expired. Until then it gives no votes, and client 1 has to wait.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Memory, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "forgotten-lock",
    source: include_str!("forgotten_lock.rs"),
    plan: || {
        let mut plan = Plan::of(3)
            .client([Section::after(0).wait(400).stall(1_600)])
            .client([Section::after(150).wait(2_200).work(200)])
            .fault(0, Fault::partition(0, 2, 60))
            .fault(100, Fault::partition(1, 0, 1_600))
            .fault(109, Fault::Crash { node: 1, down_ms: 1, memory: Memory::Lost })
            .faults_end_at(2_600);
        (plan.terms.ttl_ms, plan.terms.max_ttl_ms) = (2_000, 2_000);
        plan
    },
    expectations: &[
        Expectation { what: "client 0 gets the lock before the crash", holds: |run| run.acquired_within(0, 0, 108) },
        Expectation { what: "node 1 rests", holds: |run| run.seen().rests >= 1 },
        Expectation { what: "no other client holds the lock while client 0 does", holds: |run| run.follows(0, 1) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::NoRest,
        what: "a node that may have forgotten locks votes at once",
        breaks: Promise::X,
    }),
};
