//! [`LeaseMeter`]: measures one lease, or one section of it.

use std::sync::Arc;
use std::time::Duration;

use super::super::Extended;
use super::resource::ResourceMeters;
use crate::Moment;
use crate::protocol::LossCause;

/// One lease. A section that no task was there to have never begins, and leaves no trace.
pub(crate) struct LeaseMeter {
    meters: Arc<ResourceMeters>,
    began: Option<Moment>,
    /// When it ended, if that was before its release.
    lost_at: Option<Moment>,
}

impl LeaseMeter {
    pub(super) const fn new(meters: Arc<ResourceMeters>) -> Self {
        Self { meters, began: None, lost_at: None }
    }

    /// Another section of the same lease.
    pub(crate) fn next(&self) -> Self {
        Self::new(Arc::clone(&self.meters))
    }

    /// A task has it from `now` on.
    pub(crate) fn begins(&mut self, now: Moment, ends_at: Moment) {
        self.began = Some(now);
        self.meters.leases.increment(1);
        self.meters.validity_at_acquire.record(ends_at.since(now));
    }

    /// It ended at `now`, or at `ends_at` if that is earlier.
    pub(crate) fn ended(&mut self, cause: &LossCause, now: Moment, ends_at: Moment) {
        let Some(began) = self.began else { return };
        let over_at = now.min(ends_at);
        self.meters.leases.decrement(1);
        self.meters.hold.record(over_at.since(began));
        let losses = &self.meters.losses;
        match cause {
            LossCause::Released => {
                self.meters.validity_at_release.record(ends_at.since(now));
                if now >= ends_at {
                    self.lost_at = Some(ends_at);
                    self.overran(now);
                }
                return;
            }
            LossCause::Expired => losses.expired.increment(1),
            LossCause::Taken => losses.taken.increment(1),
            LossCause::MaxHold => losses.max_hold.increment(1),
            LossCause::Forked => losses.forked.increment(1),
        }
        self.lost_at = Some(over_at);
    }

    /// The guard was given up at `now`, after the end of the lease.
    pub(crate) fn overran(&self, now: Moment) {
        let by = self.lost_at.map_or(Duration::ZERO, |lost_at| now.since(lost_at));
        self.meters.overrun.record(by);
    }

    /// A try to extend it is over.
    pub(crate) fn extended(&self, outcome: Extended) {
        let renewals = &self.meters.renewals;
        match outcome {
            Extended::Yes => renewals.extended.increment(1),
            Extended::NoQuorum => renewals.no_quorum.increment(1),
            Extended::TooSlow => renewals.too_slow.increment(1),
            Extended::Gone => renewals.gone.increment(1),
        }
    }
}
