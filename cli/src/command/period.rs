//! The [`Period`] of `run`: how long a lock stays at the nodes although its command has ended. See docs/run.md.

use std::time::Duration;

use redfence::Builder;
use redfence::recipes::Period;

use crate::args::{Global, RunArgs};
use crate::exit::Exit;
use crate::failure::Failure;

/// What `--max-ttl` is if it is not given.
const MAX_TTL: Duration = Duration::from_secs(30);
/// The longest time to live that a lock can have.
const TTL_MAX: Duration = Duration::from_secs(24 * 3_600);

/// `--once-per` and `--hold-at-least`. Refuses what a lock cannot last for.
pub(super) fn of(args: &RunArgs, global: &Global) -> Result<Period, Failure> {
    let max_ttl = global.max_ttl.unwrap_or(MAX_TTL);
    for (flag, time) in [("--once-per", args.once_per), ("--hold-at-least", args.hold_at_least)] {
        if let Some(reason) = time.and_then(|time| refusal(flag, time, max_ttl)) {
            return Err(Failure::new(Exit::Usage, reason));
        }
    }
    let period = args.once_per.map_or_else(Period::default, Period::once_per);
    Ok(args.hold_at_least.map_or(period, |time| period.hold_at_least(time)))
}

/// The time to live of the lock while the command runs. With `--hold-at-least` the lock lives that long even if the
/// machine crashes right after the acquire.
pub(super) fn ttl(args: &RunArgs) -> Duration {
    args.lease.ttl.max(args.hold_at_least.unwrap_or_default())
}

/// The settings of a locker whose lock may get the time to live of a period: the validity that an acquire must leave
/// still depends on `--ttl` alone.
pub(super) fn settings(builder: Builder, args: &RunArgs) -> Builder {
    if args.once_per.or(args.hold_at_least).is_none() { builder } else { builder.min_validity(args.lease.ttl / 10) }
}

fn refusal(flag: &str, time: Duration, max_ttl: Duration) -> Option<String> {
    let told = humantime::format_duration;
    if time.is_zero() {
        return Some(format!("{flag} needs a time above zero"));
    }
    if time > TTL_MAX {
        let most = told(TTL_MAX);
        return Some(format!("{flag} {} is too long: a lock lasts for {most} at most", told(time)));
    }
    (time > max_ttl).then(|| {
        let (time, max_ttl) = (told(time), told(max_ttl));
        format!(
            "{flag} {time} needs a lock that lasts that long, and --max-ttl is {max_ttl}: pass --max-ttl {time} (or set \
             REDFENCE_MAX_TTL) to every program that uses these nodes with this --key-prefix; a node that may have forgotten \
             its locks then stays out for {time}, so give such jobs a --key-prefix of their own"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_time_that_a_lock_cannot_last_for_is_refused_with_the_fix() {
        for (time, max_ttl, part) in [
            (s(0), s(30), Some("above zero")),
            (s(90_000), s(90_000), Some("1day at most")),
            (s(3_600), s(30), Some("pass --max-ttl 1h")),
            (s(30), s(30), None),
        ] {
            let refusal = refusal("--once-per", time, max_ttl);
            assert_eq!(refusal.is_some(), part.is_some(), "{refusal:?}");
            assert!(refusal.is_none_or(|told| told.contains(part.unwrap())));
        }
    }
}
