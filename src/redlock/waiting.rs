//! Acquiring with patience: tries again after a jittered pause, for as long as it may.

use std::sync::Arc;
use std::time::Duration;

use super::error::AcquireError;
use super::guard::Guard;
use super::held::Held;
use super::{Redlock, chronicle, drive};
use crate::protocol::{Backoff, Defeat, Subject};
use crate::{Holder, HolderId, Resource};

/// The first and the longest ceiling of the pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

impl Redlock {
    /// Attempts again and again until a lease is acquired or `wait_max` has passed; at least once.
    pub(super) async fn attempt_for(&self, resource: Resource, wait_max: Duration) -> Result<Guard, AcquireError> {
        let (core, settings) = (&self.core, &self.settings);
        core.keeper.start(core);
        core.sweeper.start(&*core.spawner);
        let called = core.clock.now();
        let mut pauses = Backoff::new(PAUSES.0, PAUSES.1, || core.entropy.u32());
        let mut attempts = 0;
        let mut round_max = settings.node_timeout;
        loop {
            attempts += 1;
            core.roster.prepare(core).await;
            // A new holder for every attempt: a late grant of an earlier one can never be taken for this one.
            let id = HolderId::from_random(core.entropy.u128());
            let holder = Holder::new(id, settings.label.clone());
            let subject = Arc::new(Subject { resource: resource.clone(), holder });
            let began = core.clock.now();
            let outcome = drive::acquire(core, settings, Arc::clone(&subject), round_max).await;
            let waited = core.clock.now().since(called);
            let defeat = match outcome {
                Ok((win, exchange)) => {
                    let (token, apart) = (win.token, win.sealed_apart);
                    tracing::debug!(%resource, holder = ?subject.holder, ?token, apart, attempts, ?waited, "acquired");
                    let held = Held::new(Arc::clone(core), Arc::clone(settings), subject, win, exchange);
                    chronicle::acquired(&held, settings.terms, began);
                    core.keeper.watch(&held);
                    return Ok(Guard::new(held));
                }
                Err(defeat) => defeat,
            };
            tracing::debug!(%resource, holder = ?subject.holder, ?defeat, attempts, "not acquired");
            let left = wait_max.saturating_sub(waited);
            if left.is_zero() {
                return Err(AcquireError::from_defeat(defeat, settings.terms, attempts, waited));
            }
            let pause = pauses.next().unwrap_or(PAUSES.1).min(left);
            tokio::time::sleep(until_free(&defeat).map_or(pause, |free| pause.min(free))).await;
            // The last attempt may not outlast the wait by a whole round.
            round_max = settings.node_timeout.min(left).max(MIN_ROUND);
        }
    }
}

/// However little of the wait is left, an attempt gets this long: one round trip on a local network.
const MIN_ROUND: Duration = Duration::from_millis(10);

/// When the lock that stands in the way ends by itself, if it is not renewed.
fn until_free(defeat: &Defeat) -> Option<Duration> {
    let Defeat::Contended(votes) = defeat else { return None };
    votes.occupant().and_then(|(_, left)| left).map(|left| left.max(Duration::from_millis(1)))
}
