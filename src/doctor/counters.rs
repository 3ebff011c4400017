//! Are the counters of the nodes close to each other?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown, whole};
use crate::protocol::COUNTER_MAX;

/// Counters start at the clock in microseconds, so this difference is an hour.
const APART_MAX: u64 = 3_600_000_000;

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let counters: Vec<_> = case.counters.iter().flatten().copied().filter(|counter| *counter > 0).collect();
    whole(
        "counters",
        match (counters.iter().min(), counters.iter().max()) {
            (_, Some(most)) if *most > COUNTER_MAX => Outcome::Bad {
                what: format!("{most} is too high to come from a clock: it was written by hand"),
                risk: "the node's grants of these resources are refused as faults",
                fix: "let the node rest by restarting it, or `redfence reset --all` when no process holds a lock",
            },
            (Some(least), Some(most)) if most - least <= APART_MAX => ok(format!("{} apart at most", most - least)),
            (Some(least), Some(most)) => Outcome::Bad {
                what: format!("{} apart, which is {} s of clock", most - least, (most - least) / 1_000_000),
                risk: "none for safety; a clock was far off when a node started its counters",
                fix: "set the clocks by NTP; the counters level themselves with use",
            },
            _ => unknown("no node reported a counter"),
        },
    )
}
