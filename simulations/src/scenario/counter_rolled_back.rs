//! Counter rolled back. Two nodes of three are restored from snapshots that are older than the last leases: their
//! counters go back, and their locks are old ones. Restored nodes have a new run id, which lockers notice. So these
//! nodes rest, and their counters are raised to the clock before they vote again. No token is issued twice, and no
//! client gets a lock that client 0 has.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Memory, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "counter-rolled-back",
    source: include_str!("counter_rolled_back.rs"),
    plan: || {
        let restored = |node| Fault::Crash { node, down_ms: 10, memory: Memory::Snapshot };
        Plan::of(3)
            .client([Section::after(20), Section::after(5), Section::after(5).stall(400)])
            .client([Section::after(160).wait(1_500).write().work(100)])
            .fault(15, Fault::Snapshot { node: 0 })
            .fault(15, Fault::Snapshot { node: 1 })
            .fault(120, restored(0))
            .fault(120, restored(1))
            .faults_end_at(1_500)
    },
    expectations: &[
        Expectation { what: "two nodes rest", holds: |run| run.seen().rests >= 2 },
        Expectation { what: "no other client holds the lock while client 0 does", holds: |run| !run.overlapped() },
        Expectation {
            what: "every lease carries a greater token",
            holds: |run| run.tokens_grow() && run.lease(1).is_some(),
        },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::NoRest,
        what: "a node that may have forgotten locks votes at once",
        breaks: Promise::X,
    }),
};
