//! Double fault: renewer and detector die together.
//!
//! Client 0's process is paused, with all its background tasks: the task that renews the lease and the task that would
//! report its loss. So no task can report the loss. When the process continues, the first check of the lease compares
//! two times and finds that the lease is over. This needs no task and no reply.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "double-fault",
    source: include_str!("double_fault.rs"),
    plan: || {
        Plan::of(3)
            .client([Section::after(0).work(700).write()])
            .client([Section::after(10).wait(1_500).write().work(700)])
            .fault(50, Fault::Pause { client: 0, for_ms: 1_000 })
            .faults_end_at(1_600)
    },
    expectations: &[
        Expectation { what: "client 0 finds its lease lost", holds: |run| run.seen().lost == 1 },
        Expectation {
            what: "client 0 does not write any more",
            holds: |run| !run.judged(0, true) && !run.judged(0, false),
        },
        Expectation {
            what: "client 1 gets the lock while client 0 is paused",
            holds: |run| run.acquired_within(1, 490, 1_050),
        },
        Expectation { what: "client 1 gets it when client 0's lease has ended", holds: |run| run.follows(0, 1) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::LossByReplyOnly,
        what: "a holder believes in its lease until a reply says that the lock is gone",
        breaks: Promise::X,
    }),
};
