//! Sleeping on a clock that counts suspend, by a timer that does not.

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
