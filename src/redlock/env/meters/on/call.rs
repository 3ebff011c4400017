//! [`CallMeter`]: measures one call that wants a lease.

use std::sync::Arc;

use super::resource::ResourceMeters;
use crate::redlock::error::AcquireError;
use crate::{Clock, Moment};

/// One call that wants a lease. Dropped before it is over, the call was cancelled.
pub(crate) struct CallMeter<'a> {
    meters: Arc<ResourceMeters>,
    clock: &'a dyn Clock,
    began: Moment,
    is_handed_over: bool,
    is_over: bool,
}

impl<'a> CallMeter<'a> {
    pub(super) fn new(meters: Arc<ResourceMeters>, clock: &'a dyn Clock, began: Moment) -> Self {
        meters.waiters.increment(1);
        Self { meters, clock, began, is_handed_over: false, is_over: false }
    }

    /// The lease was won by an attempt that began at `began`, or handed over then.
    pub(crate) fn won(&mut self, is_handed_over: bool, began: Moment) {
        self.is_handed_over = is_handed_over;
        self.meters.wait.record(began.since(self.began));
    }

    /// The call returns.
    pub(crate) fn over(&mut self, error: Option<&AcquireError>) {
        self.is_over = true;
        let acquire = &self.meters.acquire;
        let outcome = match error {
            None if self.is_handed_over => &acquire.handed_over,
            None => &acquire.acquired,
            Some(AcquireError::Contended { .. } | AcquireError::HeldWithoutTtl { .. }) => &acquire.contended,
            Some(AcquireError::Overloaded { .. }) => &acquire.overloaded,
            Some(AcquireError::TooSlow { .. }) => &acquire.too_slow,
            Some(AcquireError::NoQuorum { .. } | AcquireError::Resource(_)) => &acquire.no_quorum,
        };
        outcome.record(self.clock.now().since(self.began));
    }
}

impl Drop for CallMeter<'_> {
    fn drop(&mut self) {
        self.meters.waiters.decrement(1);
        if !self.is_over {
            self.meters.acquire.cancelled.record(self.clock.now().since(self.began));
        }
    }
}
