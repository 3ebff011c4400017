//! Sleeping on a clock that counts suspend, by a timer that does not, and that a program may pause.

use std::time::Duration;

use crate::{Clock, Moment};

/// Timers stand still while the machine is suspended; so they are never set for longer than this, and the clock is read
/// again. After a suspend everything that fell due in it fires within this time.
const SUSPEND_SLICE: Duration = Duration::from_millis(500);

/// Sleeps until `at`, by the clock.
pub(crate) async fn sleep_until(clock: &dyn Clock, at: Moment) {
    while let Some(left) = at.checked_since(clock.now()).filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(SUSPEND_SLICE)).await;
    }
}

/// Whether `clock` goes on while tokio's stands still, as after `tokio::time::pause`: then time-outs fall due at once,
/// however much time they were given.
pub(crate) fn outruns_tokio(clock: &dyn Clock) -> bool {
    /// Longer than the finest step of any clock.
    const A_WHILE: Duration = Duration::from_micros(10);
    /// Where the clock is tokio's, too, it never goes on.
    const LOOKS_MAX: usize = 10_000;
    // What tokio takes for now, without asking a clock of our own.
    let tokio_now = || tokio::time::sleep(Duration::ZERO).deadline();
    let (before, tokio_before) = (clock.now(), tokio_now());
    (0..LOOKS_MAX).any(|_| clock.now().since(before) >= A_WHILE) && tokio_now() == tokio_before
}
