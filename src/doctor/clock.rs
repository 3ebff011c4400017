//! Does the server's clock run as it should?

use std::time::Duration;

use super::facts::Sample;
use super::{Case, Finding, Outcome, ok, unknown};

/// Clocks that are set by NTP differ by less.
const OFFSET_MAX: Duration = Duration::from_secs(2);

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("clock", |facts| {
        let (Some(first), Some(last)) = (facts.clock.first(), facts.clock.last()) else { return unknown("not asked") };
        let offset = Duration::from_micros(last.server.unix_us().abs_diff(last.wall.unix_us()));
        let apart = facts.clock.windows(2).filter_map(|pair| Some(apart(pair.first()?, pair.last()?))).max().unwrap_or_default();
        let span = last.answered.since(first.asked);
        let trips: Duration = facts.clock.iter().map(|sample| sample.answered.since(sample.asked)).sum();
        let allowed = span * case.terms.drift_ppm / 1_000_000 + trips + Duration::from_millis(2);
        if apart > allowed {
            return Outcome::Bad {
                what: format!("it moved {apart:.1?} against this machine's within {span:.1?}"),
                risk: "expiry follows the server's clock: a lock may end while its holder believes in it, or never end",
                mend: "let NTP slew the clock, never step it; a frozen clock is a fault of the machine",
            };
        }
        match offset <= OFFSET_MAX {
            true => ok(format!("{offset:.1?} from this machine's, steady over {span:.1?}")),
            false => Outcome::Bad {
                what: format!("{offset:.1?} from this machine's"),
                risk: "nothing while all remember; if a node with a wrong clock loses its counters its tokens may start too low",
                mend: "set both clocks by NTP",
            },
        }
    })
}

/// By how much the two clocks moved against each other between two looks.
fn apart(one: &Sample, other: &Sample) -> Duration {
    let here = other.answered.since(one.answered);
    let there = Duration::from_micros(other.server.unix_us().abs_diff(one.server.unix_us()));
    if other.server < one.server { here + there } else { here.abs_diff(there) }
}
