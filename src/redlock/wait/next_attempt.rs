//! What the next attempt asks for, and for whom.

use std::sync::Arc;

use super::local_queue::{LocalQueue, LocalQueues};
use crate::protocol::Subject;
use crate::redlock::env::Env;
use crate::redlock::round::attempt::Ask;
use crate::redlock::settings::{HandOver, Settings};
use crate::{Holder, HolderId};

/// What the task with the permit asks for: tokens for all tasks that wait behind it, and a place in the queue.
pub(crate) fn ask_anew<W>(
    queues: &LocalQueues<W>,
    queue: &LocalQueue<W>,
    settings: &Arc<Settings>,
) -> (Arc<Subject>, Ask) {
    let (sections_max, _) = settings.turn_max;
    let wanted = match settings.hand_over {
        HandOver::Off => 1,
        HandOver::ToWaiters => queue.waiting(settings).saturating_add(1),
        HandOver::WithoutOrder => usize::MAX,
    };
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(sections_max).max(1);
    let env = &queues.env;
    let block = env.watermarks.block(queue.resource.slot(), wanted, env.clock.wall());
    let holder = new_holder(env, settings);
    let (waiter, waits) = queue.ask(queues, &holder, env.clock.now());
    (Arc::new(Subject { resource: queue.resource.clone(), holder, waiter }), Ask { block, waits })
}

/// A new holder for every attempt, so that a late grant of an earlier attempt never counts for this one.
pub(crate) fn new_holder(env: &Env, settings: &Settings) -> Holder {
    Holder::new(HolderId::from_random(env.entropy.u128()), settings.label.clone())
}
