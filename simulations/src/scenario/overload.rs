//! Overload: all nodes answer late for a while.
//!
//! For one second every message is so slow that no attempt reaches a quorum in time. Each client releases every lock
//! that it may have, pauses longer each time, and lets its next attempt last longer. So overloaded nodes get fewer and
//! fewer requests, and locks that they still grant late are released. When the second is over, no lock without an owner
//! is left, and every client is served soon.

use super::{Expectation, Scenario, ScenarioRun};
use crate::plan::{Fault, Plan, Section, Terms};

const CLIENTS: u8 = 8;
const FROM_MS: u32 = 100;
const FOR_MS: u32 = 1_000;
/// The delay of messages: twice this is more than the longest round.
const LATE_MS: u32 = 600;
/// When every client must have had the lock: the pauses are about as long as the overload.
const SERVED_BY_MS: u64 = 3_500;
/// How many grants one client asks of one node in that time: each attempt waits twice as long as the one before.
const ATTEMPTS_MAX: usize = 8;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "overload",
    source: include_str!("overload.rs"),
    plan: || {
        let slow = Fault::Slow { client: None, node: None, extra_ms: LATE_MS, tail_ms: 0, for_ms: FOR_MS };
        let mut plan = (0..CLIENTS).fold(Plan::of(3), |plan, number| {
            // All clients are connected before it begins.
            plan.client([Section::after(10 * u32::from(number)), Section::after(FROM_MS).wait(4_000).work(5)])
        });
        plan.terms = Terms { ttl_ms: 5_000, max_ttl_ms: 5_000, node_timeout_ms: 100, response_timeout_ms: 2_000 };
        plan.fault(FROM_MS, slow).faults_end_at(4_000)
    },
    expectations: &[
        Expectation {
            what: "no client acquires while all answers are late",
            holds: |run| leases_between(run, 200, 1_100) == 0,
        },
        Expectation {
            what: "every client is served soon after",
            holds: |run| (0..CLIENTS).all(|client| was_served(run, client)),
        },
        Expectation {
            what: "each client asks a node fewer than eight times meanwhile",
            holds: |run| late_grants(run) < usize::from(CLIENTS) * 3 * ATTEMPTS_MAX,
        },
        Expectation {
            what: "no lock without an owner is left",
            holds: |run| run.seen().late_grants > 0 && run.tokens_grow(),
        },
    ],
    short_cut: None,
};

fn leases_between(run: &ScenarioRun, from_ms: u64, to_ms: u64) -> usize {
    run.leases().iter().filter(|stay| (from_ms * 1_000..to_ms * 1_000).contains(&stay.returned_us)).count()
}

fn was_served(run: &ScenarioRun, client: u8) -> bool {
    let label = format!(" c{client}.");
    let within = u64::from(FROM_MS + FOR_MS) * 1_000..=SERVED_BY_MS * 1_000;
    run.leases().iter().any(|stay| stay.holder.contains(&label) && within.contains(&stay.returned_us))
}

fn late_grants(run: &ScenarioRun) -> usize {
    run.requests_between("Grant", u64::from(FROM_MS), u64::from(FROM_MS + FOR_MS))
}
