//! Runs the machines against the nodes: fans out, feeds replies in, obeys what comes out, rolls back.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::protocol::{
    self, Acquire, Defeat, Extend, ExtendDefeat, ExtendStep, Footprint, Next, Release, ReleaseOutcome, Reply, Step,
    Subject, Terms, Verb, View, Waits, Win,
};
use crate::redlock::env::Core;
use crate::redlock::round::exchange::{Exchange, Phase};
use crate::redlock::settings::Settings;
use crate::{Moment, NodeId, NodeSet};

/// What an attempt asks for, beyond the lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// So many tokens, for as many sections one after another.
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
    core: Arc<Core>,
    machine: Acquire,
    rollback: Rollback,
    ask: Ask,
    /// The arrival number taken just before the grants were sent; tasks with a smaller one arrived earlier.
    pub(crate) asked_at: u64,
    /// Before the first byte was sent.
    pub(crate) began: Moment,
}

/// Begins an attempt: sends the grants, behind the releases of `earlier` where there is such a lease.
///
/// Dropping what is returned rolls the attempt back. `earlier` is released in any case.
pub(crate) fn begin(
    core: &Arc<Core>,
    settings: &Settings,
    subject: Arc<Subject>,
    ask: Ask,
    earlier: Option<(&Arc<Exchange>, NodeSet, Next)>,
) -> Result<Attempt, Defeat> {
    let Terms { ttl, .. } = settings.terms;
    let slot = subject.resource.slot();
    // Before the first byte is sent: everything later counts against the validity.
    let started = core.clock.now();
    let until = started.after(ttl).after(settings.terms.drift()).after(settings.node_timeout);
    let asked_at = core.queues.arrival();
    let mut machine = Acquire::new(core.quorum, settings.terms, started).for_block(ask.block);
    // A node that rests, or was never joined, is not asked; it counts in N all the same.
    let ready = core.roster.ready();
    let exchange = Exchange::open(core, subject, Phase::Acquire, Footprint::asked(ready), until);
    let mut rollback = Rollback { exchange: Arc::clone(&exchange), armed: true };
    let unasked = NodeSet::first(core.quorum.nodes()).without(ready);
    if !unasked.is_empty() {
        let excuses = unasked.iter().map(|node| (node, core.roster.excuse(node, started)));
        if let Step::Lost(defeat) = machine.without(excuses, started) {
            if let Some((earlier, outstanding, _)) = earlier {
                earlier.send(outstanding, &Verb::RELEASE);
            }
            // Nothing was sent, so there is nothing to roll back.
            rollback.armed = false;
            return Err(defeat);
        }
    }
    let floor = core.levels.floor(slot, ask.block);
    let grant = Verb::Grant { ttl, floor, block: ask.block, waits: ask.waits };
    match earlier {
        Some(earlier) => exchange.take_over(earlier, ready, &grant),
        None => exchange.send(ready, &grant),
    }
    Ok(Attempt { core: Arc::clone(core), machine, rollback, ask, asked_at, began: started })
}

/// What became of an attempt that was lost: its last answers may be still to come.
pub(crate) struct Lost {
    pub(crate) defeat: Defeat,
    /// Dropped, it waits for them no longer.
    pub(crate) retreat: Option<Retreat>,
}

impl Attempt {
    /// Whom it is for.
    pub(crate) fn subject(&self) -> &Arc<Subject> {
        self.rollback.exchange.subject()
    }

    /// Grant round, seal round where needed. The exchange that comes with a win knows where the locks are.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any await point rolls the attempt back.
    pub(crate) async fn finish(self, settings: &Settings, round_max: Duration) -> Result<(Win, Arc<Exchange>), Lost> {
        let Self { core, mut machine, rollback, ask, began, .. } = self;
        let exchange = Arc::clone(&rollback.exchange);
        let mut round = pin!(sleep(round_max));
        loop {
            let replies = tokio::select! {
                biased;
                replies = exchange.next(machine.replies_missing()) => Some(replies),
                () = &mut round => None,
            };
            let in_time = replies.is_some();
            if !in_time {
                catch_up().await;
            }
            let replies = replies.unwrap_or_else(|| exchange.take());
            // After the last of them has come in: what is left of the validity is counted from here.
            let (mut step, now) = (Step::Wait, core.clock.now());
            for (node, reply) in replies {
                tracing::trace!(%node, ?reply, "vote");
                match machine.reply(node, reply, now) {
                    Step::Wait => {}
                    Step::Seal(nodes, token) => {
                        tracing::debug!(%nodes, ?token, "counters disagree, sealing");
                        exchange.send(nodes, &Verb::Seal { token: token.get() });
                        round.set(sleep(round_max));
                        step = Step::Seal(nodes, token);
                    }
                    end => {
                        step = end;
                        break;
                    }
                }
            }
            if step == Step::Wait && !in_time {
                step = machine.timeout(core.clock.now());
            }
            match step {
                Step::Wait | Step::Seal(..) => {}
                Step::Won(win) => return Ok((win, rollback.disarm(&win, settings.node_timeout))),
                Step::Lost(defeat) => {
                    // As old as the attempt: its own entry comes before all that arrived since.
                    let waited = ask.waits.map(|waits| waits.waited + core.clock.now().since(began));
                    let retreat = Some(rollback.retreat(protocol::rollback(&defeat, core.quorum, waited)));
                    return Err(Lost { defeat, retreat });
                }
            }
        }
    }
}

/// A process that stood still finds its timers and its answers at the same time: the answers are read first.
async fn catch_up() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

/// Lets the locks of `subject` live on; `send` is called to put the requests on their way.
pub(crate) async fn extend(
    core: &Arc<Core>,
    terms: Terms,
    subject: Arc<Subject>,
    voters: NodeSet,
    round_max: Duration,
    send: impl FnOnce(&dyn Fn()) -> bool,
) -> Option<Result<Moment, ExtendDefeat>> {
    let started = core.clock.now();
    let exchange = Exchange::open(core, subject, Phase::Extend, Footprint::default(), started);
    let everybody = NodeSet::first(core.quorum.nodes());
    if !send(&|| exchange.send(everybody, &Verb::Extend { ttl: terms.ttl })) {
        return None;
    }
    let mut attempt = Extend::new(core.quorum, terms, started, voters);
    let mut round = pin!(sleep(round_max));
    loop {
        let replies = tokio::select! {
            biased;
            replies = exchange.next(attempt.replies_missing()) => Some(replies),
            () = &mut round => None,
        };
        let in_time = replies.is_some();
        if !in_time {
            catch_up().await;
        }
        let mut step = ExtendStep::Wait;
        for (node, reply) in replies.unwrap_or_else(|| exchange.take()) {
            step = match attempt.reply(node, reply, core.clock.now()) {
                ExtendStep::Wait => continue,
                end => end,
            };
            break;
        }
        if step == ExtendStep::Wait && !in_time {
            step = attempt.timeout(core.clock.now());
        }
        match step {
            ExtendStep::Wait => {}
            ExtendStep::Extended { valid_until } => return Some(Ok(valid_until)),
            ExtendStep::Lost(defeat) => return Some(Err(defeat)),
        }
    }
}

/// Waits for the answers to the release of an exchange, which was sent to `asked`, and tells what was found.
///
/// # Cancel safety
///
/// Dropping the future loses only the outcome.
pub(crate) async fn released(
    core: &Core,
    exchange: Arc<Exchange>,
    asked: NodeSet,
    round_max: Duration,
) -> ReleaseOutcome {
    let mut release = Release::new(core.quorum);
    // Where the lock certainly never was there is nobody to ask.
    for node in NodeSet::first(core.quorum.nodes()).without(asked).iter() {
        if let Some(outcome) = release.reply(node, Reply::Refused(View::default())) {
            return outcome;
        }
    }
    let mut round = pin!(sleep(round_max));
    loop {
        let (replies, in_time) = tokio::select! {
            biased;
            replies = exchange.next(release.replies_missing()) => (replies, true),
            () = &mut round => {
                catch_up().await;
                (exchange.take(), false)
            }
        };
        for (node, reply) in replies {
            if let Some(outcome) = release.reply(node, reply) {
                return outcome;
            }
        }
        if !in_time {
            return release.timeout();
        }
    }
}

/// Asks every node what it knows, and waits for all that answer in time.
pub(crate) async fn inspect(
    core: &Arc<Core>,
    subject: Arc<Subject>,
    round_max: Duration,
) -> Vec<(NodeId, Option<Reply>)> {
    let exchange = Exchange::open(core, subject, Phase::Inspect, Footprint::default(), Moment::default());
    let everybody = NodeSet::first(core.quorum.nodes());
    exchange.send(everybody, &Verb::Inspect);
    let _ = tokio::time::timeout(round_max, exchange.filled(everybody.len())).await;
    let mut replies = exchange.take();
    let mut reply_of = |node| replies.iter().position(|(from, _)| *from == node).map(|at| replies.swap_remove(at).1);
    everybody.iter().map(|node| (node, reply_of(node))).collect()
}

/// Waits until every node has answered what comes behind all that was sent to it; for nodes that are much slower than a quorum, or hang,
/// only a moment.
pub(crate) async fn drain(core: &Arc<Core>, subject: Arc<Subject>, within: Duration) {
    /// The moment, and how many times as long as a quorum took it is at least.
    const STRAGGLERS: (Duration, u32) = (Duration::from_millis(20), 4);
    let exchange = Exchange::open(core, subject, Phase::Inspect, Footprint::default(), Moment::default());
    let (everybody, began) = (core.quorum.nodes(), core.clock.now());
    exchange.send(NodeSet::first(everybody), &Verb::Inspect);
    let answers = async {
        exchange.filled(core.quorum.needed()).await;
        let moment = STRAGGLERS.0.max(core.clock.now().since(began) * STRAGGLERS.1);
        let _ = tokio::time::timeout(moment, exchange.filled(everybody)).await;
    };
    let _ = tokio::time::timeout(within, answers).await;
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
