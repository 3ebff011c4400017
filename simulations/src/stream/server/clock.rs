//! [`NodeClock`]: the wall clock of one machine: off, fast or slow, and set by hand now and then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redfence::{Clock, Moment, WallTime};

/// A wall clock of its own, on top of the true time.
pub struct NodeClock {
    truth: Arc<dyn Clock>,
    face: Mutex<Face>,
}

/// What the clock showed when it was last touched, and how fast it goes since.
struct Face {
    at: Moment,
    showed_us: i64,
    drift_ppm: i64,
}

impl NodeClock {
    /// A clock that is right, for now.
    #[must_use]
    pub fn new(truth: Arc<dyn Clock>) -> Self {
        let face = Face { at: truth.now(), showed_us: signed(truth.wall().unix_us()), drift_ppm: 0 };
        Self { truth, face: Mutex::new(face) }
    }

    /// Sets the clock forward, or back.
    pub fn step(&self, by_us: i64) {
        self.touch(|face| face.showed_us = face.showed_us.saturating_add(by_us).max(0));
    }

    /// From now on it goes faster by so many millionths, or slower.
    pub fn drift(&self, ppm: i64) {
        self.touch(|face| face.drift_ppm = ppm);
    }

    fn touch(&self, change: impl FnOnce(&mut Face)) {
        let now = self.truth.now();
        let mut face = self.face.lock().unwrap_or_else(PoisonError::into_inner);
        face.showed_us = face.shows_us(now);
        face.at = now;
        change(&mut face);
    }
}

impl Face {
    fn shows_us(&self, now: Moment) -> i64 {
        let passed = i64::try_from(now.since(self.at).as_micros()).unwrap_or(i64::MAX);
        let gained = i128::from(passed) * i128::from(self.drift_ppm) / 1_000_000;
        self.showed_us.saturating_add(passed).saturating_add(i64::try_from(gained).unwrap_or(0))
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Moment {
        self.truth.now()
    }

    fn wall(&self) -> WallTime {
        let now = self.truth.now();
        let shows = self.face.lock().unwrap_or_else(PoisonError::into_inner).shows_us(now);
        WallTime::from_unix_us(u64::try_from(shows).unwrap_or(0))
    }
}

impl std::fmt::Debug for NodeClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeClock({:?})", Duration::from_micros(self.wall().unix_us()))
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}
