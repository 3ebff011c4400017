//! [`Terms`]: how long a holder may rely on its lease. Integers only, and every rounding shortens the validity.

use std::time::Duration;

use crate::Moment;

/// The terms of one lease: its time to live, and what is subtracted from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The time to live that the nodes are asked for, in whole milliseconds.
    pub ttl: Duration,
    /// By how much two clock rates may differ, in parts per million of the time to live. 10,000 is 1 %.
    pub drift_ppm: u32,
    /// An acquire fails if it leaves less validity than this.
    pub min_validity: Duration,
}

impl Terms {
    /// Subtracted besides the relative drift: expiry on a node is exact to one millisecond, and so is each clock.
    pub const DRIFT_FLOOR: Duration = Duration::from_millis(2);

    /// The drift allowance for the whole time to live, rounded up: `ttl × drift + 2 ms`.
    #[must_use]
    pub fn drift(&self) -> Duration {
        let nanos = (self.ttl.as_nanos() * u128::from(self.drift_ppm)).div_ceil(1_000_000);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).saturating_add(Self::DRIFT_FLOOR)
    }

    /// `ttl − elapsed − drift`; `None` if no validity is left.
    #[must_use]
    pub fn validity(&self, elapsed: Duration) -> Option<Duration> {
        self.ttl.checked_sub(elapsed)?.checked_sub(self.drift()).filter(|left| !left.is_zero())
    }

    /// When a lease that was requested at `started` ends for its holder.
    ///
    /// The caller must read `started` before it sends the first byte.
    #[must_use]
    pub fn valid_until(&self, started: Moment) -> Moment {
        started.after(self.ttl.saturating_sub(self.drift()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_what_is_left_after_elapsed_and_drift() {
        let ms = Duration::from_millis;
        for (ttl, ppm, elapsed, expected) in [
            (10_000, 10_000, 0, Some(9_898)),
            (10_000, 10_000, 898, Some(9_000)),
            (10_000, 0, 0, Some(9_998)),
            (100, 10_000, 96, Some(1)),
            (100, 10_000, 97, None), // zero validity is no validity
            (100, 10_000, 98, None),
            (100, 10_000, 5_000, None),
            (2, 10_000, 0, None), // ttl not above drift
        ] {
            let terms = Terms { ttl: ms(ttl), drift_ppm: ppm, min_validity: Duration::ZERO };
            assert_eq!(terms.validity(ms(elapsed)), expected.map(ms), "{ttl} {ppm} {elapsed}");
        }
    }

    #[test]
    fn drift_rounds_up() {
        let terms = Terms { ttl: Duration::from_nanos(3), drift_ppm: 1, min_validity: Duration::ZERO };
        assert_eq!(terms.drift(), Terms::DRIFT_FLOOR + Duration::from_nanos(1));
    }
}
