//! Clock step at the holder.
//!
//! The wall clock of client 0's machine is set back by a second while it holds the lock and stands still. The lease is
//! measured by a clock that only goes on, also while the machine sleeps: so the step changes nothing.

use super::{Must, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Blow, Plan, Turn, Way};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "holder-clock-step",
    source: include_str!("holder_clock_step.rs"),
    plan: || {
        let cut = Blow::Cut { client: Some(0), node: None, way: Way::Both, arrives_after: false, for_ms: 1_000 };
        Plan::of(3)
            .client([Turn::after(0).work(900)])
            .client([Turn::after(50).wait(1_000).work(400)])
            .fault(30, Blow::ClientClock { client: 0, by_ms: -1_000 })
            .fault(40, cut)
            .calm_at(1_200)
    },
    musts: &[
        Must { what: "client 0 loses its lease in time", holds: |run| run.seen().lost == 1 },
        Must { what: "client 1 gets the lock when client 0's lease has ended", holds: |run| run.follows(0, 1) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::WallClock,
        what: "the holder measures by its wall clock",
        breaks: Promise::X,
    }),
};
