//! [`Patience`]: what one that waits at the nodes does between two attempts, and whom it asks next.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::bell::{Awaited, Bell, Told};
use super::core::Core;
use super::drive::Ask;
use super::lobby::first_of;
use crate::protocol::{Backoff, Votes};
use crate::{Holder, HolderId, NodeSet, Resource};

/// The first and the longest ceiling of the pause between attempts where no holder stands in the way.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// A lock that ends by itself is asked for so much later, at most: not everybody at the same moment.
const JITTER_MAX: Duration = Duration::from_millis(5);
const JITTER_MIN: Duration = Duration::from_millis(1);
/// For how long one node's word is taken for it that the lock is held.
const ONE_WORD: Duration = Duration::from_millis(50);

/// What one that waits goes by.
pub(super) struct Patience<Pauses> {
    pauses: Pauses,
    splits: Splits<Pauses>,
    /// Who was last seen to stand in the way of everybody, not at one node only.
    confirmed: Option<HolderId>,
    whom: Whom,
}

/// Whom to ask next.
#[derive(Debug, Clone, Copy)]
enum Whom {
    /// All nodes at once.
    Everybody,
    /// One before all others; one of these, if a quorum told that the lock is free.
    First(Option<NodeSet>),
}

/// A new one, with pauses that chance decides.
pub(super) fn patience(core: &Core) -> Patience<impl Iterator<Item = Duration> + Clone + use<'_>> {
    let pauses = Backoff::new(PAUSES.0, PAUSES.1, || core.entropy.u32());
    Patience { splits: Splits::new(pauses.clone()), pauses, confirmed: None, whom: Whom::Everybody }
}

impl<Pauses: Iterator<Item = Duration> + Clone> Patience<Pauses> {
    /// The next attempt begins where all others begin: whoever gets that node meets no rival at the rest.
    pub(super) const fn begins_in_order(&mut self) {
        self.whom = Whom::First(None);
    }

    /// These were the votes.
    pub(super) fn sees(&mut self, votes: &Votes, blocking: usize) {
        if votes.held_by_occupant().len() >= blocking {
            self.confirmed = holder_in_the_way(votes);
        }
    }

    /// What to ask for next, of whom.
    pub(super) fn next(&mut self, core: &Core, resource: &Resource, ask: Ask) -> Ask {
        let Whom::First(told_by) = self.whom else { return ask };
        self.begins_in_order();
        // Where nodes told that it is free, another one may still have what somebody left there.
        let ready = core.roster.ready();
        let among = told_by.map_or(ready, |told_by| told_by.iter().filter(|node| ready.contains(*node)).collect());
        Ask { first: first_of(resource, core.quorum.nodes(), among), yield_at: 0, ..ask }
    }

    /// How long to pause where no holder stands in the way.
    pub(super) fn pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(PAUSES.1)
    }

    /// Waits until the holder that stands in the way has released, or its lock ends by itself, for `left` at most.
    pub(super) async fn wait(
        &mut self,
        core: &Core,
        resource: &Resource,
        bell: &Bell,
        (ask, votes): (Ask, &Votes),
        left: Duration,
    ) {
        self.begins_in_order();
        if let Some(pause) = self.splits.after(votes, core.quorum.blocking()) {
            return sleep(pause.min(left)).await;
        }
        let on = votes.held_by_occupant();
        let occupant = holder_in_the_way(votes);
        let jitter = JITTER_MAX.mul_f64(f64::from(core.entropy.u32()) / f64::from(u32::MAX)).max(JITTER_MIN);
        let ends = votes.occupant().and_then(|(_, ttl_left)| Some(ttl_left? + jitter));
        let first = ask.first.or_else(|| first_of(resource, core.quorum.nodes(), core.roster.ready()));
        // Where a single node that is not the first names somebody there may be nothing to tell.
        let is_told = on.len() > 1 || first.is_some_and(|first| on.contains(first));
        let is_confirmed = occupant.is_some() && occupant == self.confirmed;
        let limit = match ends {
            Some(ends) if is_told && !bell.is_deaf(first) && is_confirmed => ends,
            // One node may have what nobody holds any more, while the others are free.
            Some(ends) if is_told && !bell.is_deaf(first) => ends.min(ONE_WORD + self.pause()),
            // Some servers tell nothing, and of some locks there will be nothing to tell.
            Some(ends) => ends.min(self.pause()),
            None => self.pause(),
        };
        match timeout(limit.min(left), bell.tells(Awaited { holder: occupant, on, first }, ask.mark)).await {
            Ok(Told::Released(by)) => self.whom = Whom::First(by),
            Ok(Told::Perhaps) => sleep(self.pause().min(left)).await,
            Err(_) if is_confirmed => {}
            Err(_) => self.whom = Whom::Everybody,
        }
    }
}

fn holder_in_the_way(votes: &Votes) -> Option<HolderId> {
    let (occupant, _) = votes.occupant()?;
    occupant.parse::<Holder>().ok().map(|holder| holder.id())
}

/// What becomes of contenders who split the votes. They give them back at once, and would meet again at once, for ever: so the one with
/// the most votes goes away for a random while and listens to nobody, and the others wait for what it gives back.
struct Splits<Pauses> {
    fresh: Pauses,
    pauses: Pauses,
    in_a_row: u32,
}

/// Who has listened so often goes away too: with votes that came too late to be counted, each may think that others have more.
const SPLITS_MAX: u32 = 3;

impl<Pauses: Iterator<Item = Duration> + Clone> Splits<Pauses> {
    fn new(fresh: Pauses) -> Self {
        Self { pauses: fresh.clone(), fresh, in_a_row: 0 }
    }

    /// For how long to go away after these votes, if at all.
    fn after(&mut self, votes: &Votes, blocking: usize) -> Option<Duration> {
        let (granted, on) = (votes.granted(), votes.held_by_occupant().len());
        if granted == 0 || (on >= blocking && on > granted) {
            (self.pauses, self.in_a_row) = (self.fresh.clone(), 0);
            return None;
        }
        self.in_a_row += 1;
        (granted >= on || self.in_a_row > SPLITS_MAX).then(|| self.pauses.next().unwrap_or(PAUSES.1))
    }
}
