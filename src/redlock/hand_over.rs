//! Passing a resource on from one task of this process to the next: in memory where that is allowed, else by releasing it
//! and asking for it again in one message.

use std::sync::Arc;

use super::settings::{HandOver, Settings};
use crate::protocol::{LossCause, Next, Subject, Tells};
use crate::redlock::env::Core;
use crate::redlock::lease::active::Held;
use crate::redlock::round::drive::{self, Ask};
use crate::redlock::round::exchange::Phase;
use crate::redlock::wait::local_queue::{LocalQueue, LocalWaiter, Permit, Wakeup};
use crate::redlock::wait::turn::Turn;
use crate::{Holder, HolderId, NodeSet, Resource, Waiter};

/// What became of a lease whose section is over.
pub(crate) enum Passed {
    /// The next task has it.
    On,
    /// It was released on these nodes; the answers are to come.
    Released(NodeSet),
}

/// The section of `held` is over: the task that waits is next, and where none does the lease is released.
pub(crate) fn pass_on(held: &Arc<Held>, reading: Option<Phase>) -> Passed {
    let now = held.core.clock.now();
    let mut section: Option<Arc<Held>> = None;
    let mut permit = held.take_permit();
    while let Some((waiter, turn)) = permit.as_ref().and_then(Permit::next) {
        let over = turn.is_none_or(|turn: Turn| turn.is_over(&held.settings, now));
        // Each for itself: where the one before is not there any more, the next may be one that came too late.
        let next = if over || !may_have(held, &waiter) { None } else { section.take().or_else(|| held.next_section()) };
        if let Some(unused) = section.take() {
            unused.never_began();
        }
        let Some(permit_now) = permit.take() else { break };
        let Some(next) = next else { return release_and_ask(held, permit_now, &waiter, over, reading) };
        match hand_over(&next, permit_now, &waiter) {
            Ok(()) => return Passed::On,
            Err((kept, given_back)) => (section, permit) = (Some(kept), given_back),
        }
    }
    if let Some(unused) = section {
        unused.never_began();
    }
    let asked = held.exchange.leave(reading);
    // The next task asks behind the release.
    drop(permit);
    Passed::Released(asked)
}

/// Whether tasks of this process contend for the resource, and too few of them wait just now to go on in memory.
pub(crate) fn more_may_come(held: &Held) -> bool {
    held.settings.hand_over != HandOver::Off && held.is_busy()
}

/// A section that was given to a task that is not there any more.
pub(crate) fn decline(held: &Arc<Held>) {
    held.end(LossCause::Released);
    pass_on(held, None);
}

/// Whether a task that waits may have the lease in memory.
fn may_have(held: &Held, waiter: &LocalWaiter) -> bool {
    let promised = match held.settings.hand_over {
        HandOver::Off => false,
        // One that arrived after the grants were sent may have seen a later lease of somebody else's.
        HandOver::ToThoseWhoWaited => waiter.arrived < held.asked_at,
        HandOver::ToAnybody => true,
    };
    promised && Arc::ptr_eq(&waiter.settings, &held.settings)
}

fn hand_over(next: &Arc<Held>, permit: Permit, waiter: &LocalWaiter) -> Result<(), (Arc<Held>, Option<Permit>)> {
    permit.queue.counts_section(next.core.clock.now());
    next.put_permit(permit);
    next.core.keeper.watch(next);
    match waiter.wake(Wakeup::Section(Arc::clone(next))) {
        Ok(()) => Ok(()),
        Err(_) => Err((Arc::clone(next), next.take_permit())),
    }
}

/// Releases, and asks for the lease anew for the task that is next, in one message. Within the turn the lock is kept for it;
/// after the turn other processes come first.
fn release_and_ask(
    held: &Arc<Held>,
    permit: Permit,
    waiter: &Arc<LocalWaiter>,
    is_over: bool,
    reading: Option<Phase>,
) -> Passed {
    let core = &held.core;
    let next = if is_over { Next::Queue(Tells::Both) } else { Next::Grant };
    let asked = held.exchange.prepare_to_leave(reading, next);
    if is_over {
        permit.queue.ends_turn();
    }
    let (subject, ask) = ask_anew(core, &permit.queue, &waiter.settings);
    let begun = drive::begin(core, &waiter.settings, subject, ask, Some((&held.exchange, asked, next)));
    let wakeup = match begun {
        Ok(attempt) => Wakeup::Attempt(permit, Box::new(attempt)),
        Err(_) => Wakeup::Permit(permit),
    };
    // Where the task has gone the attempt is rolled back, and then the permit wakes the next.
    if let Err(Wakeup::Attempt(permit, attempt)) = waiter.wake(wakeup) {
        drop(attempt);
        drop(permit);
    }
    Passed::Released(asked)
}

/// What the task asks for that has the permit: tokens for all that wait behind it, and a place in the queue.
pub(crate) fn ask_anew(core: &Core, queue: &LocalQueue, settings: &Arc<Settings>) -> (Arc<Subject>, Ask) {
    let (sections_max, _) = settings.turn_max;
    let wanted = match settings.hand_over {
        HandOver::Off => 1,
        HandOver::ToThoseWhoWaited => queue.waiting(settings).saturating_add(1),
        HandOver::ToAnybody => usize::MAX,
    };
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(sections_max).max(1);
    let block = core.levels.block(queue.resource.slot(), wanted, core.clock.wall());
    let (waiter, waits) = queue.ask(core, &settings.label, core.clock.now());
    (new_subject(core, &queue.resource, settings, waiter), Ask { block, waits })
}

/// A new holder for every attempt: a late grant of an earlier one can never be taken for this one.
pub(crate) fn new_subject(core: &Core, resource: &Resource, settings: &Settings, waiter: Waiter) -> Arc<Subject> {
    let holder = Holder::new(HolderId::from_random(core.entropy.u128()), settings.label.clone());
    Arc::new(Subject { resource: resource.clone(), holder, waiter })
}
