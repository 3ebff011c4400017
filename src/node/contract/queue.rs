//! The rules of a lock's queue: which waiter is next, which is woken, and how long a lock is reserved.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::suite::{Broken, Ignored, Party, Suite, TTL, ensure};
use crate::node::{Responder, WakeListener};
use crate::protocol::{LockView, Next, Publish, Reply, Request, Subject, Verb, Waits};
use crate::waiter::QueueEntry;
use crate::{LockerId, NodeId, Resource, Waiter};

pub(super) async fn check(suite: &Suite<'_>) -> Result<(), Broken> {
    suite.one_that_waits_longer_comes_first().await?;
    suite.a_release_reserves_the_lock_for_the_first_and_wakes_it().await?;
    suite.one_that_stands_still_costs_its_grace().await?;
    suite.a_node_that_wakes_no_waiter_reserves_all_the_same().await?;
    suite.a_lock_that_is_taken_again_at_once_wakes_no_waiter().await?;
    suite.one_that_leaves_passes_its_reservation_on().await?;
    suite.a_waiter_that_returns_a_lock_goes_on_waiting().await
}

/// Wakes may be slow, but must arrive within this time.
const WITHIN: Duration = Duration::from_secs(5);
const LONG_GRACE: Duration = Duration::from_millis(900);
const SHORT_GRACE: Duration = Duration::from_millis(1);

/// A waiter, and the wakes that it received.
struct Waiting<'a> {
    party: Party<'a>,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard(Mutex<Vec<(Resource, Duration)>>);

impl WakeListener for Heard {
    fn woken(&self, _: NodeId, resource: &Resource, after: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((resource.clone(), after));
    }

    fn receives_wakes(&self, _: NodeId, _: bool) {}
}

impl<'a> Suite<'a> {
    fn waiting(&'a self, resource: &str, number: u128, grace: Duration) -> Result<Waiting<'a>, Broken> {
        let Party { node, subject } = self.party(resource, number)?;
        // Each waiter has a locker of its own, also when the suite runs again.
        let lockers = self.fresh.bytes().fold(0_u64, |sum, byte| sum.rotate_left(7) ^ u64::from(byte));
        let locker = LockerId::from_random(lockers << 16 ^ u64::try_from(number).unwrap_or_default());
        let waiter = Waiter::new(locker, 1, grace / 3);
        let heard = Arc::new(Heard::default());
        if let Some(id) = NodeId::new(0) {
            let listener: Weak<dyn WakeListener> = Arc::downgrade(&(Arc::clone(&heard) as Arc<dyn WakeListener>));
            node.listen(id, locker, listener);
        }
        let subject = Arc::new(Subject { waiter, ..(*subject).clone() });
        Ok(Waiting { party: Party { node, subject }, heard })
    }

    async fn one_that_waits_longer_comes_first(&self) -> Result<(), Broken> {
        let rule = "a refused grant that waits is in the queue, in the order of the time waited";
        let holder = self.party("place", 400)?;
        holder.granted(rule, TTL, 0).await?;
        let [one, other] = [self.waiting("place", 401, LONG_GRACE)?, self.waiting("place", 402, LONG_GRACE)?];
        one.is_queued(rule, 5, 0).await?;
        other.is_queued(rule, 1, 1).await?;
        other.is_queued("a waiter that asks again moves forward only", 9, 0).await?;
        other.is_queued("a waiter that asks again moves forward only", 1, 0).await?;
        let view = holder.view(rule).await?;
        let first = view.first.as_deref().map(QueueEntry::waiter);
        ensure(rule, view.waiting == 2 && first == Some(other.party.subject.waiter), &view)?;
        let view = self.party("place", 403)?.refused(rule, grant(None)).await?;
        ensure("a grant that does not wait is in no queue", view.place.is_none(), &view)?;
        holder.expect(rule, Verb::Release { next: Next::NoWaiter }, &Reply::Released).await?;
        let view = holder.view("a release without a wake leaves the lock free, and the queue unchanged").await?;
        ensure(rule, view.lock.is_free() && view.waiting == 2 && one.is_asleep() && other.is_asleep(), &view)
    }

    async fn a_release_reserves_the_lock_for_the_first_and_wakes_it(&self) -> Result<(), Broken> {
        let rule = "a release reserves the lock for the first in the queue, and wakes it";
        let (holder, [one, other]) = self.holder_and_two("reserve", 410, LONG_GRACE).await?;
        holder.expect(rule, Verb::Release { next: Next::Queue(Publish::ToFirstTwo) }, &Reply::Released).await?;
        one.is_woken(rule, Duration::ZERO).await?;
        other.is_woken("the second is woken for the end of the reservation", LONG_GRACE).await?;
        let view = self.party("reserve", 419)?.refused("a reserved lock is not free", grant(None)).await?;
        let reserved = view.lock.reserved_for().map(QueueEntry::waiter);
        let is_brief = view.ttl_left.is_some_and(|left| left <= LONG_GRACE);
        ensure(rule, reserved == Some(one.party.subject.waiter) && is_brief, &view)?;
        other.is_queued("a reserved lock is not another waiter's", 1, 0).await?;
        ensure(rule, matches!(one.asks(5, false).await, Reply::Granted { .. }), &"the waiter that it is reserved for")?;
        one.party.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        other.is_woken(rule, Duration::ZERO).await?;
        let over = "only a grant with overrides takes a reserved lock, and no grant takes a held one";
        let late = self.waiting("reserve", 413, LONG_GRACE)?;
        ensure(over, matches!(late.asks(1, true).await, Reply::Granted { .. }), &"a reservation")?;
        ensure(
            over,
            matches!(other.asks(5, true).await, Reply::Refused(view) if view.lock.held_by().is_some()),
            &"a lock",
        )
    }

    async fn one_that_stands_still_costs_its_grace(&self) -> Result<(), Broken> {
        let rule = "a reservation ends by itself";
        let (holder, [one, other]) = self.holder_and_two("grace", 420, SHORT_GRACE).await?;
        holder.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        one.is_woken(rule, Duration::ZERO).await?;
        holder.wait_until_free(rule).await?;
        ensure(rule, matches!(other.asks(1, false).await, Reply::Granted { .. }), &"the next")
    }

    async fn a_node_that_wakes_no_waiter_reserves_all_the_same(&self) -> Result<(), Broken> {
        let rule = "a release without a wake still reserves the lock";
        let (holder, [one, other]) = self.holder_and_two("quiet", 460, LONG_GRACE).await?;
        holder.expect(rule, Verb::Release { next: Next::Queue(Publish::Nothing) }, &Reply::Released).await?;
        other.is_queued("it stays in the queue until it asks", 1, 1).await?;
        ensure(rule, matches!(one.asks(5, false).await, Reply::Granted { .. }), &"the waiter that it is reserved for")?;
        ensure(rule, one.is_asleep() && other.is_asleep(), &"a wake came")
    }

    async fn a_lock_that_is_taken_again_at_once_wakes_no_waiter(&self) -> Result<(), Broken> {
        let rule = "a lock that is kept for the grant behind its release causes no wake";
        let (holder, [one, _other]) = self.holder_and_two("keep", 430, LONG_GRACE).await?;
        let next = self.party("keep", 439)?;
        let release = Verb::Release { next: Next::Grant };
        if let Some(id) = NodeId::new(0) {
            let parcel = |subject: &Arc<Subject>, verb: Verb| {
                let request = Request { subject: Arc::clone(subject), verb: verb.clone() };
                (request, Responder::to(Arc::new(Ignored), id, verb.kind()))
            };
            self.node.send_both(parcel(&holder.subject, release.clone()), parcel(&next.subject, grant(None)));
        }
        let view = next.view(rule).await?;
        let is_its = view.lock.is_held_by(&next.subject.holder);
        ensure(rule, is_its && one.is_asleep() && view.waiting == 2, &view)?;
        next.expect("if no grant is behind it, the first in the queue is next", release, &Reply::Released).await?;
        one.is_woken("if no grant is behind it, the first in the queue is next", Duration::ZERO).await
    }

    async fn one_that_leaves_passes_its_reservation_on(&self) -> Result<(), Broken> {
        let rule = "a waiter that leaves is not woken, and its reservation goes to the next";
        let (holder, [one, other]) = self.holder_and_two("leave", 440, LONG_GRACE).await?;
        let third = self.waiting("leave", 443, LONG_GRACE)?;
        third.is_queued(rule, 1, 2).await?;
        one.party.expect(rule, Verb::Leave, &Reply::Left).await?;
        holder.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        other.is_woken(rule, Duration::ZERO).await?;
        ensure(rule, one.is_asleep(), &"it left")?;
        other.party.expect(rule, Verb::Leave, &Reply::Left).await?;
        third.is_woken(rule, Duration::ZERO).await?;
        let rule = "if a waiter leaves after its reservation ended, the next one is woken too";
        let (holder, [one, other]) = self.holder_and_two("leave late", 470, SHORT_GRACE).await?;
        holder.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        one.is_woken(rule, Duration::ZERO).await?;
        holder.wait_until_free(rule).await?;
        one.party.expect(rule, Verb::Leave, &Reply::Left).await?;
        other.is_woken(rule, Duration::ZERO).await
    }

    async fn a_waiter_that_returns_a_lock_goes_on_waiting(&self) -> Result<(), Broken> {
        let rule = "a waiter that rolls back a lost attempt is in the queue again";
        let one = self.waiting("rejoin", 450, LONG_GRACE)?;
        ensure(rule, matches!(one.asks(9, false).await, Reply::Granted { .. }), &"it was free")?;
        let other = self.waiting("rejoin", 451, LONG_GRACE)?;
        other.is_queued(rule, 1, 0).await?;
        let rejoin = Verb::Release { next: Next::Rejoin { waited: Duration::from_secs(9), wakes: true } };
        one.party.expect(rule, rejoin, &Reply::Released).await?;
        one.is_woken("it has waited for longer", Duration::ZERO).await?;
        ensure(rule, other.is_asleep(), &"it has waited for less")?;
        let rule = "a waiter that rolls back without a wake is in the queue again, and the lock is free";
        let alone = self.waiting("rejoin quietly", 452, LONG_GRACE)?;
        ensure(rule, matches!(alone.asks(9, false).await, Reply::Granted { .. }), &"it was free")?;
        let rejoin = Verb::Release { next: Next::Rejoin { waited: Duration::from_secs(9), wakes: false } };
        alone.party.expect(rule, rejoin, &Reply::Released).await?;
        let view = alone.party.view(rule).await?;
        ensure(rule, view.lock.is_free() && view.waiting == 1 && alone.is_asleep(), &view)
    }

    /// A holder and two waiters, the first in the queue first.
    async fn holder_and_two(
        &'a self,
        resource: &str,
        number: u128,
        grace: Duration,
    ) -> Result<(Party<'a>, [Waiting<'a>; 2]), Broken> {
        let rule = "a refused grant that waits is in the queue";
        let holder = self.party(resource, number)?;
        holder.granted(rule, TTL, 0).await?;
        let [one, other] = [self.waiting(resource, number + 1, grace)?, self.waiting(resource, number + 2, grace)?];
        one.is_queued(rule, 5, 0).await?;
        other.is_queued(rule, 1, 1).await?;
        Ok((holder, [one, other]))
    }
}

impl Waiting<'_> {
    /// Asks, and asks again while it is refused and not queued: a node queues no waiter until it can send wakes.
    async fn asks(&self, waited_s: u64, overrides: bool) -> Reply {
        let grant = || grant(Some(Waits { waited: Duration::from_secs(waited_s), overrides }));
        let mut reply = self.party.ask(grant()).await;
        for _ in 0..WITHIN.as_millis() / 5 {
            let Reply::Refused(LockView { place: None, .. }) = reply else { break };
            tokio::time::sleep(Duration::from_millis(5)).await;
            reply = self.party.ask(grant()).await;
        }
        reply
    }

    async fn is_queued(&self, rule: &'static str, waited_s: u64, place: u32) -> Result<(), Broken> {
        match self.asks(waited_s, false).await {
            Reply::Refused(LockView { place: Some(found), .. }) if found == place => Ok(()),
            other => Err(Broken { rule, detail: format!("{other:?} instead of place {place}") }),
        }
    }

    async fn is_woken(&self, rule: &'static str, after: Duration) -> Result<(), Broken> {
        let resource = &self.party.subject.resource;
        for _ in 0..WITHIN.as_millis() / 5 {
            if self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(resource.clone(), after)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Broken { rule, detail: format!("no wake \"in {after:?}\" for {resource} came within {WITHIN:?}") })
    }

    fn is_asleep(&self) -> bool {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

const fn grant(waits: Option<Waits>) -> Verb {
    Verb::Grant { ttl: TTL, floor: 0, block: 1, waits }
}
