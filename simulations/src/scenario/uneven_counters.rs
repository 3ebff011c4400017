//! Uneven counters.
//!
//! Node 0 is two numbers ahead of the others: earlier leases were granted by some nodes and not by others. Client 0
//! gets the lock from nodes 0 and 1, and its token is the greater of their two numbers. Client 1 then gets it from
//! nodes 1 and 2, whose counters are lower than this token.
//!
//! Before a lease exists its token is sealed: a majority raises its counters to it. The counter of node 1 was raised,
//! so client 1's number is greater.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "uneven-counters",
    source: include_str!("uneven_counters.rs"),
    plan: || {
        let mut plan = Plan::of(3)
            .client([Section::after(0).wait(500).write()])
            .client([Section::after(160).wait(500).write()])
            .fault(0, Fault::partition(0, 2, 150))
            .fault(155, Fault::partition(1, 0, 500))
            .faults_end_at(700);
        plan.ahead = vec![2, 0, 0];
        plan
    },
    expectations: &[
        Expectation { what: "a token is sealed", holds: |run| run.seen().seals >= 1 },
        Expectation { what: "client 1's token is greater than client 0's", holds: |run| run.follows(0, 1) },
        Expectation { what: "no write is refused", holds: |run| run.seen().stale == 0 && run.judged(1, true) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::NoSeal,
        what: "the greatest number of the majority is the token, and the other counters are not raised to it",
        breaks: Promise::T2,
    }),
};
