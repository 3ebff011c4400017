//! Network split.
//!
//! The network falls into two parts: client 0 with node 0, and client 1 with nodes 1 and 2. A majority is counted among
//! the configured nodes, not among the reachable ones. So only client 1 can win.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "network-split",
    source: include_str!("network_split.rs"),
    plan: || {
        let cut = |client, node| Fault::partition(client, node, 700);
        Plan::of(3)
            .client([Section::after(25), Section::after(60).wait(500).work(300)])
            .client([Section::after(250).wait(400).work(300)])
            .fault(20, cut(0, 1))
            .fault(20, cut(0, 2))
            .fault(20, cut(1, 0))
            .faults_end_at(900)
    },
    expectations: &[
        Expectation { what: "client 0 gets nothing in the smaller part", holds: |run| holders(run, " c0.") == 0 },
        Expectation { what: "client 1 gets the lock in the greater part", holds: |run| holders(run, " c1.") >= 1 },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::ReachableQuorum,
        what: "a majority is counted among the reachable nodes",
        breaks: Promise::X,
    }),
};

/// How often a client got the lock while the network was in two parts.
fn holders(run: &super::ScenarioRun, label: &str) -> usize {
    let within = |at_us| (20_000..720_000).contains(&at_us);
    run.leases().iter().filter(|stay| stay.holder.contains(label) && within(stay.returned_us)).count()
}
