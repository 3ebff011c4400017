//! [`Period`]: how long a lock stays at the nodes although its command has ended. The nodes count the time, so the
//! clocks of the machines do not matter. See docs/run.md.

use std::time::Duration;

use redfence::{Builder, Clock as _, ConfigError, ExtendError, Guard, Moment, Redlock, SystemClock};

use crate::args::{Global, RunArgs};
use crate::exit::Exit;
use crate::failure::Failure;

/// `--once-per` and `--hold-at-least`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Period {
    once_per: Option<Duration>,
    hold_at_least: Option<Duration>,
}

/// What `--max-ttl` is if it is not given.
const MAX_TTL: Duration = Duration::from_secs(30);
/// The longest time to live that a lock can have.
const TTL_MAX: Duration = Duration::from_secs(24 * 3_600);
/// For how long `run` tries to store the rest of a period.
const STORE_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

impl Period {
    /// Refuses what a lock cannot last for.
    pub(super) fn of(args: &RunArgs, global: &Global) -> Result<Self, Failure> {
        let max_ttl = global.max_ttl.unwrap_or(MAX_TTL);
        for (flag, time) in [("--once-per", args.once_per), ("--hold-at-least", args.hold_at_least)] {
            if let Some(reason) = time.and_then(|time| refusal(flag, time, max_ttl)) {
                return Err(Failure::new(Exit::Usage, reason));
            }
        }
        Ok(Self { once_per: args.once_per, hold_at_least: args.hold_at_least })
    }

    /// The time to live of the lock while the command runs. With `--hold-at-least` the lock lives that long even if
    /// the machine crashes right after the acquire.
    pub(super) fn ttl(self, ttl: Duration) -> Duration {
        ttl.max(self.hold_at_least.unwrap_or_default())
    }

    /// How long after its acquire the lock stays, if the command has ended before.
    pub(super) fn stay(self, succeeded: bool) -> Option<Duration> {
        self.once_per.filter(|_| succeeded).max(self.hold_at_least)
    }

    /// Whether the lock must be extended to stay that long. It lives long enough already if only `--hold-at-least`
    /// asks for it.
    pub(super) fn must_be_stored(self, succeeded: bool) -> bool {
        self.once_per.filter(|_| succeeded) > self.hold_at_least
    }

    /// The settings of a locker whose lock may get the time to live of a period: the validity that an acquire must
    /// leave still depends on `ttl` alone.
    pub(super) fn settings(self, builder: Builder, ttl: Duration) -> Builder {
        if self == Self::default() { builder } else { builder.min_validity(ttl / 10) }
    }
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

/// Leaves the lock of `guard` at the nodes until `until`. If it `must` be stored, that is an error if no quorum stores
/// it.
pub(super) async fn keep(redlock: &Redlock, guard: Guard, until: Moment, must: bool) -> Result<(), Failure> {
    // Nodes count whole milliseconds.
    let rest = || until.since(SystemClock.now()) + Duration::from_millis(1);
    if let Err(ConfigError::TtlTooShort { .. } | ConfigError::MinValidityTooLong { .. }) = redlock.with_ttl(rest()) {
        // Too little time for a lease of its own: hold it for the rest.
        tokio::select! {
            () = tokio::time::sleep(rest()) => {}
            _ = guard.lost() => {}
        }
        drop(guard.release().await);
        return Ok(());
    }
    // From here on this process sends no renewal, which would make the time to live shorter again.
    let lease = guard.into_lease();
    let give_up_at = lease.valid_until.min(SystemClock.now().after(STORE_MAX));
    loop {
        let error = match redlock.with_ttl(rest())?.extend_as(lease.resource.clone(), &lease.holder).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if !must {
            return Ok(());
        }
        if matches!(error, ExtendError::Lost(_)) || SystemClock.now() >= give_up_at {
            let failure = Failure::extend(&error, redlock);
            let resource = lease.resource.as_str();
            let message = format!(
                "the command succeeded, but the nodes did not store its period, so {resource:?} may run again within it: {}",
                failure.message
            );
            return Err(Failure { message, ..failure });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn how_long_the_lock_stays() {
        // (once-per, hold-at-least), succeeded, stays, must be stored, time to live for --ttl 10s
        for (once_per, hold_at_least, succeeded, stay, must, ttl) in [
            (None, None, true, None, false, s(10)),
            (Some(s(60)), None, true, Some(s(60)), true, s(10)),
            (Some(s(60)), None, false, None, false, s(10)),
            (None, Some(s(20)), false, Some(s(20)), false, s(20)),
            (None, Some(s(5)), true, Some(s(5)), false, s(10)),
            (Some(s(60)), Some(s(20)), true, Some(s(60)), true, s(20)),
            (Some(s(60)), Some(s(20)), false, Some(s(20)), false, s(20)),
            (Some(s(60)), Some(s(60)), true, Some(s(60)), false, s(60)),
        ] {
            let period = Period { once_per, hold_at_least };
            let found = (period.stay(succeeded), period.must_be_stored(succeeded), period.ttl(s(10)));
            assert_eq!(found, (stay, must, ttl), "{period:?} {succeeded}");
        }
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
