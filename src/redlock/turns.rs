//! Passing a resource on from one task of this process to the next: in memory where that is allowed, else by releasing it
//! and asking for it again in one message.

use std::sync::Arc;

use super::core::Core;
use super::drive::{self, Ask};
use super::exchange::Phase;
use super::held::Held;
use super::lobby::{Call, Seat};
use super::settings::{HandOver, Settings};
use super::tenure::Tenure;
use crate::protocol::{Defeat, LossCause, Subject, Vote};
use crate::{Holder, HolderId, NodeSet, Resource};

/// What became of a lease whose section is over.
pub(super) enum Passed {
    /// The next task has it.
    On,
    /// It was released on these nodes; the answers are to come.
    Released(NodeSet),
}

/// The section of `held` is over: whoever waits is next, and where nobody does the lease is released.
pub(super) fn pass_on(held: &Arc<Held>, reading: Option<Phase>) -> Passed {
    let (core, resource) = (&held.core, &held.subject.resource);
    let mut section = None;
    let has_room = held.leaves_room();
    if has_room {
        while let Some((seat, tenure)) = core.lobby.next(resource) {
            let over = tenure.is_none_or(|tenure: Tenure| tenure.is_over(&held.settings, core.clock.now()));
            // Each for itself: where the one before is not there any more, the next may be one that came too late.
            let next =
                if over || !may_have(held, &seat) { None } else { section.take().or_else(|| held.next_section()) };
            let Some(next) = next else {
                if let Some(unused) = section {
                    unused.never_began();
                }
                return release_and_ask(held, &seat, over, reading);
            };
            match hand_over(&next, &seat) {
                Ok(()) => return Passed::On,
                Err(kept) => section = Some(kept),
            }
        }
    }
    if let Some(unused) = section {
        unused.never_began();
    }
    let asked = held.exchange.leave(reading);
    if has_room {
        core.lobby.advance(core, resource);
    }
    Passed::Released(asked)
}

/// Whether tasks of this process contend for the resource, and too few of them wait just now to go on in memory.
pub(super) fn more_may_come(held: &Held) -> bool {
    let resource = &held.subject.resource;
    held.settings.hand_over != HandOver::Off && held.core.lobby.is_busy(resource, held.is_last())
}

/// A section that was given to somebody who is not there any more.
pub(super) fn decline(held: &Arc<Held>) {
    held.end(LossCause::Released);
    pass_on(held, None);
}

/// Whether one that waits may have the lease in memory.
fn may_have(held: &Held, seat: &Seat) -> bool {
    let promised = match held.settings.hand_over {
        HandOver::Off => false,
        // Whoever came after the grants were asked for may have seen a later lease of somebody else's.
        HandOver::ToThoseWhoWaited => seat.came < held.asked_at,
        HandOver::ToAnybody => true,
    };
    promised && Arc::ptr_eq(&seat.settings, &held.settings)
}

fn hand_over(next: &Arc<Held>, seat: &Seat) -> Result<(), Arc<Held>> {
    let (core, resource) = (&next.core, &next.subject.resource);
    core.lobby.counts_section(resource, core.clock.now());
    core.keeper.watch(next);
    match seat.give(Call::Section(Arc::clone(next))) {
        Ok(()) => Ok(()),
        Err(_) => Err(Arc::clone(next)),
    }
}

/// Releases, and asks for the lease anew for the one that is next, in one message.
fn release_and_ask(held: &Arc<Held>, seat: &Arc<Seat>, politely: bool, reading: Option<Phase>) -> Passed {
    let (core, resource) = (&held.core, &held.subject.resource);
    let asked = held.exchange.prepare_to_leave(reading);
    if politely {
        core.lobby.renews_tenure(resource, core.clock.now());
    }
    let ask = ask_for(core, resource, &seat.settings, politely);
    let call = match drive::begin(
        core,
        &seat.settings,
        new_subject(core, resource, &seat.settings),
        ask,
        Some((&held.exchange, asked)),
    ) {
        Ok(attempt) => Call::Attempt(Box::new(attempt)),
        Err(_) => Call::Turn,
    };
    if let Err(call) = seat.give(call) {
        drop(call);
        core.lobby.advance(core, resource);
    }
    Passed::Released(asked)
}

/// What one asks for that does not take over from another task: politely, if the last one of this process had it until a moment
/// ago, and for long.
pub(super) fn ask_anew(core: &Core, resource: &Resource, settings: &Arc<Settings>) -> Ask {
    let politely = core.lobby.is_overdue(resource, settings, core.clock.now());
    if politely {
        core.lobby.renews_tenure(resource, core.clock.now());
    }
    ask_for(core, resource, settings, politely)
}

/// What the one whose turn it is asks for: tokens for all who wait behind it, and, after a long turn, politely.
fn ask_for(core: &Core, resource: &Resource, settings: &Arc<Settings>, politely: bool) -> Ask {
    let (sections_max, _) = settings.turn_max;
    let wanted = match settings.hand_over {
        HandOver::Off => 1,
        HandOver::ToThoseWhoWaited => core.lobby.waiting(resource, settings).saturating_add(1),
        HandOver::ToAnybody => usize::MAX,
    };
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(sections_max).max(1);
    let block = core.levels.block(resource.slot(), wanted, core.clock.wall());
    let bell = core.lobby.bell(resource);
    // Those who listen themselves are one of those who wait.
    let yield_at = u32::from(politely) * (1 + u32::from(bell.is_some()));
    Ask { block, yield_at, first: None, mark: bell.map_or(0, |bell| bell.mark()) }
}

/// A new holder for every attempt: a late grant of an earlier one can never be taken for this one.
pub(super) fn new_subject(core: &Core, resource: &Resource, settings: &Settings) -> Arc<Subject> {
    let id = HolderId::from_random(core.entropy.u128()).of(core.lobby.me());
    let holder = Holder::new(id, settings.label.clone());
    Arc::new(Subject { resource: resource.clone(), holder })
}

/// Whether an attempt that was polite met others that wait.
pub(super) fn has_yielded(ask: Ask, defeat: &Defeat) -> bool {
    ask.yield_at > 0 && is_free(defeat) && defeat.votes().granted() == 0
}

/// Whether nodes refused, and none because somebody has the lock.
pub(super) fn is_free(defeat: &Defeat) -> bool {
    let votes = defeat.votes();
    votes.occupant().is_none() && votes.iter().any(|(_, vote)| matches!(vote, Vote::Refused(_)))
}

/// How many others listened when an attempt was refused; this process may have been `counted`, for it listens itself.
pub(super) fn others_listening(defeat: &Defeat, counted: bool) -> u32 {
    let listening = |vote: &Vote| match vote {
        Vote::Refused(view) => Some(view.listening),
        _ => None,
    };
    let mut told: Vec<_> = defeat.votes().iter().filter_map(|(_, vote)| listening(vote)).collect();
    // Whoever listens at a few nodes only is not one of ours.
    told.sort_unstable();
    told.get(told.len() / 2).map_or(0, |most| most.saturating_sub(u32::from(counted)))
}
