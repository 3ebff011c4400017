//! Acquiring with patience: waits behind the tasks of this process, then asks the nodes, and asks again when the lock was
//! released or has ended by itself. Never in a busy loop, and where others hold the lock never by polling.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::core::Core;
use super::drive::{self, Ask, Attempt};
use super::error::AcquireError;
use super::guard::Guard;
use super::held::Held;
use super::lobby::{Call, Seat};
use super::patience::patience;
use super::settings::Settings;
use super::turns::{ask_anew, has_yielded, is_free, new_subject, others_listening};
use super::{Redlock, chronicle, turns};
use crate::protocol::{Defeat, FaultKind, Vote};
use crate::{Moment, Resource};

/// However little of the wait is left, an attempt gets this long: one round trip on a local network.
const MIN_ROUND: Duration = Duration::from_millis(10);

impl Redlock {
    /// Attempts again and again until a lease is acquired or `wait_max` has passed; at least once.
    pub(super) async fn attempt_for(&self, resource: Resource, wait_max: Duration) -> Result<Guard, AcquireError> {
        let core = &self.core;
        core.keeper.start(core);
        core.sweeper.start(&*core.spawner);
        let began = core.clock.now();
        let mut turn = Turn {
            core,
            settings: &self.settings,
            resource: &resource,
            wait_max,
            began,
            attempts: 0,
            left_to_others: None,
        };
        if wait_max.is_zero() {
            return turn.once().await;
        }
        let (mut place, begun) = loop {
            let seat = core.lobby.enter(&resource, &self.settings, core.clock.now());
            let mut place = Place { core, resource: &resource, has_turn: seat.is_none(), seat };
            let Some(seat) = place.seat.clone() else { break (place, None) };
            match timeout(wait_max.saturating_sub(turn.waited()), seat.called()).await {
                Ok(Call::Section(held)) => {
                    place.is_done();
                    if held.check().is_err() {
                        // This task came to itself too late for it.
                        turns::decline(&held);
                        continue;
                    }
                    tracing::debug!(%resource, token = ?held.token, waited = ?turn.waited(), "handed over");
                    chronicle::acquired(&held, began);
                    return Ok(Guard::new(held));
                }
                Ok(Call::Turn) => {
                    place.takes_turn();
                    break (place, None);
                }
                Ok(Call::Attempt(attempt)) => {
                    place.takes_turn();
                    break (place, Some(attempt));
                }
                // Others of this process were before it all the time: one attempt tells who holds the lock.
                Err(_) => {
                    drop(place);
                    return turn.once().await;
                }
            }
        };
        let guard = turn.take(begun).await?;
        place.is_done();
        Ok(guard)
    }
}

/// One that has its turn at the nodes.
struct Turn<'a> {
    core: &'a Arc<Core>,
    settings: &'a Arc<Settings>,
    resource: &'a Resource,
    wait_max: Duration,
    began: Moment,
    attempts: u32,
    /// How many notices of others' releases there had been when it was left to them.
    left_to_others: Option<u64>,
}

impl Turn<'_> {
    /// One attempt, beside all who wait.
    async fn once(&mut self) -> Result<Guard, AcquireError> {
        self.core.roster.prepare(self.core).await;
        let outcome = self.attempt(None, Ask::PLAIN, self.settings.node_timeout, false).await;
        outcome.map_err(|defeat| self.error(defeat))
    }

    /// Attempts until the lease is won or the wait is over.
    async fn take(&mut self, mut begun: Option<Box<Attempt>>) -> Result<Guard, AcquireError> {
        let Self { core, settings, resource, .. } = *self;
        let mut patience = patience(core);
        let mut bell = core.lobby.bell(resource);
        let mut round_max = settings.node_timeout;
        let mut has_told = false;
        loop {
            core.roster.prepare(core).await;
            let ask = match &begun {
                Some(begun) => begun.ask,
                None => patience.next(core, resource, ask_anew(core, resource, settings)),
            };
            let heard = bell.as_ref().map_or(0, |bell| bell.others());
            let defeat = match self.attempt(begun.take(), ask, round_max, true).await {
                Ok(guard) => return Ok(guard),
                Err(defeat) => defeat,
            };
            let left = self.wait_max.saturating_sub(self.waited());
            if left.is_zero() {
                return Err(self.error(defeat));
            }
            if !has_told && too_many_rest(&defeat, core.quorum.blocking()) {
                has_told = true;
                let votes = defeat.votes();
                tracing::warn!(%resource, "waiting for nodes that may have forgotten locks; {votes}");
            }
            let yielded = has_yielded(ask, &defeat);
            let is_free = patience.has_looked() && is_free(&defeat);
            if !yielded && !is_free {
                core.lobby.ends_tenure(resource);
            }
            patience.sees(defeat.votes(), core.quorum.blocking());
            match &bell {
                Some(bell) if is_free => {
                    drop(timeout(left, patience.finds_it_free(bell, heard)).await);
                }
                _ if yielded => {
                    // Those who are told of the release need a moment to take what is left to them.
                    let bell = bell.get_or_insert_with(|| core.lobby.watch(core, resource));
                    self.left_to_others = Some(bell.others());
                    drop(timeout(left, patience.yields(bell, others_listening(&defeat, ask.yield_at > 1))).await);
                }
                // Asked to be told before it asks again, so that no release is missed.
                None if matches!(defeat, Defeat::Contended(_)) => {
                    let bell = bell.insert(core.lobby.watch(core, resource));
                    patience.rank.takes(others_listening(&defeat, false), bell);
                    patience.begins_in_order();
                }
                Some(bell) if matches!(defeat, Defeat::Contended(_)) => {
                    patience.rank.takes(others_listening(&defeat, true), bell);
                    patience.wait(core, resource, bell, (ask, defeat.votes()), left).await;
                }
                _ => sleep(patience.pause().min(left)).await,
            }
            // The last attempt may not outlast the wait by a whole round.
            let left = self.wait_max.saturating_sub(self.waited());
            round_max = settings.node_timeout.min(left).max(MIN_ROUND);
        }
    }

    async fn attempt(
        &mut self,
        begun: Option<Box<Attempt>>,
        ask: Ask,
        round_max: Duration,
        has_turn: bool,
    ) -> Result<Guard, Defeat> {
        let Self { core, settings, resource, .. } = *self;
        self.attempts += 1;
        let attempt = match begun {
            Some(begun) => begun,
            None => Box::new(drive::begin(core, settings, new_subject(core, resource, settings), ask, None)?),
        };
        let (subject, asked_at, began) = (Arc::clone(attempt.subject()), attempt.asked_at, attempt.began);
        match attempt.finish(settings, round_max).await {
            Ok((win, exchange)) => {
                let (token, apart, attempts, waited) = (win.first, win.sealed_apart, self.attempts, self.waited());
                tracing::debug!(%resource, holder = ?subject.holder, ?token, apart, attempts, ?waited, "acquired");
                if has_turn {
                    if self.was_taken() {
                        core.lobby.ends_tenure(resource);
                    }
                    core.lobby.counts_section(resource, core.clock.now());
                }
                let held =
                    Held::new(Arc::clone(core), Arc::clone(settings), subject, win, exchange, asked_at, has_turn);
                chronicle::acquired(&held, began);
                core.keeper.watch(&held);
                Ok(Guard::new(held))
            }
            Err(defeat) => {
                tracing::debug!(%resource, holder = ?subject.holder, ?defeat, attempts = self.attempts, "not acquired");
                Err(defeat)
            }
        }
    }

    /// Whether somebody took, and released, what was left to others.
    fn was_taken(&self) -> bool {
        let released = |before| self.core.lobby.bell(self.resource).is_some_and(|bell| bell.others() > before);
        self.left_to_others.is_some_and(released)
    }

    fn waited(&self) -> Duration {
        self.core.clock.now().since(self.began)
    }

    fn error(&self, defeat: Defeat) -> AcquireError {
        AcquireError::from_defeat(defeat, self.settings.terms, self.attempts, self.waited())
    }
}

/// A place among those of this process who want a resource. Dropped, it makes room for the next.
struct Place<'a> {
    core: &'a Arc<Core>,
    resource: &'a Resource,
    seat: Option<Arc<Seat>>,
    has_turn: bool,
}

impl Place<'_> {
    fn takes_turn(&mut self) {
        (self.seat, self.has_turn) = (None, true);
    }

    /// The lease has come, and makes room itself when it ends.
    fn is_done(&mut self) {
        (self.seat, self.has_turn) = (None, false);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let call = self.seat.as_ref().and_then(|seat| self.core.lobby.withdraw(self.resource, seat));
        match call {
            Some(Call::Section(held)) => turns::decline(&held),
            Some(call @ (Call::Turn | Call::Attempt(_))) => {
                drop(call);
                self.core.lobby.advance(self.core, self.resource);
            }
            None if self.has_turn => self.core.lobby.advance(self.core, self.resource),
            None => {}
        }
    }
}

/// Whether nobody can acquire anything before some nodes have rested.
fn too_many_rest(defeat: &Defeat, blocking: usize) -> bool {
    let rests = |vote: &Vote| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Resting);
    defeat.votes().iter().filter(|(_, vote)| rests(vote)).count() >= blocking
}
