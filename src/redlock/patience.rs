//! [`Patience`]: what one that waits at the nodes does between two attempts, and whom it asks next.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::bell::{Awaited, Bell, Told, Whose};
use super::core::Core;
use super::drive::Ask;
use super::lobby::first_of;
use super::rank::{Rank, Way};
use super::splits::Splits;
use crate::protocol::{Backoff, FaultKind, Vote, Votes};
use crate::{Holder, NodeSet, Resource};

/// The first and the longest ceiling of the pause between attempts where no holder stands in the way.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// A lock that ends by itself is asked for so much later, at most: not everybody at the same moment.
const JITTER_MAX: Duration = Duration::from_millis(5);
const JITTER_MIN: Duration = Duration::from_millis(1);
/// For how long one node's word is taken for it that the lock is held, at least.
const ONE_WORD: Duration = Duration::from_millis(50);
/// When to look whether a node takes part that did not: nobody tells of that.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What one that waits goes by.
pub(super) struct Patience<Pauses> {
    fresh: Pauses,
    pauses: Pauses,
    words: Pauses,
    splits: Splits<Pauses>,
    /// The value of the lock that was last seen to stand in the way of everybody, not at one node only.
    confirmed: Option<Box<str>>,
    whom: Whom,
    pub(super) rank: Rank,
    /// What the next attempt is for, and what the last one was for.
    aim: Aim,
    last_aim: Aim,
}

/// Whom to ask next.
#[derive(Debug, Clone, Copy)]
enum Whom {
    /// All nodes at once.
    Everybody,
    /// One before all others; one of these, if a quorum told that the lock is free.
    First(Option<NodeSet>),
}

/// What an attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// A lease.
    Lease,
    /// The same, and it is this one's turn.
    Turn,
    /// To find out whether the lock is free, though others come first.
    Sight,
}

/// A new one, with pauses that chance decides.
pub(super) fn patience(core: &Core) -> Patience<impl Iterator<Item = Duration> + Clone + use<'_>> {
    let fresh = Backoff::new(PAUSES.0, PAUSES.1, || core.entropy.u32());
    let (pauses, words, splits) = (fresh.clone(), fresh.clone(), Splits::new(fresh.clone()));
    Patience {
        fresh,
        pauses,
        words,
        splits,
        confirmed: None,
        whom: Whom::Everybody,
        rank: Rank::default(),
        aim: Aim::Lease,
        last_aim: Aim::Lease,
    }
}

impl<Pauses: Iterator<Item = Duration> + Clone> Patience<Pauses> {
    /// The next attempt begins where all others begin: whoever gets that node meets no rival at the rest.
    pub(super) const fn begins_in_order(&mut self) {
        self.whom = Whom::First(None);
    }

    /// These were the votes.
    pub(super) fn sees(&mut self, votes: &Votes, blocking: usize) {
        let failed = votes.iter().filter(|(_, vote)| matches!(vote, Vote::Failed(_))).count();
        if votes.held_by_occupant().len() + failed >= blocking {
            self.confirmed = votes.occupant().map(|(occupant, _)| occupant.into());
        }
    }

    /// The lock is left to so many others.
    pub(super) async fn yields(&mut self, bell: &Bell, others: u32) {
        self.begins_in_order();
        let way = self.rank.goes_to_the_end(bell, others).await;
        self.follows(way);
    }

    /// Whether the last attempt was to find out only whether the lock is free.
    pub(super) fn has_looked(&self) -> bool {
        self.last_aim == Aim::Sight
    }

    /// The lock was free, though others wait and come first. `heard` is how many
    /// notices there had been before it was asked for.
    pub(super) async fn finds_it_free(&mut self, bell: &Bell, heard: u64) {
        self.begins_in_order();
        if bell.others() > heard {
            // Released just now: those who come first are on their way.
            let way = self.rank.gives_way(bell, None).await;
            self.follows(way);
        } else {
            bell.misses_one();
        }
    }

    const fn follows(&mut self, way: Way) {
        match way {
            Way::Turn(by) => (self.whom, self.aim) = (Whom::First(by), Aim::Turn),
            Way::Unknown => self.aim = Aim::Sight,
        }
    }

    /// What to ask for next, of whom.
    pub(super) fn next(&mut self, core: &Core, resource: &Resource, ask: Ask) -> Ask {
        self.last_aim = std::mem::replace(&mut self.aim, Aim::Lease);
        let Whom::First(told_by) = self.whom else { return ask };
        self.begins_in_order();
        // Where nodes told that it is free, another one may still have what somebody left there.
        let ready = core.roster.ready();
        let among = told_by.map_or(ready, |told_by| told_by.iter().filter(|node| ready.contains(*node)).collect());
        // Those who listen themselves are one of those who wait.
        let yield_at = if self.has_looked() { 2 } else { 0 };
        Ask { first: first_of(resource, core.quorum.nodes(), among), yield_at, ..ask }
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
        let until = core.clock.now().after(left);
        self.begins_in_order();
        if self.last_aim == Aim::Turn {
            bell.meets_one();
        }
        if let Some(pause) = self.splits.after(votes, core.quorum.blocking()) {
            return sleep(pause.min(left)).await;
        }
        let jitter = JITTER_MAX.mul_f64(f64::from(core.entropy.u32()) / f64::from(u32::MAX)).max(JITTER_MIN);
        let (occupant, ttl_left) = votes.occupant().unzip();
        let ends = ttl_left.flatten().map(|ttl_left| ttl_left + jitter);
        let on = votes.held_by_occupant();
        let first = ask.first.or_else(|| first_of(resource, core.quorum.nodes(), core.roster.ready()));
        // Where a single node that is not the first names somebody there may be nothing to tell.
        let is_told = on.len() > 1 || first.is_some_and(|first| on.contains(first));
        let is_confirmed = occupant.is_some() && occupant == self.confirmed.as_deref();
        let (limit, to_the_end) = match ends {
            Some(ends) if is_confirmed && !bell.is_deaf(first, on) => match more_may_take_part(votes) {
                true => (ends.min(LOOK_AGAIN), false),
                false => (ends, true),
            },
            // One node may have what nobody holds any more, while the others are free.
            Some(ends) if is_told && !bell.is_deaf(first, on) => {
                (ends.min(ONE_WORD + self.words.next().unwrap_or(PAUSES.1)), false)
            }
            // Some servers tell nothing, and of some locks there will be nothing to tell.
            Some(ends) => (ends.min(self.pause()), is_confirmed),
            None => (self.pause(), is_confirmed),
        };
        let holder = occupant.and_then(|occupant| Some(occupant.parse::<Holder>().ok()?.id()));
        let whose = holder.map_or(Whose::Anybody, Whose::Holder);
        match timeout(limit.min(left), bell.tells(Awaited { whose, on, first }, ask.mark)).await {
            Ok(told) => {
                // Whoever was in the way is not any more, or it is not known.
                self.confirmed = None;
                self.words = self.fresh.clone();
                match told {
                    Told::Released(by) => {
                        self.whom = Whom::First(by);
                        let left = until.since(core.clock.now());
                        if let Ok(way) = timeout(left, self.rank.lets_others_ask(bell, by)).await {
                            self.follows(way);
                        }
                    }
                    Told::Perhaps => sleep(self.pause().min(until.since(core.clock.now()))).await,
                }
            }
            Err(_) if to_the_end => {}
            Err(_) => self.whom = Whom::Everybody,
        }
    }
}

/// Whether a node was not asked that may take part in a while, with the same connection.
fn more_may_take_part(votes: &Votes) -> bool {
    let waits = |kind| matches!(kind, FaultKind::Resting | FaultKind::NotJoined | FaultKind::Forgot);
    votes.iter().any(|(_, vote)| matches!(vote, Vote::Failed(fault) if waits(fault.kind)))
}
