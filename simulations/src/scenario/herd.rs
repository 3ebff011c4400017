//! A herd asks for one lock at one moment.
//!
//! Client 0 holds the lock, and fifteen more come within as many milliseconds. Each node keeps them in a queue, in the
//! order in which they came. While they wait two of them die, and one is paused. With each release the node reserves
//! the lock for the first in its queue and wakes it. So one client asks and the others sleep. The node skips a client
//! whose connection has ended. A paused client delays the others once, by the time for which the lock was reserved for
//! it.

use super::{Expectation, Scenario, ScenarioRun, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Plan, Section};

const CLIENTS: u8 = 16;
const DIE: [u8; 2] = [5, 9];
const PAUSED: u8 = 7;
/// From one release to the next lease: the release, the wake, the grant and its answer take one millisecond each. This
/// is twice the sum.
const GAP_MAX_US: u64 = 8_000;
/// Reservations of the paused client, and of the two dead clients if their machines died too.
const GRACE_US: u64 = 40_000;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "herd",
    source: include_str!("herd.rs"),
    plan: || {
        let herd = (1..CLIENTS).fold(Plan::of(3).client([Section::after(0).work(50)]), |plan, number| {
            plan.client([Section::after(9 + u32::from(number)).wait(3_000).work(3)])
        });
        let dying = DIE.into_iter().fold(herd, |plan, client| plan.fault(35, Fault::Reboot { client, down_ms: 1_900 }));
        dying.fault(35, Fault::Pause { client: PAUSED, for_ms: 400 })
    },
    expectations: &[
        Expectation {
            what: "every client that lives is served",
            holds: |run| living().all(|client| run.lease(client).is_some()),
        },
        Expectation {
            what: "in the order in which they came",
            holds: |run| {
                let moving: Vec<u8> = living().filter(|client| *client != PAUSED).collect();
                moving.windows(2).all(|pair| matches!(pair, [one, next] if run.follows(*one, *next)))
            },
        },
        Expectation { what: "one after another", holds: |run| !run.overlapped() && run.tokens_grow() },
        Expectation {
            what: "the next one has the lock within 8 ms of a release, except for one grace per dead or paused client",
            holds: |run| gaps_us(run).filter(|gap_us| *gap_us > GAP_MAX_US).count() <= DIE.len() + 1,
        },
        Expectation { what: "and then within a grace", holds: |run| gaps_us(run).all(|gap_us| gap_us <= GRACE_US) },
        Expectation {
            what: "the paused client has the lock soon after it continues",
            holds: |run| run.acquired_within(PAUSED, 435, 480),
        },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::DeadHeadIsNext,
        what: "a node reserves the lock for the first in its queue, although its connection has ended",
        breaks: Promise::Reserved,
    }),
};

fn living() -> impl Iterator<Item = u8> {
    (0..CLIENTS).filter(|client| !DIE.contains(client))
}

/// From the end of each lease to the next, while the herd is there.
fn gaps_us(run: &ScenarioRun) -> impl Iterator<Item = u64> {
    run.leases().windows(2).filter_map(|pair| match pair {
        [one, next] if next.returned_us < 400_000 => Some(next.returned_us.saturating_sub(one.until_us)),
        _ => None,
    })
}
