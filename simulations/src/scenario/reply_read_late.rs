//! Reply read long after it arrived.
//!
//! The nodes grant client 0 the lock within milliseconds, but its process is paused and reads the replies 200 ms later.
//! By then a good part of the lease is over. A lease is counted from when the first byte was sent, not from when the
//! last reply was read. So client 0 stops in time, and then client 1 gets the lock.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply-read-late",
    source: include_str!("reply_read_late.rs"),
    plan: || {
        let mut plan = Plan::of(3)
            .client([Section::after(20).stall(500)])
            .client([Section::after(200).wait(1_000).work(100)])
            .fault(23, Fault::Pause { client: 0, for_ms: 200 })
            .faults_end_at(1_200);
        plan.terms.node_timeout_ms = 450;
        plan
    },
    expectations: &[
        Expectation {
            what: "client 0 gets its lease when it continues",
            holds: |run| run.acquired_within(0, 223, 235),
        },
        Expectation { what: "client 0 stops 500 ms after it asked", holds: stops_in_time },
        Expectation { what: "client 1 gets the lock when client 0's lease has ended", holds: |run| run.follows(0, 1) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::ValidFromReplies,
        what: "the lease is measured from when the replies were read",
        breaks: Promise::X,
    }),
};

fn stops_in_time(run: &super::ScenarioRun) -> bool {
    run.lease(0).is_some_and(|lease| lease.valid_until_us < lease.began_us + 500_000)
}
