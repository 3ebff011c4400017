//! Retry storm.
//!
//! Eight clients want the same lock again and again, and each holds it for a moment only. Whoever is refused knows when
//! the lock ends at the latest and is told when it is released: so it waits, and does not ask again and again. Everybody
//! gets every turn, and the nodes are asked little more than for the leases themselves.

use super::{Must, Scenario};
use crate::plan::{Plan, Turn};

const CLIENTS: usize = 8;
const TURNS: usize = 3;
/// Three nodes are asked for one lease, in the best case once each.
const GRANTS_A_LEASE_MAX: usize = 30;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "retry-storm",
    source: include_str!("retry_storm.rs"),
    plan: || {
        let turn = || Turn::after(5).wait(4_000).work(10).write();
        let plan = Plan::of(3).calm_at(4_000);
        (0..CLIENTS).fold(plan, |plan, _| plan.client((0..TURNS).map(|_| turn()).collect::<Vec<_>>()))
    },
    musts: &[
        Must {
            what: "everybody gets every turn",
            holds: |run| run.seen().failed == 0 && run.leases().len() >= CLIENTS * TURNS,
        },
        Must { what: "one after another", holds: |run| !run.overlapped() && run.tokens_grow() },
        Must {
            what: "the nodes are asked for fewer than 30 grants a lease",
            holds: |run| run.requests("Grant") < run.leases().len() * GRANTS_A_LEASE_MAX,
        },
        Must { what: "no write is refused", holds: |run| run.seen().stale == 0 },
    ],
    short_cut: None,
};
