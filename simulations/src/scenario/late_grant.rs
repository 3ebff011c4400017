//! Late grant.
//!
//! Client 0 gets the lock from two nodes of three; its request to the third node is stuck in the network. It releases
//! everywhere. 300 ms later the stuck request arrives, and takes a lock there that has no owner. The release was sent
//! after the grant on the same connection, also to the node that never answered. So it arrives after the grant, and the
//! lock is gone at once, and not only after its TTL of eight seconds.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Direction, Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "late-grant",
    source: include_str!("late_grant.rs"),
    plan: || {
        let cut = Fault::Partition {
            client: Some(0),
            node: Some(2),
            direction: Direction::ToNode,
            delivers_after: true,
            for_ms: 300,
        };
        let mut plan = Plan::of(3)
            .client([Section::after(0), Section::after(20).work(50)])
            .client([Section::after(500).work(100), Section::after(500)])
            .fault(10, cut)
            .faults_end_at(1_000);
        (plan.terms.ttl_ms, plan.terms.max_ttl_ms) = (8_000, 8_000);
        plan
    },
    expectations: &[
        Expectation { what: "a grant arrives when its round is long over", holds: |run| run.seen().late_grants >= 1 },
        Expectation { what: "client 1 gets the lock at its first try", holds: |run| run.acquired_within(1, 500, 520) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::UnknownNotReleased,
        what: "a node that never answered is not released",
        breaks: Promise::Clean,
    }),
};
