//! Clocks that run at their own rate, are off, and step.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redfence::{Clock, Moment, WallTime};

use super::world::{WALL_AT_START, World};
use crate::plan::ClockError;

/// The clocks of one machine: a monotonic clock and a wall clock. Both run at the machine's rate.
pub struct MachineClock {
    world: Arc<World>,
    drift_ppm: i64,
    offset_us: AtomicI64,
    /// A mutant: the wall clock is used as the monotonic clock.
    wall_only: bool,
}

/// The monotonic clock starts at one day.
const UPTIME: Duration = Duration::from_secs(86_400);

impl MachineClock {
    /// The clocks of `error`.
    #[must_use]
    pub fn new(world: &Arc<World>, error: ClockError, wall_only: bool) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            drift_ppm: i64::from(error.drift_ppm),
            offset_us: AtomicI64::new(i64::from(error.offset_ms) * 1_000),
            wall_only,
        })
    }

    /// The wall clock steps.
    pub fn step(&self, by_ms: i32) {
        self.offset_us.fetch_add(i64::from(by_ms) * 1_000, Ordering::Relaxed);
    }

    /// The true time, in microseconds since the run began, at which this clock shows `moment`.
    #[must_use]
    pub fn true_us(&self, moment: Moment) -> u64 {
        let mut shown = i128::from(u64::try_from(moment.since_origin().as_micros()).unwrap_or(u64::MAX));
        shown -= if self.wall_only {
            i128::from(WALL_AT_START.unix_us()) + i128::from(self.offset_us.load(Ordering::Relaxed))
        } else {
            i128::try_from(UPTIME.as_micros()).unwrap_or_default()
        };
        let us = shown * 1_000_000 / i128::from(1_000_000 + self.drift_ppm);
        u64::try_from(us.max(0)).unwrap_or(u64::MAX)
    }

    fn elapsed_us(&self) -> i64 {
        let us = i64::try_from(self.world.now_us()).unwrap_or(i64::MAX);
        us + us * self.drift_ppm / 1_000_000
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Moment {
        if self.wall_only {
            return Moment::from_origin(Duration::from_micros(self.wall().unix_us()));
        }
        Moment::from_origin(UPTIME + Duration::from_micros(u64::try_from(self.elapsed_us()).unwrap_or_default()))
    }

    fn wall(&self) -> WallTime {
        let off = self.elapsed_us() + self.offset_us.load(Ordering::Relaxed);
        WallTime::from_unix_us(WALL_AT_START.unix_us().saturating_add_signed(off))
    }
}
