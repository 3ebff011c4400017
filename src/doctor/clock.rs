//! Does the server's clock run as it should?

use std::time::Duration;

use super::case::Case;
use super::facts::Sample;
use super::finding::{Finding, Outcome, ok, unknown};

/// Clocks that NTP sets differ by less than this.
const OFFSET_MAX: Duration = Duration::from_secs(2);

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("clock", |facts| judge(&facts.clock, case.expected.drift_ppm))
}

fn judge(samples: &[Sample], drift_ppm: u32) -> Outcome {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return unknown("not asked") };
    let offset = Duration::from_micros(last.server.unix_us().abs_diff(last.wall.unix_us()));
    let steps = samples.windows(2).filter_map(|pair| Some(apart(pair.first()?, pair.last()?)));
    let apart = steps.max().unwrap_or_default();
    let span = last.answered.since(first.asked);
    let trips: Duration = samples.iter().map(|sample| sample.answered.since(sample.asked)).sum();
    let allowed = span * drift_ppm / 1_000_000 + trips + Duration::from_millis(2);
    match (last.server.is_possible(), last.wall.is_possible()) {
        (true, true) if apart > allowed => Outcome::Bad {
            what: format!("it moved {apart:.1?} against this machine's within {span:.1?}"),
            risk: "expiry follows the server's clock: a lock may end while its holder believes in it, or never end",
            fix: "let NTP slew the clock, never step it; a frozen clock is a fault of the machine",
        },
        (true, true) if offset <= OFFSET_MAX => ok(format!("{offset:.1?} from this machine's, steady over {span:.1?}")),
        (true, true) => Outcome::Bad {
            what: format!("{offset:.1?} from this machine's"),
            risk: "nothing while no node forgets; if a node with a wrong clock loses its counters, its tokens may start too low",
            fix: "set both clocks by NTP",
        },
        (false, true) => impossible("the server's clock shows a time before September 2001", "set the server's clock"),
        (true, false) => {
            impossible("this machine's clock shows a time before September 2001", "set this machine's clock")
        }
        (false, false) => impossible(
            "the server's clock and this machine's show times before September 2001",
            "set both clocks; a board without a battery needs NTP before it takes part",
        ),
    }
}

fn impossible(what: &str, fix: &'static str) -> Outcome {
    let risk =
        "counters start at the clock: tokens would start below those that were issued before, or nothing is granted";
    Outcome::Bad { what: what.to_owned(), risk, fix }
}

/// By how much the two clocks drifted apart between two samples.
fn apart(one: &Sample, other: &Sample) -> Duration {
    let here = other.answered.since(one.answered);
    let there = Duration::from_micros(other.server.unix_us().abs_diff(one.server.unix_us()));
    if other.server < one.server { here + there } else { here.abs_diff(there) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Moment, WallTime};

    #[test]
    fn r5_a_clock_that_cannot_be_is_not_ok_however_well_it_agrees() {
        let (now, then) = (1_800_000_000_000, 86_400_000);
        for (server_ms, wall_ms, expected) in [
            (now, now, None),
            (then, now, Some("the server's clock shows a time before September 2001")),
            (now, then, Some("this machine's clock shows a time before September 2001")),
            (then, then, Some("the server's clock and this machine's show times before September 2001")),
            (now + 3_600_000, now, Some("3600.0s from this machine's")),
        ] {
            let sample = |at_ms: u64| Sample {
                asked: Moment::from_origin(Duration::from_millis(at_ms)),
                answered: Moment::from_origin(Duration::from_millis(at_ms + 1)),
                wall: WallTime::from_unix_ms(wall_ms + at_ms),
                server: WallTime::from_unix_ms(server_ms + at_ms),
            };
            let what = match judge(&[sample(0), sample(500), sample(1_000)], 10_000) {
                Outcome::Bad { what, .. } => Some(what),
                _ => None,
            };
            assert_eq!(what.as_deref(), expected, "{server_ms} {wall_ms}");
        }
    }
}
