//! Paused holder. Client 0 checks its lease, is paused for longer than the TTL, and then writes. A garbage collection
//! may cause such a pause, or a sleeping laptop, or swapping. Meanwhile the lock has expired, and client 1 has acquired
//! it and written.
//!
//! No check in the client can help: the pause comes between check and write. The fencing token does. The resource has
//! seen a greater token and refuses the write. This is the figure in Martin Kleppmann's "How to do distributed
//! locking".

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "paused-holder",
    source: include_str!("paused_holder.rs"),
    plan: || {
        Plan::of(3)
            .client([Section::after(0).stall(900).write()])
            .client([Section::after(10).wait(2_000).write().work(600)])
            .faults_end_at(1_500)
    },
    expectations: &[
        Expectation { what: "client 1 gets the lock when client 0's lease has ended", holds: |run| run.follows(0, 1) },
        Expectation { what: "client 1's write is admitted", holds: |run| run.judged(1, true) },
        Expectation { what: "client 0's stale write is refused", holds: |run| run.judged(0, false) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::LossByReplyOnly,
        what: "a holder believes in its lease until a reply says that the lock is gone",
        breaks: Promise::X,
    }),
};
