//! Delayed write.
//!
//! Client 0 sends two writes while it holds the lock, and releases. The first one is judged at once. The second one is
//! delayed in the network, and arrives long after client 1 has written: it is refused. Check and write have to be one
//! step. If a server checks first and writes a little later, a newer write may come in between. Then the old write
//! overwrites it.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Operation, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "delayed-write",
    source: include_str!("delayed_write.rs"),
    plan: || {
        let write = |flight_ms| Operation::Write { stall_ms: 0, flight_ms };
        Plan::of(3)
            .client([Section::after(0).then(write(6)).then(write(120))])
            .client([Section::after(3).wait(500).then(write(5)).work(40)])
            .faults_end_at(300)
    },
    expectations: &[
        Expectation { what: "client 0's first write is admitted", holds: |run| run.judged(0, true) },
        Expectation { what: "client 1's write is admitted", holds: |run| run.judged(1, true) },
        Expectation { what: "client 0's delayed write is refused", holds: |run| run.judged(0, false) },
        Expectation { what: "no other write is refused", holds: |run| run.seen().stale == 1 },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::CheckThenWrite,
        what: "the resource checks the token first, and writes a little later",
        breaks: Promise::F,
    }),
};
