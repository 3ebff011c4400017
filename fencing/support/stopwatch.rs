//! Times of the examples that measure what a fence costs.

use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
pub fn now() -> Instant {
    Instant::now()
}

/// The median in microseconds.
pub fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e6
}
