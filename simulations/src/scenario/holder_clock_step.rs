//! Clock step at the holder.
//!
//! The wall clock of client 0's machine is set back by a second while it holds the lock and is paused. The lease is
//! measured by a monotonic clock, which also runs while the machine sleeps. So the step changes nothing.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "holder-clock-step",
    source: include_str!("holder_clock_step.rs"),
    plan: || {
        let cut = Fault::isolation(0, 1_000);
        Plan::of(3)
            .client([Section::after(0).work(900)])
            .client([Section::after(50).wait(1_000).work(400)])
            .fault(30, Fault::ClientClock { client: 0, by_ms: -1_000 })
            .fault(40, cut)
            .faults_end_at(1_200)
    },
    expectations: &[
        Expectation { what: "client 0 loses its lease in time", holds: |run| run.seen().lost == 1 },
        Expectation { what: "client 1 gets the lock when client 0's lease has ended", holds: |run| run.follows(0, 1) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::WallClock,
        what: "the holder measures its lease by the wall clock",
        breaks: Promise::X,
    }),
};
