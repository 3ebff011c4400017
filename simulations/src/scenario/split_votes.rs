//! Split votes.
//!
//! Three clients ask at once, and each is nearest to a different node. Every node grants a different client, so no
//! client has a majority. They release their grants and ask again, now all of them the same node first. Its winner
//! meets no rival at the other nodes. All three get the lock, one after another.

use super::{Expectation, Scenario};
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "split-votes",
    source: include_str!("split_votes.rs"),
    plan: || {
        let mut plan = Plan::of(3).faults_end_at(700);
        for client in 0..3 {
            plan = plan.client([Section::after(10).wait(600).work(50)]);
            for node in (0..3).filter(|node| *node != client) {
                let (client, node) = (Some(client), Some(node));
                plan = plan.fault(0, Fault::Slow { client, node, extra_ms: 4, tail_ms: 0, for_ms: 600 });
            }
        }
        plan
    },
    expectations: &[
        Expectation {
            what: "the first votes are split",
            holds: |run| !(0..3).any(|client| run.acquired_within(client, 0, 19)),
        },
        Expectation {
            what: "all three get the lock while the network is uneven",
            holds: |run| (0..3).all(|client| run.acquired_within(client, 0, 600)),
        },
        Expectation { what: "one after another", holds: |run| !run.overlapped() && run.tokens_grow() },
    ],
    short_cut: None,
};
