//! [`Wait`]: one limit of time for several waits.

use std::time::Duration;

use crate::{Clock, Moment, Redlock};

/// How long a call may wait, for everything together that it waits for.
pub(super) struct Wait<'a> {
    clock: &'a dyn Clock,
    began: Moment,
    wait_max: Duration,
}

impl<'a> Wait<'a> {
    /// The call begins now.
    pub(super) fn begin(redlock: &'a Redlock, wait_max: Duration) -> Self {
        let clock = redlock.clock();
        Self { clock, began: clock.now(), wait_max }
    }

    /// How much time is left.
    pub(super) fn left(&self) -> Duration {
        self.wait_max.saturating_sub(self.clock.now().since(self.began))
    }
}
