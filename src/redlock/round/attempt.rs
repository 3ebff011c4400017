//! [`Attempt`]: one attempt to acquire: its grants, its seal where needed, and its rollback.

use std::sync::Arc;
use std::time::Duration;

use super::drive::drive;
use super::exchange::{Exchange, Phase};
use crate::protocol::{self, Acquire, Defeat, Footprint, Next, Step, Subject, Verb, Waits, Win};
use crate::redlock::env::Env;
use crate::redlock::settings::Settings;
use crate::{Moment, NodeSet};

/// What an attempt asks for, beyond the lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// How many tokens, for as many sections one after another.
    pub(crate) block: u32,
    /// Whether it waits where it is refused.
    pub(crate) waits: Option<Waits>,
}

impl Ask {
    /// One token, without waiting.
    pub(crate) const ONCE: Self = Self { block: 1, waits: None };
}

/// An attempt whose grants are on their way.
pub(crate) struct Attempt {
    machine: Acquire,
    rollback: Rollback,
    ask: Ask,
    /// The arrival number taken just before the grants were sent; tasks with a smaller one arrived earlier.
    pub(crate) asked_at: u64,
    /// Before the first byte was sent.
    pub(crate) began: Moment,
}

/// What became of an attempt that was lost: its last answers may be still to come.
pub(crate) struct Lost {
    pub(crate) defeat: Defeat,
    /// Dropped, it waits for them no longer.
    pub(crate) retreat: Option<Retreat>,
}

impl Attempt {
    /// Begins an attempt: sends the grants, behind the releases of `earlier` if there is such a lease.
    ///
    /// Dropping what is returned rolls the attempt back. `earlier` is released in any case.
    pub(crate) fn begin(
        env: &Arc<Env>,
        settings: &Settings,
        subject: Arc<Subject>,
        ask: Ask,
        earlier: Option<(&Arc<Exchange>, NodeSet, Next)>,
    ) -> Result<Self, Defeat> {
        let ttl = settings.terms.ttl;
        let slot = subject.resource.slot();
        // Before the first byte is sent: everything later counts against the validity.
        let began = env.clock.now();
        let until = began.after(ttl).after(settings.terms.drift()).after(settings.node_timeout);
        let asked_at = env.arrival();
        let mut machine = Acquire::new(env.quorum, settings.terms, began).for_block(ask.block);
        // A node that rests, or was never joined, is not asked; it counts in N all the same.
        let ready = env.ready.nodes();
        let exchange = Exchange::open(env, subject, Phase::Acquire, Footprint::asked(ready), until);
        let mut rollback = Rollback { exchange: Arc::clone(&exchange), armed: true };
        let unasked = env.everybody().without(ready);
        if !unasked.is_empty() {
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
        Ok(Self { machine, rollback, ask, asked_at, began })
    }

    /// Whom it is for.
    pub(crate) fn subject(&self) -> &Arc<Subject> {
        self.rollback.exchange.subject()
    }

    /// Grant round, seal round where needed. The exchange that comes with a win knows where the locks are.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any await point rolls the attempt back.
    pub(crate) async fn finish(
        mut self,
        settings: &Settings,
        round_max: Duration,
    ) -> Result<(Win, Arc<Exchange>), Lost> {
        match drive(&self.rollback.exchange, &mut self.machine, round_max).await {
            Ok(win) => Ok((win, self.rollback.disarm(&win, settings.node_timeout))),
            Err(defeat) => {
                // As old as the attempt: its own entry comes before all that arrived since.
                let env = self.rollback.exchange.env();
                let waited = self.ask.waits.map(|waits| waits.waited + env.clock.now().since(self.began));
                let next = protocol::rollback(&defeat, env.quorum, waited);
                Err(Lost { defeat, retreat: Some(self.rollback.retreat(next)) })
            }
        }
    }
}

/// Rolls an attempt back when it is dropped: when the caller's future is dropped.
struct Rollback {
    exchange: Arc<Exchange>,
    armed: bool,
}

impl Rollback {
    /// The attempt was won: the locks stay.
    fn disarm(mut self, win: &Win, grace: Duration) -> Arc<Exchange> {
        self.armed = false;
        self.exchange.win(win, grace);
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

/// A lost attempt some of whose answers are still to come.
pub(crate) struct Retreat(Arc<Exchange>);

impl Drop for Retreat {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
