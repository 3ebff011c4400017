//! The loop of one acquire: waits behind the tasks of this process, then asks the nodes. It asks again after a wake,
//! or when the locks that refused would have ended. [`Contender`](crate::protocol::Contender) decides when.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::env::Env;
use super::env::meters::CallMeter;
use super::env::timer::{outruns_tokio, sleep_until};
use super::error::AcquireError;
use super::guard::Guard;
use super::hand_over;
use super::lease::active::{ActiveLease, Permit, Wakeup};
use super::lease::renewer;
use super::locker::Locker;
use super::round::attempt::{Ask, Attempt, LostAttempt};
use super::settings::Settings;
use super::wait::local_queue::LocalQueue;
use super::wait::next_attempt::{ask_anew, new_holder};
use super::wait::permit::{Entered, enter};
use super::wait::waiter::LocalWaiter;
use crate::node::HomeRuntime;
use crate::protocol::{Defeat, Fault, FaultKind, Quorum, Subject, Vote, Votes};
use crate::{Moment, NodeSet, Resource};

/// After attempts that timed out, a round may last this many times as long, but a quarter of the time to live at
/// most: overloaded nodes reply late, and their replies are still useful.
const ROUND_GROWTH_MAX: u32 = 8;

/// The reason why no node answers in time.
const PAUSED: &str = "tokio's clock is paused, so time-outs fall due at once: tokio::time::resume() first";

/// Makes attempts until a lease is acquired or `wait_max` has passed. Makes at least one.
pub(crate) async fn acquire(
    locker: &Locker,
    settings: &Arc<Settings>,
    resource: &Resource,
    wait_max: Duration,
) -> Result<Guard, AcquireError> {
    let began = locker.env.clock.now();
    let meter = locker.env.meters.call(resource, &*locker.env.clock, began);
    let mut call = Call { locker, settings, resource, wait_max, began, attempts: 0, is_paused: false, meter };
    let outcome = call.run().await;
    call.meter.over(outcome.as_ref().err());
    outcome
}

/// One call to acquire.
struct Call<'a> {
    locker: &'a Locker,
    settings: &'a Arc<Settings>,
    resource: &'a Resource,
    wait_max: Duration,
    began: Moment,
    attempts: u32,
    /// Whether tokio's clock stands still, so that nodes have no time to answer.
    is_paused: bool,
    meter: CallMeter<'a>,
}

impl Call<'_> {
    async fn run(&mut self) -> Result<Guard, AcquireError> {
        let Self { locker, settings, resource, .. } = *self;
        if !locker.start() {
            // The background tasks do not run, so nothing would renew a lease or repeat a release.
            let votes = Votes::closed(locker.env.quorum.nodes(), HomeRuntime::ENDED);
            return Err(AcquireError::NoQuorum { votes, attempts: 0, waited: Duration::ZERO });
        }
        // A lock that does nothing does not let the tasks of this process wait for each other either.
        if self.wait_max.is_zero() || !settings.exclusive {
            return self.once().await;
        }
        loop {
            let (waiter, queue) = match enter(&locker.queues, resource, settings) {
                Entered::First(permit) => return self.contend(permit, None).await,
                Entered::Waits(waiter, queue) => (waiter, queue),
            };
            let place = QueuePlace { waiter, queue };
            match timeout(self.left(), place.waiter.woken()).await {
                Ok(Wakeup::Section(lease)) => {
                    if lease.check().is_err() {
                        // This task ran too late: the lease is over already.
                        hand_over::decline(&lease);
                        continue;
                    }
                    tracing::debug!(%resource, token = ?lease.token(), waited = ?self.waited(), "handed over");
                    lease.begins(self.began);
                    self.meter.won(true, self.env().clock.now());
                    return Ok(Guard::new(lease));
                }
                Ok(Wakeup::Permit(permit)) => return self.contend(permit, None).await,
                Ok(Wakeup::Attempt(permit, attempt)) => return self.contend(permit, Some(attempt)).await,
                // Other tasks were before this one the whole time. One attempt finds out who holds the lock.
                Err(_) => {
                    drop(place);
                    return self.once().await;
                }
            }
        }
    }

    /// Makes one attempt, without waiting in any queue.
    async fn once(&mut self) -> Result<Guard, AcquireError> {
        let Self { locker, settings, resource, .. } = *self;
        let env = &locker.env;
        // The attempt begins in time, however long the probe of the nodes takes.
        let _ = timeout(settings.node_timeout, locker.roster.prepare()).await;
        let subject = Arc::new(Subject::new(resource.clone(), new_holder(env, settings)));
        let begun = Attempt::begin(env, settings, subject, Ask::ONCE, None);
        match self.attempt(begun, settings.node_timeout, &mut None).await {
            Ok(guard) => Ok(guard),
            Err(lost) => Err(self.error(lost.defeat)),
        }
    }

    /// Makes attempts until the lease is won or the wait is over.
    async fn contend(&mut self, permit: Permit, begun: Option<Box<Attempt>>) -> Result<Guard, AcquireError> {
        let Self { locker, settings, .. } = *self;
        let (queue, mut permit) = (Arc::clone(&permit.queue), Some(permit));
        let (mut begun, mut round_max, mut has_warned) = (begun.map(Ok), settings.node_timeout, false);
        loop {
            if begun.is_none() {
                // This call ends in time, however long the probe of the nodes takes.
                let _ = timeout(self.left().max(settings.node_timeout), locker.roster.prepare()).await;
            }
            let attempt = begun.take().unwrap_or_else(|| {
                let (subject, ask) = ask_anew(&locker.queues, &queue, settings);
                Attempt::begin(&locker.env, settings, subject, ask, None)
            });
            let LostAttempt { defeat, retreat } = match self.attempt(attempt, round_max, &mut permit).await {
                Ok(guard) => return Ok(guard),
                Err(lost) => lost,
            };
            if self.left().is_zero() || self.is_paused || is_hopeless(&defeat, locker.env.quorum) {
                return Err(self.error(defeat));
            }
            if !has_warned && too_many_rest(&defeat, locker.env.quorum) {
                has_warned = true;
                let votes = defeat.votes();
                tracing::warn!(resource = %self.resource, "waiting for nodes that may have forgotten locks; {votes}");
            }
            if !has_warned && let Some(occupant) = defeat.votes().occupant_without_ttl(locker.env.quorum) {
                has_warned = true;
                tracing::warn!(resource = %self.resource, "held without a time to live by {occupant}: it never ends by itself");
            }
            queue.defeated(&locker.queues, &defeat);
            let timeouts = self.sleep(&queue).await;
            drop(retreat);
            // The last attempt may exceed the wait by the time that a node may take, and by no more. If it had less, a lock
            // that is held would look like nodes that do not answer.
            let growth = 2_u32.saturating_pow(timeouts).min(ROUND_GROWTH_MAX);
            let longest = settings.node_timeout.max(settings.terms.ttl / 4);
            round_max = (settings.node_timeout * growth).min(longest).min(self.left().max(settings.node_timeout));
        }
    }

    /// Sleeps until it is time to ask or the wait is over. Returns how many attempts timed out in a row.
    async fn sleep(&self, queue: &LocalQueue<Wakeup>) -> u32 {
        let end = self.began.after(self.wait_max);
        loop {
            let Some((asks_at, timeouts)) = queue.asks_at() else { return 0 };
            let until = asks_at.min(end);
            if until <= self.env().clock.now() {
                return timeouts;
            }
            tokio::select! {
                biased;
                () = queue.changed.notified() => {}
                () = sleep_until(&*self.env().clock, until) => {}
            }
        }
    }

    /// Makes one attempt. If it wins, the lease takes the permit.
    async fn attempt(
        &mut self,
        attempt: Result<Box<Attempt>, Defeat>,
        round_max: Duration,
        permit: &mut Option<Permit>,
    ) -> Result<Guard, LostAttempt> {
        let Self { locker, settings, resource, .. } = *self;
        self.attempts += 1;
        let attempt = attempt.map_err(|defeat| LostAttempt { defeat, retreat: None })?;
        let (subject, arrivals_before, began) = (Arc::clone(attempt.subject()), attempt.arrivals_before, attempt.began);
        match attempt.finish(settings, round_max).await {
            Ok((win, exchange)) => {
                let (token, apart, attempts) = (win.tokens.first, win.sealed_apart, self.attempts);
                tracing::debug!(%resource, holder = ?subject.holder, ?token, apart, attempts, waited = ?self.waited(), "acquired");
                let (permit, now) = (permit.take(), locker.env.clock.now());
                if let Some(permit) = &permit {
                    permit.queue.won(&locker.queues, attempts == 1, now);
                }
                let lease = ActiveLease::new(settings, (win, exchange), arrivals_before, permit, &locker.renewals, now);
                lease.begins(began);
                self.meter.won(false, began);
                renewer::attend(&locker.renewals.schedule, Arc::clone(&lease), now);
                Ok(Guard::new(lease))
            }
            Err(mut lost) => {
                self.explain(&mut lost.defeat);
                let (defeat, attempts) = (&lost.defeat, self.attempts);
                tracing::debug!(%resource, holder = ?subject.holder, ?defeat, attempts, "not acquired");
                Err(lost)
            }
        }
    }

    fn env(&self) -> &Env {
        &self.locker.env
    }

    /// Explains the defeat if time-outs expired because tokio's clock is paused.
    fn explain(&mut self, defeat: &mut Defeat) {
        let Defeat::NoQuorum(votes) = defeat else { return };
        self.is_paused = outruns_tokio(&*self.locker.env.clock);
        if self.is_paused {
            let explained = votes.iter().map(|(_, vote)| match vote {
                Vote::Granted | Vote::Refused(_) => vote.clone(),
                _ => Vote::Failed(Fault::new(FaultKind::TimedOut, PAUSED)),
            });
            *votes = Votes::new(explained.collect());
        }
    }

    fn waited(&self) -> Duration {
        self.env().clock.now().since(self.began)
    }

    fn left(&self) -> Duration {
        self.wait_max.saturating_sub(self.waited())
    }

    fn error(&self, defeat: Defeat) -> AcquireError {
        let Self { settings, attempts, .. } = *self;
        let env = self.env();
        if let Defeat::NoQuorum(votes) = &defeat {
            let is_silent = |vote: &Vote| match vote {
                Vote::Silent => true,
                Vote::Failed(fault) => matches!(fault.kind, FaultKind::TimedOut | FaultKind::Overloaded),
                _ => false,
            };
            // A reply that came in time, but after the attempt was decided, was not late.
            let took = |node| env.late.took(node, self.began).filter(|took| *took > settings.node_timeout);
            let late: NodeSet = votes.nodes_with(is_silent).iter().filter(|node| took(*node).is_some()).collect();
            let out_of_reach = votes.nodes_with(|vote| matches!(vote, Vote::Failed(_) | Vote::Silent));
            let would_be_a_quorum = !env.quorum.is_blocked_by(out_of_reach.without(late));
            if let (Some(took), true) = (late.iter().filter_map(took).max(), would_be_a_quorum) {
                let (votes, waited) = (votes.clone(), self.waited());
                let (late, allowed) = (late.len(), settings.node_timeout);
                return AcquireError::Overloaded { late, took, allowed, votes, attempts, waited };
            }
        }
        AcquireError::from_defeat(defeat, (env.quorum, self.settings.terms), self.attempts, self.waited())
    }
}

/// A place among the waiting tasks. If it is dropped, the wakeup of this task goes to the next task.
struct QueuePlace {
    waiter: Arc<LocalWaiter<Wakeup>>,
    queue: Arc<LocalQueue<Wakeup>>,
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        match self.queue.leave(&self.waiter) {
            Some(Wakeup::Section(lease)) => hand_over::decline(&lease),
            // The attempt is rolled back first; then the permit wakes the next task.
            Some(Wakeup::Attempt(permit, attempt)) => {
                drop(attempt);
                drop(permit);
            }
            Some(Wakeup::Permit(permit)) => drop(permit),
            None => {}
        }
    }
}

/// Whether no later attempt can succeed, because this locker will never ask enough nodes again.
fn is_hopeless(defeat: &Defeat, quorum: Quorum) -> bool {
    let is_closed = |vote: &Vote| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Closed);
    quorum.is_blocked_by(defeat.votes().nodes_with(is_closed))
}

/// Whether no process can acquire before some nodes have ended their rest.
fn too_many_rest(defeat: &Defeat, quorum: Quorum) -> bool {
    let rests = |vote: &Vote| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Resting);
    quorum.is_blocked_by(defeat.votes().nodes_with(rests))
}
