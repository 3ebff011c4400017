//! [`Belief`]: whether a client believes in its lease, and the records about that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redfence::{LeaseHandle, LossCause};

use super::clocks::MachineClock;
use super::world::World;
use crate::history::Record;
use crate::mutant::Mutant;

/// A lease that a client believes in.
pub(super) struct Belief {
    world: Arc<World>,
    clock: Arc<MachineClock>,
    handle: LeaseHandle,
    mutant: Option<Mutant>,
    /// The extra validity of the mutant that measures from the replies.
    too_long_us: u64,
    first_valid_until_us: u64,
    /// When the client learned from a reply that the lock is gone.
    told_us: Arc<AtomicU64>,
}

impl Belief {
    /// The acquire that began at `began_us` has just returned this lease. The task may be a `latecomer`.
    pub(super) fn begin(
        world: &Arc<World>,
        clock: &Arc<MachineClock>,
        handle: LeaseHandle,
        (began_us, latecomer): (u64, bool),
        mutant: Option<Mutant>,
    ) -> Self {
        let now_us = world.now_us();
        let lease = handle.lease();
        let ttl_us = u64::try_from(lease.ttl.as_micros()).unwrap_or_default();
        let too_long_us = if mutant == Some(Mutant::ValidFromReplies) { now_us - began_us } else { 0 };
        let mut belief = Self {
            world: Arc::clone(world),
            clock: Arc::clone(clock),
            handle,
            mutant,
            too_long_us,
            first_valid_until_us: 0,
            told_us: Arc::new(AtomicU64::new(u64::MAX)),
        };
        belief.first_valid_until_us = belief.valid_until_us();
        world.count(|seen| seen.acquired += 1);
        world.record(Record::Acquired {
            at_us: now_us,
            began_us,
            resource: lease.resource.to_string(),
            holder: lease.holder.to_string(),
            token: lease.token,
            ttl_us,
            valid_until_us: belief.first_valid_until_us,
            latecomer,
        });
        belief
    }

    /// Waits for the end of the lease and notes when the client learned of it.
    pub(super) fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let (world, handle, told_us) = (Arc::clone(&self.world), self.handle.clone(), Arc::clone(&self.told_us));
        async move {
            if handle.lost().await == LossCause::Taken {
                told_us.fetch_min(world.now_us(), Ordering::Relaxed);
            }
        }
    }

    /// Whether the client may still act. Under the mutant that learns of a loss from replies only, it does not look at
    /// its clock.
    pub(super) fn holds(&self) -> bool {
        match (self.mutant, self.handle.check()) {
            (Some(Mutant::LossByReplyOnly), Err(lost)) => lost.cause != LossCause::Taken,
            (Some(Mutant::ValidFromReplies), Err(_)) => self.world.now_us() < self.valid_until_us(),
            (_, verdict) => verdict.is_ok(),
        }
    }

    /// The client gives the lease up, or finds that it is lost, or dies. Recorded once.
    pub(super) fn end(self, cause: &str) {
        let now_us = self.world.now_us().min(self.told_us.load(Ordering::Relaxed));
        let valid_until_us = self.valid_until_us();
        let lease = self.handle.lease();
        let (resource, holder, token) = (lease.resource.to_string(), lease.holder.to_string(), lease.token);
        if valid_until_us > self.first_valid_until_us {
            self.world.count(|seen| seen.extended += 1);
            let (resource, holder) = (resource.clone(), holder.clone());
            self.world.record(Record::Extended { at_us: now_us, resource, holder, token, valid_until_us });
        }
        self.world.record(Record::Ended { at_us: now_us, resource, holder, token, cause: cause.to_owned() });
    }

    fn valid_until_us(&self) -> u64 {
        let valid_until_us = self.clock.true_us(self.handle.lease().valid_until) + self.too_long_us;
        match self.mutant {
            Some(Mutant::LossByReplyOnly) => valid_until_us.max(u64::MAX / 2),
            _ => valid_until_us,
        }
    }
}
