//! Late grant.
//!
//! Client 0 gets the lock from two nodes of three; its request to the third one is stuck in the network. It releases
//! everywhere, and 300 ms later the stuck request arrives after all and takes the lock there for nobody.
//!
//! The release went out behind the grant on the same connection, also to the node that never answered: so it arrives
//! behind it, and the lock is gone at once, and not only after its time to live of eight seconds.

use super::{Must, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Blow, Plan, Turn, Way};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "late-grant",
    source: include_str!("late_grant.rs"),
    plan: || {
        let cut = Blow::Cut { client: Some(0), node: Some(2), way: Way::There, arrives_after: true, for_ms: 300 };
        let mut plan = Plan::of(3)
            .client([Turn::after(0), Turn::after(20).work(50)])
            .client([Turn::after(500).work(100), Turn::after(500)])
            .fault(10, cut)
            .calm_at(1_000);
        (plan.terms.ttl_ms, plan.terms.max_ttl_ms) = (8_000, 8_000);
        plan
    },
    musts: &[
        Must { what: "a grant arrives when its round is long over", holds: |run| run.seen().late_grants >= 1 },
        Must { what: "client 1 gets the lock at its first try", holds: |run| run.acquired_within(1, 500, 520) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::UnknownNotReleased,
        what: "a node that never answered is not released",
        breaks: Promise::Clean,
    }),
};
