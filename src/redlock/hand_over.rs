//! Passes a resource from one task of this process to the next: in memory if that is allowed, else by a release and a
//! new grant in one message.
//!
//! [`ask_anew`] says what the new grant asks for. The first attempt of a call begins with it as well.

use std::sync::Arc;

use super::lease::active::{ActiveLease, Permit, Wakeup};
use super::lease::renewer;
use super::round::attempt::Attempt;
use super::round::exchange::Phase;
use super::settings::HandOver;
use super::wait::next_attempt::ask_anew;
use super::wait::turn::Turn;
use super::wait::waiter::LocalWaiter;
use crate::protocol::{LossCause, Next, Publish};
use crate::{Moment, NodeSet};

/// What happened to a lease at the end of its section.
pub(crate) enum Passed {
    /// The next task has it.
    On,
    /// It was released on these nodes; the replies are still to come.
    Released(NodeSet),
}

/// Ends the section of `lease`: the next waiting task gets it, or the lease is released if no task waits.
pub(crate) fn pass_on(lease: &Arc<ActiveLease>, reading: Option<Phase>) -> Passed {
    let now = lease.env().clock.now();
    let mut section: Option<Arc<ActiveLease>> = None;
    let mut permit = lease.take_permit();
    while let Some((waiter, turn)) = permit.as_ref().and_then(Permit::next) {
        let over = turn.is_none_or(|turn: Turn| turn.is_over(&lease.settings, now));
        // Checked for each waiter: if a waiter has gone, the next one may have arrived too late for the lease.
        let next =
            if over || !may_have(lease, &waiter) { None } else { section.take().or_else(|| lease.next_section(now)) };
        if let Some(unused) = section.take() {
            unused.never_began();
        }
        let Some(permit_now) = permit.take() else { break };
        let Some(next) = next else { return release_and_ask(lease, permit_now, &waiter, over, reading) };
        match hand_over(&next, permit_now, &waiter, now) {
            Ok(()) => return Passed::On,
            Err((kept, given_back)) => (section, permit) = (Some(kept), given_back),
        }
    }
    if let Some(unused) = section {
        unused.never_began();
    }
    let asked = lease.exchange.leave(reading);
    // The next task asks after the release was sent.
    drop(permit);
    Passed::Released(asked)
}

/// Whether tasks of this process contend for the resource, but too few of them wait at this moment to continue in
/// memory.
pub(crate) fn more_may_come(lease: &ActiveLease) -> bool {
    lease.settings.hand_over != HandOver::Off && lease.is_busy()
}

/// Ends a section whose task no longer waits for it.
pub(crate) fn decline(lease: &Arc<ActiveLease>) {
    lease.end(LossCause::Released);
    pass_on(lease, None);
}

/// Whether a waiting task may get the lease in memory.
fn may_have(lease: &ActiveLease, waiter: &LocalWaiter<Wakeup>) -> bool {
    let promised = match lease.settings.hand_over {
        HandOver::Off => false,
        // A task that arrived after the grants were sent may have seen a later lease of another process.
        HandOver::ToWaiters => waiter.arrived < lease.arrivals_before,
        HandOver::WithoutOrder => true,
    };
    promised && Arc::ptr_eq(&waiter.settings, &lease.settings)
}

fn hand_over(
    next: &Arc<ActiveLease>,
    permit: Permit,
    waiter: &LocalWaiter<Wakeup>,
    now: Moment,
) -> Result<(), (Arc<ActiveLease>, Option<Permit>)> {
    permit.queue.counts_section(now);
    next.put_permit(permit);
    renewer::attend(&next.renewals.schedule, Arc::clone(next), now);
    match waiter.wake(Wakeup::Section(Arc::clone(next))) {
        Ok(()) => Ok(()),
        Err(_) => Err((Arc::clone(next), next.take_permit())),
    }
}

/// Releases the lease and asks for a new one for the next task, in one message. During the turn, the lock is kept for
/// the new grant. After the turn, other processes come first.
fn release_and_ask(
    lease: &Arc<ActiveLease>,
    permit: Permit,
    waiter: &Arc<LocalWaiter<Wakeup>>,
    is_over: bool,
    reading: Option<Phase>,
) -> Passed {
    let next = if is_over { Next::Queue(Publish::ToFirstTwo) } else { Next::Grant };
    let asked = lease.exchange.prepare_to_leave(reading, next);
    if is_over {
        permit.queue.ends_turn();
    }
    let (subject, ask) = ask_anew(permit.queues(), &permit.queue, &waiter.settings);
    let earlier = Some((&lease.exchange, asked, next));
    let begun = waiter.span.in_scope(|| Attempt::begin(lease.env(), &waiter.settings, subject, ask, earlier));
    let wakeup = match begun {
        Ok(attempt) => Wakeup::Attempt(permit, attempt),
        Err(_) => Wakeup::Permit(permit),
    };
    // If the task has gone, the attempt is rolled back first, and then the permit wakes the next task.
    if let Err(Wakeup::Attempt(permit, attempt)) = waiter.wake(wakeup) {
        drop(attempt);
        drop(permit);
    }
    Passed::Released(asked)
}
