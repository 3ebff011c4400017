//! [`Wait`]: one wait for several things.

use std::time::Duration;

use crate::{Clock, Moment, Redlock};

/// A wait that began at some moment, for all that is waited for together.
pub(super) struct Wait<'a> {
    clock: &'a dyn Clock,
    began: Moment,
    wait_max: Duration,
}

impl<'a> Wait<'a> {
    /// It begins now.
    pub(super) fn begin(redlock: &'a Redlock, wait_max: Duration) -> Self {
        let clock = redlock.clock();
        Self { clock, began: clock.now(), wait_max }
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.wait_max.saturating_sub(self.clock.now().since(self.began))
    }
}
