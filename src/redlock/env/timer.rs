//! Sleeps until a moment of a clock that counts suspend. The timers do not count suspend, and a program may pause
//! them.

use std::time::Duration;

use crate::{Clock, Moment};

/// Timers stand still while the machine is suspended. So no timer is set for longer than this, and afterwards the
/// clock is read again. After a suspend, everything that became due fires within this time.
const SUSPEND_SLICE: Duration = Duration::from_millis(500);

/// Sleeps until `at`, by the clock.
pub(crate) async fn sleep_until(clock: &dyn Clock, at: Moment) {
    while let Some(left) = at.checked_since(clock.now()).filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(SUSPEND_SLICE)).await;
    }
}

/// Whether `clock` runs while tokio's clock stands still, as after `tokio::time::pause`. Then time-outs expire at
/// once, whatever their length.
pub(crate) fn outruns_tokio(clock: &dyn Clock) -> bool {
    /// Longer than the smallest step of any clock.
    const A_WHILE: Duration = Duration::from_micros(10);
    /// If `clock` follows tokio's clock, it never runs ahead.
    const LOOKS_MAX: usize = 10_000;
    // Tokio's present time, without another reading of a system clock.
    let tokio_now = || tokio::time::sleep(Duration::ZERO).deadline();
    let (before, tokio_before) = (clock.now(), tokio_now());
    (0..LOOKS_MAX).any(|_| clock.now().since(before) >= A_WHILE) && tokio_now() == tokio_before
}
