//! Clock step on a majority.
//!
//! The wall clocks of nodes 0 and 1 are set forward by a second: a majority of the locks expires at once, and client 1
//! gets the lock while client 0 believes in its lease. No lock with a time to live can prevent that, and this one does
//! not promise to. Fencing is always promised: client 1's token is greater, and the later write of client 0 is refused.

use super::{Expectation, Scenario};
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "clock-step-majority",
    source: include_str!("clock_step_majority.rs"),
    plan: || {
        Plan::of(3)
            .client([Section::after(0).stall(350).write()])
            .client([Section::after(120).wait(1_000).write().work(300)])
            .fault(100, Fault::NodeClock { node: 0, by_ms: 1_000 })
            .fault(100, Fault::NodeClock { node: 1, by_ms: 1_000 })
            .faults_end_at(700)
    },
    expectations: &[
        Expectation { what: "two clients believe at one time, while X is not promised", holds: |run| run.overlapped() },
        Expectation { what: "client 1's token is greater, and its write is admitted", holds: later_and_written },
        Expectation { what: "client 0's stale write is refused", holds: |run| run.judged(0, false) },
    ],
    short_cut: None,
};

fn later_and_written(run: &super::ScenarioRun) -> bool {
    let tokens = run.lease(0).zip(run.lease(1)).map(|(first, second)| first.token < second.token);
    tokens == Some(true) && run.judged(1, true)
}
