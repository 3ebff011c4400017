//! [`Period`]: for how long a lock stays at the nodes although its work has ended. The nodes count the time, so the clocks of the
//! machines do not matter. docs/run.md says why it holds.

use std::time::Duration;

use crate::AcquireError;

/// For how long the lock of a piece of work stays at the nodes, counted from its acquire, if the work has ended before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    once_per: Option<Duration>,
    hold_at_least: Option<Duration>,
}

impl Period {
    /// Work that succeeded is not done again before `period` has passed since its acquire. Work that failed is, and after a
    /// crash another process may do it after the time to live.
    #[must_use]
    pub const fn once_per(period: Duration) -> Self {
        Self { once_per: Some(period), hold_at_least: None }
    }

    /// The lock stays for `time` from its acquire, however the work ends. It is the least time to live of the lock, so that the
    /// lock stays as long if the process crashes.
    #[must_use]
    pub const fn hold_at_least(self, time: Duration) -> Self {
        Self { hold_at_least: Some(time), ..self }
    }

    /// The time to live of the lock while the work is done.
    pub(super) fn ttl(self, ttl: Duration) -> Duration {
        ttl.max(self.hold_at_least.unwrap_or_default())
    }

    /// For how long after its acquire the lock stays.
    pub(super) fn stay(self, succeeded: bool) -> Option<Duration> {
        self.once_per.filter(|_| succeeded).max(self.hold_at_least)
    }

    /// Whether the lock must be extended to stay that long. It lives long enough already if only `hold_at_least` asks for it.
    pub(super) fn must_be_stored(self, succeeded: bool) -> bool {
        self.once_per.filter(|_| succeeded) > self.hold_at_least
    }

    /// Whether one of the times is zero, which keeps nothing.
    pub(super) fn is_zero(self) -> bool {
        [self.once_per, self.hold_at_least].contains(&Some(Duration::ZERO))
    }
}

/// Whether the lock that was met ends by itself within `wait`.
pub(super) fn ends_within(met: &AcquireError, wait: Duration) -> bool {
    let occupant = met.votes().and_then(|votes| votes.occupant());
    occupant.is_none_or(|(_, left)| left.is_some_and(|left| left <= wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn how_long_the_lock_stays() {
        // (once-per, hold-at-least), succeeded, stays, must be stored, time to live for one of 10 s
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
        assert!(Period::once_per(s(0)).is_zero() && Period::default().hold_at_least(s(0)).is_zero());
        assert!(!Period::default().is_zero() && !Period::once_per(s(1)).hold_at_least(s(2)).is_zero());
    }
}
