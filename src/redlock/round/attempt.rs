//! [`Attempt`]: one attempt to acquire: its grants, its seal if needed, and its roll-back.

use std::sync::Arc;
use std::time::Duration;

use super::drive::drive;
use super::exchange::{Exchange, Phase};
use crate::protocol::{self, Acquire, Defeat, Footprint, Next, Step, Subject, Verb, Waits, Win};
use crate::redlock::env::Env;
use crate::redlock::settings::Settings;
use crate::{Moment, NodeSet};

/// What an attempt asks for beside the lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// How many tokens to draw, for as many sections one after another.
    pub(crate) block: u32,
    /// The terms of the wait; `None` if the attempt joins no queue.
    pub(crate) waits: Option<Waits>,
}

impl Ask {
    /// One token, without a place in a queue.
    pub(crate) const ONCE: Self = Self { block: 1, waits: None };
}

/// An attempt whose grants were sent.
pub(crate) struct Attempt {
    machine: Acquire,
    rollback: Rollback,
    ask: Ask,
    /// The arrival number taken just before the grants were sent; tasks with a smaller one arrived earlier.
    pub(crate) arrivals_before: u64,
    /// Read before the first byte was sent.
    pub(crate) began: Moment,
}

/// A lost attempt. Its last replies may still be to come.
pub(crate) struct LostAttempt {
    pub(crate) defeat: Defeat,
    /// If this is dropped, the attempt waits for these replies no longer.
    pub(crate) retreat: Option<Retreat>,
}

impl Attempt {
    /// Begins an attempt: sends the grants, behind the releases of `earlier` if there is one.
    ///
    /// If the returned value is dropped, the attempt is rolled back. `earlier` is released in any case.
    pub(crate) fn begin(
        env: &Arc<Env>,
        settings: &Settings,
        subject: Arc<Subject>,
        ask: Ask,
        earlier: Option<(&Arc<Exchange>, NodeSet, Next)>,
    ) -> Result<Box<Self>, Defeat> {
        let ttl = settings.terms.ttl;
        let slot = subject.resource.slot();
        // Read before the first byte is sent, because all later time counts against the validity.
        let began = env.clock.now();
        let until = began.after(ttl).after(settings.terms.drift()).after(settings.node_timeout);
        let arrivals_before = env.arrival();
        let mut machine = Acquire::new(env.quorum, settings.terms, began).for_block(ask.block);
        // A node that rests or was never joined is not asked, but it still counts in N.
        let ready = env.ready.nodes();
        let exchange = Exchange::open(env, subject, Phase::Acquire, Footprint::asked(ready), (began, until));
        let mut rollback = Rollback { exchange: Arc::clone(&exchange), armed: true };
        let unasked = env.all_nodes().without(ready);
        if !unasked.is_empty() {
            env.meters.not_asked(unasked);
            let reasons = unasked.iter().map(|node| (node, env.ready.unavailable_because(node, began)));
            if let Step::Lost(defeat) = machine.without(reasons, began) {
                if let Some((earlier, outstanding, _)) = earlier {
                    earlier.send(outstanding, &Verb::RELEASE);
                }
                // Nothing was sent, so there is nothing to roll back.
                rollback.armed = false;
                return Err(defeat);
            }
        }
        let floor = env.watermarks.floor(slot, ask.block);
        let grant = Verb::Grant { ttl, floor, block: ask.block, waits: ask.waits };
        match earlier {
            Some(earlier) => exchange.take_over(earlier, ready, &grant),
            None => exchange.send(ready, &grant),
        }
        Ok(Box::new(Self { machine, rollback, ask, arrivals_before, began }))
    }

    /// The resource and the holder of the attempt.
    pub(crate) fn subject(&self) -> &Arc<Subject> {
        self.rollback.exchange.subject()
    }

    /// Runs the grant round, and the seal round if needed. If the attempt wins, the exchange is returned, which knows
    /// where the locks are.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped at any await point, the attempt is rolled back.
    pub(crate) async fn finish(
        mut self: Box<Self>,
        settings: &Settings,
        round_max: Duration,
    ) -> Result<(Win, Arc<Exchange>), LostAttempt> {
        match drive(&self.rollback.exchange, &mut self.machine, round_max).await {
            Ok(win) => Ok((win, self.rollback.disarm(&win, settings.node_timeout))),
            Err(defeat) => {
                // The wait includes the time of the attempt, so its entry comes before all that arrived since.
                let env = self.rollback.exchange.env();
                let waited = self.ask.waits.map(|waits| waits.waited + env.clock.now().since(self.began));
                let next = protocol::rollback(&defeat, env.quorum, waited);
                Err(LostAttempt { defeat, retreat: Some(self.rollback.retreat(next)) })
            }
        }
    }
}

/// Rolls an attempt back when it is dropped, which happens if the caller's future is dropped.
struct Rollback {
    exchange: Arc<Exchange>,
    armed: bool,
}

impl Rollback {
    /// The attempt was won, so the locks stay.
    fn disarm(mut self, win: &Win, late_max: Duration) -> Arc<Exchange> {
        self.armed = false;
        self.exchange.win(win, late_max);
        Arc::clone(&self.exchange)
    }

    /// The attempt was lost.
    fn retreat(mut self, next: Next) -> Retreat {
        self.armed = false;
        self.exchange.retreat(next);
        Retreat(Arc::clone(&self.exchange))
    }
}

impl Drop for Rollback {
    fn drop(&mut self) {
        if self.armed {
            self.exchange.leave(None);
        }
    }
}

/// A lost attempt that still waits for some replies.
pub(crate) struct Retreat(Arc<Exchange>);

impl Drop for Retreat {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
