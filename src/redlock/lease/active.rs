//! [`ActiveLease`]: the state of one lease that its guard, its handles and the renewer share.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::Instrument as _;

use super::events::{self, InHistory};
use super::schedule::{Entry, Renewals, Scheduled};
use crate::lease::Voters;
use crate::protocol::{Action, ExtendDefeat, LossCause, Renewal, Subject, TokenBlock, Win};
use crate::redlock::env::Env;
use crate::redlock::env::meters::{Extended, LeaseMeter, Meters};
use crate::redlock::env::spans;
use crate::redlock::env::timer::sleep_until;
use crate::redlock::error::{ExtendError, Lost};
use crate::redlock::round::attempt::Attempt;
use crate::redlock::round::exchange::{Exchange, Section};
use crate::redlock::round::extension;
use crate::redlock::settings::Settings;
use crate::redlock::wait::permit::{self, FromPermit};
use crate::{FencingToken, Moment};

/// Why a waiter of this process is woken.
pub(crate) enum Wakeup {
    /// It may contend for the resource.
    Permit(Permit),
    /// The same, and its grants are already sent.
    Attempt(Permit, Box<Attempt>),
    /// It gets the lease that this process holds, with a token of its own.
    Section(Arc<ActiveLease>),
}

/// The right to contend for a resource.
pub(crate) type Permit = permit::Permit<Wakeup>;

impl FromPermit for Wakeup {
    fn from_permit(permit: Permit) -> Self {
        Self::Permit(permit)
    }
}

/// One lease while a task may rely on it.
pub(crate) struct ActiveLease {
    pub(crate) settings: Arc<Settings>,
    pub(crate) subject: Arc<Subject>,
    /// The token of this section, and the tokens for further sections.
    tokens: TokenBlock,
    /// The arrival number taken just before the grants were sent.
    pub(crate) arrivals_before: u64,
    /// The right to contend for the resource. The next task of this process gets it at the end of this section.
    permit: Mutex<Option<Permit>>,
    history: InHistory,
    pub(crate) exchange: Arc<Exchange>,
    plan: Mutex<Plan>,
    ended: Notify,
    pub(crate) renewals: Arc<Renewals<Self>>,
    entry: Mutex<Option<Entry>>,
}

impl Scheduled for ActiveLease {
    fn entry(&self) -> MutexGuard<'_, Option<Entry>> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Section for ActiveLease {
    fn lease_is_gone(&self) {
        self.end(LossCause::Taken);
    }
}

struct Plan {
    renewal: Renewal,
    ended: Option<LossCause>,
    meter: LeaseMeter,
}

impl Plan {
    fn new(settings: &Settings, valid_until: Moment, meter: LeaseMeter, now: Moment) -> Mutex<Self> {
        let hold_until = settings.max_hold.map(|max_hold| now.after(max_hold));
        Mutex::new(Self { renewal: Renewal::new(valid_until, hold_until, settings.renewed, now), ended: None, meter })
    }
}

impl ActiveLease {
    pub(crate) fn new(
        settings: &Arc<Settings>,
        (win, exchange): (Win, Arc<Exchange>),
        arrivals_before: u64,
        permit: Option<Permit>,
        renewals: &Arc<Renewals<Self>>,
        now: Moment,
    ) -> Arc<Self> {
        let meter = exchange.env().meters.lease(&exchange.subject().resource);
        let plan = Plan::new(settings, win.valid_until, meter, now);
        Arc::new(Self {
            settings: Arc::clone(settings),
            subject: Arc::clone(exchange.subject()),
            tokens: win.tokens,
            arrivals_before,
            permit: Mutex::new(permit),
            history: InHistory::default(),
            exchange,
            plan,
            ended: Notify::new(),
            renewals: Arc::clone(renewals),
            entry: Mutex::default(),
        })
    }

    pub(crate) fn env(&self) -> &Arc<Env> {
        self.exchange.env()
    }

    /// The token of this section.
    pub(crate) fn token(&self) -> FencingToken {
        self.tokens.first
    }

    /// The nodes that vote when the lease is extended.
    pub(crate) fn voters(&self) -> Voters {
        Voters { bits: self.exchange.voters().bits(), set: self.env().set() }
    }

    /// The next section of the same lease, with the next token; `None` if no token or too little validity is left.
    pub(crate) fn next_section(&self, now: Moment) -> Option<Arc<Self>> {
        let tokens = self.tokens.rest()?;
        let (valid_until, meter) = {
            let plan = self.plan();
            (plan.renewal.valid_until(), plan.meter.next())
        };
        let left = valid_until.since(now);
        if left.is_zero() || left < self.settings.terms.min_validity {
            return None;
        }
        let next = Arc::new(Self {
            settings: Arc::clone(&self.settings),
            subject: Arc::clone(&self.subject),
            tokens,
            arrivals_before: self.arrivals_before,
            permit: Mutex::default(),
            history: InHistory::default(),
            exchange: Arc::clone(&self.exchange),
            plan: Plan::new(&self.settings, valid_until, meter, now),
            ended: Notify::new(),
            renewals: Arc::clone(&self.renewals),
            entry: Mutex::default(),
        });
        self.exchange.begin_section(Arc::downgrade(&next) as _).then_some(next)
    }

    /// Whether tasks of this process contend for the resource, but too few of them wait at this moment to continue in
    /// memory.
    pub(crate) fn is_busy(&self) -> bool {
        let is_last = self.tokens.first >= self.tokens.last;
        self.permit().as_ref().is_some_and(|permit| permit.queue.is_busy(is_last))
    }

    /// A task receives this section, after a wait that began at `began`.
    pub(crate) fn begins(&self, began: Moment) {
        if Meters::ON {
            let now = self.env().clock.now();
            let mut plan = self.plan();
            let ends_at = plan.renewal.ends_at();
            // Of one that ended meanwhile no end would be measured.
            if plan.ended.is_none() {
                plan.meter.begins(now, ends_at);
            }
        }
        if self.history.begin() {
            let (now, ttl) = (self.env().clock.now(), self.settings.terms.ttl);
            events::acquired(&self.subject, self.token(), ttl, now.since(began), self.ends_at().since(now));
        }
    }

    /// The lease goes on here, after another process gave it up. In a history that is an extension.
    pub(crate) fn goes_on(&self) {
        if self.history.begin() {
            events::extended(&self.subject, self.token(), self.ends_at().since(self.env().clock.now()));
        }
    }

    /// The section had no task to receive it.
    pub(crate) fn never_began(&self) {
        self.end(LossCause::Released);
    }

    /// Gives the permit to this section, which is about to begin.
    pub(crate) fn put_permit(&self, permit: Permit) {
        *self.permit() = Some(permit);
    }

    /// Takes the permit. The caller must then pass it to the next task of this process.
    pub(crate) fn take_permit(&self) -> Option<Permit> {
        self.permit().take()
    }

    fn permit(&self) -> MutexGuard<'_, Option<Permit>> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the lease ends, unless it is extended.
    pub(crate) fn ends_at(&self) -> Moment {
        self.plan().renewal.ends_at()
    }

    /// The validity that is left, or why the lease is over.
    pub(crate) fn check(&self) -> Result<Duration, Lost> {
        let plan = self.plan();
        if let Some(cause) = &plan.ended {
            return Err(Lost { cause: cause.clone() });
        }
        let left = plan.renewal.ends_at().since(self.env().clock.now());
        drop(plan);
        if self.env().process.is_forked() {
            return Err(Lost { cause: self.end(LossCause::Forked) });
        }
        // The clock decides, even if no task has noticed the end.
        if left.is_zero() { Err(Lost { cause: self.end(LossCause::Expired) }) } else { Ok(left) }
    }

    /// What is due at `now`. If the lease is lost, this ends it.
    pub(crate) fn due(&self, now: Moment) -> Option<Action> {
        let mut plan = self.plan();
        if plan.ended.is_some() {
            return None;
        }
        let action = plan.renewal.due(now);
        drop(plan);
        if let Action::Lost(cause) = action {
            self.end(cause);
            return None;
        }
        Some(action)
    }

    /// Ends the lease once. Returns the cause that counts.
    pub(crate) fn end(&self, cause: LossCause) -> LossCause {
        let plan = self.plan();
        match &plan.ended {
            Some(earlier) => earlier.clone(),
            None => self.end_as(plan, cause, self.env().clock.now()),
        }
    }

    /// The task gives the lease up. Fails if the lease had ended before. The clock decides, even if no task has
    /// noticed the end and the nodes still have the lock.
    pub(crate) fn give_up(&self) -> Result<(), Lost> {
        let plan = self.plan();
        let cause = match &plan.ended {
            Some(earlier) => earlier.clone(),
            None => {
                let now = self.env().clock.now();
                let is_over = plan.renewal.ends_at() <= now;
                let on_time = if is_over { LossCause::Expired } else { LossCause::Released };
                let cause = if self.env().process.is_forked() { LossCause::Forked } else { on_time };
                self.end_as(plan, cause, now)
            }
        };
        if cause == LossCause::Released { Ok(()) } else { Err(Lost { cause }) }
    }

    fn end_as(&self, mut plan: MutexGuard<'_, Plan>, cause: LossCause, now: Moment) -> LossCause {
        // A caller may report the general cause, `Expired`, for a more specific one.
        let cause = match (cause, plan.renewal.due(now)) {
            (LossCause::Expired, Action::Lost(exact)) => exact,
            (cause, _) => cause,
        };
        plan.ended = Some(cause.clone());
        let ends_at = plan.renewal.ends_at();
        plan.meter.ended(&cause, now, ends_at);
        drop(plan);
        self.renewals.schedule.remove(self);
        self.ended.notify_waiters();
        if self.history.is_on() {
            events::ended(&self.subject, self.token(), &cause);
        }
        let (resource, holder, token) = (&self.subject.resource, &self.subject.holder, self.token());
        match cause {
            LossCause::Released => tracing::debug!(%resource, ?holder, ?token, "released"),
            _ => {
                tracing::warn!(%resource, ?holder, ?token, %cause, "lease lost");
                // The next task need not wait until this holder notices.
                drop(self.take_permit());
            }
        }
        cause
    }

    /// The guard is given up after the end of the lease.
    pub(crate) fn overran(&self) {
        self.plan().meter.overran(self.env().clock.now());
    }

    /// Waits for the end of the lease. It needs only the clock: no network and no other task.
    pub(crate) async fn lost(&self) -> LossCause {
        let mut ended = pin!(self.ended.notified());
        loop {
            // Registered before the check, so that an end in between is not missed.
            ended.as_mut().enable();
            match self.check() {
                Err(Lost { cause }) => return cause,
                Ok(_) => {
                    let ends_at = self.ends_at();
                    tokio::select! {
                        biased;
                        () = &mut ended => {}
                        () = sleep_until(&*self.env().clock, ends_at) => {}
                    }
                }
            }
        }
    }

    /// Makes one attempt to extend, which ends before the lease does.
    pub(crate) async fn extend(&self) -> Result<(), ExtendError> {
        let left = self.check()?;
        let terms = self.settings.terms;
        let round_max = self.settings.node_timeout.min(left);
        let locks_end = self.env().clock.now().after(terms.ttl).after(terms.drift()).after(round_max);
        let send = |put: &dyn Fn()| {
            // Done under the lock that `end` takes, so no extension is ever sent after a release.
            let plan = self.plan();
            let live = plan.ended.is_none();
            if live {
                self.exchange.may_live_until(locks_end);
                put();
            }
            live
        };
        let subject = Arc::clone(&self.subject);
        let voters = self.exchange.voters();
        let outcome = pin!(extension::extend(self.env(), terms, subject, voters, round_max, send));
        let outcome = outcome.instrument(spans::extend(&self.subject.resource, self.token())).await;
        let now = self.env().clock.now();
        match outcome {
            Some(Ok(valid_until)) => {
                // A reply after the end extends nothing: the loss was reported, or is about to be.
                self.check()?;
                let mut plan = self.plan();
                plan.renewal.extended(valid_until, now, self.env().entropy.u32());
                plan.meter.extended(Extended::Yes);
                drop(plan);
                if self.history.is_on() {
                    events::extended(&self.subject, self.token(), self.ends_at().since(now));
                }
                Ok(())
            }
            Some(Err(ExtendDefeat::Gone(votes))) => {
                tracing::warn!(resource = %self.subject.resource, ?votes, "a majority no longer has the lock");
                self.plan().meter.extended(Extended::Gone);
                // The section that asked may be over, and another task may have the lease now.
                if let Some(section) = self.exchange.lease_is_gone() {
                    section.lease_is_gone();
                }
                Err(Lost { cause: self.end(LossCause::Taken) }.into())
            }
            Some(Err(ExtendDefeat::NoQuorum(votes))) => {
                self.not_extended(Extended::NoQuorum, now);
                Err(ExtendError::NoQuorum { votes })
            }
            Some(Err(ExtendDefeat::TooSlow { took })) => {
                self.not_extended(Extended::TooSlow, now);
                Err(ExtendError::TooSlow { took, ttl: self.settings.terms.ttl })
            }
            None => Err(self.check().map_or_else(ExtendError::from, |_| Lost { cause: LossCause::Released }.into())),
        }
    }

    fn not_extended(&self, outcome: Extended, now: Moment) {
        let mut plan = self.plan();
        plan.renewal.failed(now, self.env().entropy.u32());
        plan.meter.extended(outcome);
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
