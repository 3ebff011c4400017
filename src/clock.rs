//! [`Clock`]: the one file that reads time.
//!
//! Two clocks matter. The holder measures validity on a clock that also counts the time that a machine spends
//! suspended: after an hour of sleep, a laptop must find its lease expired. Nodes expire keys by their wall clock, as
//! Redis does.

#![expect(clippy::disallowed_methods, reason = "this is the one file that reads time")]

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time on the holder's clock. Only the difference between two moments has a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The moment that lies `since_origin` after the clock's origin.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// How far this moment lies after the clock's origin.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this moment, or `None` if `earlier` is later.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn checked_since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment that lies `duration` later.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The moment that lies `duration` earlier, but never before the origin.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T+{:?}", self.0)
    }
}

/// A time on some machine's wall clock, in whole microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct WallTime(u64);

impl WallTime {
    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1000))
    }

    /// From microseconds since the Unix epoch.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn from_unix_us(us: u64) -> Self {
        Self(us)
    }

    /// Whole milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0 / 1000
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn unix_us(self) -> u64 {
        self.0
    }

    /// An earlier time comes from a clock that was never set: September 2001.
    pub(crate) const SET_SINCE: Self = Self::from_unix_us(1_000_000_000_000_000);

    /// Whether this time can come from a clock that was set. A clock that was never set shows a time before September
    /// 2001, as boards without a battery do. Counters start at the clock, so they would start too low.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn is_possible(self) -> bool {
        self.0 >= Self::SET_SINCE.0
    }

    /// The wall time `duration` later.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, on a clock that never goes back and that counts suspend.
    fn now(&self) -> Moment;

    /// The present time on the wall clock, which may step.
    fn wall(&self) -> WallTime;
}

/// The machine's clocks: `CLOCK_BOOTTIME` on Linux, `CLOCK_MONOTONIC` on Apple systems (where it counts suspend).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment(boottime())
    }

    fn wall(&self) -> WallTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }
}

#[cfg(unix)]
fn boottime() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const COUNTS_SUSPEND: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const COUNTS_SUSPEND: ClockId = ClockId::Monotonic;

    let now = clock_gettime(COUNTS_SUSPEND);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or_default(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// A clock that follows tokio's clock, so a test that pauses or advances tokio's time moves it too.
#[cfg(feature = "testing")]
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: tokio::time::Instant,
    wall_at_origin: WallTime,
}

#[cfg(feature = "testing")]
impl TokioClock {
    /// A clock whose wall time is `wall` now.
    #[must_use]
    pub fn starting_at(wall: WallTime) -> Self {
        Self { origin: tokio::time::Instant::now(), wall_at_origin: wall }
    }
}

#[cfg(feature = "testing")]
impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment(self.origin.elapsed())
    }

    fn wall(&self) -> WallTime {
        self.wall_at_origin.after(self.origin.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_goes_forward_and_knows_the_year() {
        let (first, second) = (SystemClock.now(), SystemClock.now());
        assert!(second >= first);
        // 2020-01-01: an unset clock would make tokens start too low.
        assert!(SystemClock.wall().unix_ms() > 1_577_836_800_000);
    }

    #[test]
    fn moments_subtract_without_panicking() {
        let (a, b) = (Moment::from_origin(Duration::from_secs(1)), Moment::from_origin(Duration::from_secs(3)));
        assert_eq!(b.checked_since(a), Some(Duration::from_secs(2)));
        assert_eq!(a.checked_since(b), None);
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(a.before(Duration::from_secs(9)), Moment::default());
    }
}
