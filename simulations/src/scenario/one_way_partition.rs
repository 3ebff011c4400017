//! One-way partition. Client 0 receives from two nodes of three, but its requests to them are lost without an error. It
//! has one lock of three, and two requests without an answer. A missing answer does not count as granted, so client 0
//! gets no lease. Client 1 reaches all nodes and gets one.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Direction, Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "one-way-partition",
    source: include_str!("one_way_partition.rs"),
    plan: || {
        let cut = |node| Fault::Partition {
            client: Some(0),
            node: Some(node),
            direction: Direction::ToNode,
            delivers_after: false,
            for_ms: 700,
        };
        Plan::of(3)
            .client([Section::after(0), Section::after(40).wait(300).work(400)])
            .client([Section::after(60).wait(800).work(400)])
            .fault(20, cut(1))
            .fault(20, cut(2))
            .faults_end_at(900)
    },
    expectations: &[
        Expectation { what: "client 0 gets nothing while its requests are lost", holds: cut_off },
        Expectation {
            what: "client 1 gets the lock while client 0 is cut off",
            holds: |run| run.acquired_within(1, 60, 720),
        },
        Expectation { what: "no other client holds it meanwhile", holds: |run| !run.overlapped() },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::UnknownIsGranted,
        what: "a node that does not answer counts as one that granted",
        breaks: Promise::X,
    }),
};

fn cut_off(run: &super::ScenarioRun) -> bool {
    let label = " c0.";
    !run.leases().iter().any(|stay| stay.holder.contains(label) && (20_000..720_000).contains(&stay.returned_us))
}
