//! The contract suite that every [`Node`] must pass, in process or on a network.

mod memory;
mod queue;
mod suite;

use std::sync::Arc;
use std::time::Duration;

pub use suite::Broken;

use self::suite::{Ignored, SHORT, Suite, TTL, ensure};
use super::{Node, Responder};
use crate::protocol::{RecordUpdate, Reply, Request, Verb};
use crate::{NodeId, WallTime};

/// Runs the suite on `node`. `fresh` is the beginning of resource names that the node has never seen.
///
/// **No other program may use the node:** the suite initializes it as new, and removes all locks on it.
///
/// Some rules need time to pass on the node: a lock of 30 ms must expire, and a rest of 400 ms must end. The suite
/// waits for them in steps, for five seconds at most.
///
/// # Errors
///
/// [`Broken`] with the first rule that does not hold.
///
/// # Cancel safety
///
/// Leaves raised counters, and locks that live ten seconds at most.
pub async fn check(node: &dyn Node, fresh: &str) -> Result<(), Broken> {
    let suite = Suite { node, fresh };
    suite.joining_comes_first().await?;
    memory::check(&suite).await?;
    suite.grants_exclude_each_other().await?;
    suite.counters_only_grow().await?;
    suite.a_seal_needs_the_lock().await?;
    suite.an_extension_needs_the_lock().await?;
    suite.a_release_needs_the_lock().await?;
    suite.a_lock_ends_by_itself().await?;
    suite.an_extension_puts_off_the_end().await?;
    suite.requests_take_effect_in_order().await?;
    queue::check(&suite).await?;
    suite.force_takes_from_the_expected_holder_only_and_always_moves_the_counter().await?;
    suite.a_scan_lists_every_lock().await
}

impl Suite<'_> {
    async fn joining_comes_first(&self) -> Result<(), Broken> {
        let rule = "a node is probed, initialized and admitted, and then it grants";
        let party = self.party("join", 200)?;
        let max_ttl = TTL * 2;
        let mut report = party.reported(rule, Verb::Probe { max_ttl }).await?;
        if report.record.is_none_or(|record| !record.awake) {
            let update = RecordUpdate {
                seen: report.record,
                mark: report.mark,
                rest: Duration::ZERO,
                new: true,
                max_ttl,
                wall: WallTime::default(),
            };
            report = party.reported(rule, update.into()).await?;
        }
        ensure(
            rule,
            report.record.is_some_and(|r| r.awake && r.max_ttl >= max_ttl && r.run_id == report.run_id),
            &report,
        )?;
        self.node.admit(report.session);
        let late =
            RecordUpdate { seen: None, mark: report.mark, rest: TTL, new: false, max_ttl, wall: WallTime::default() };
        let again = party.reported("an initialization needs the record that the probe saw", late.into()).await?;
        ensure("an initialization needs the record that the probe saw", again.record == report.record, &(again, report))
    }

    async fn grants_exclude_each_other(&self) -> Result<(), Broken> {
        let rule = "a lock has one holder";
        let (one, other) = (self.party("exclude", 1)?, self.party("exclude", 2)?);
        one.expect_free(rule).await?;
        let counter = one.granted(rule, TTL, 0).await?;
        let view = other.refused(rule, Verb::Grant { ttl: TTL, floor: 0, block: 1, waits: None }).await?;
        let named = view.lock.is_held_by(&one.subject.holder);
        let timed = view.ttl_left.is_some_and(|left| left <= TTL && left > TTL / 2);
        ensure(rule, named && timed && view.counter >= counter, &view)?;
        let again = one.refused(rule, Verb::Grant { ttl: TTL, floor: 0, block: 1, waits: None }).await?;
        ensure("a grant is not repeated for its own holder", again.lock == view.lock, &again)
    }

    async fn counters_only_grow(&self) -> Result<(), Broken> {
        let rule = "every grant draws a greater number";
        let mut last = 0;
        for round in 0..3 {
            let party = self.party("counters", 10 + round)?;
            let drawn = party.granted(rule, TTL, 0).await?;
            ensure(rule, drawn > last, &(last, drawn))?;
            ensure("a counter starts at the clock", drawn > 1_000_000_000_000_000, &drawn)?;
            party.expect(rule, Verb::RELEASE, &Reply::Released).await?;
            last = drawn;
        }
        let floored = self.party("counters", 20)?.granted("a grant reaches its floor", TTL, last + 1_000).await?;
        ensure("a grant reaches its floor", floored == last + 1_000, &floored)
    }

    async fn a_seal_needs_the_lock(&self) -> Result<(), Broken> {
        let rule = "a seal raises the counter for the lock's own holder only";
        let (one, other) = (self.party("seal", 30)?, self.party("seal", 31)?);
        let drawn = one.granted(rule, TTL, 0).await?;
        let refused = other.refused(rule, Verb::Seal { token: drawn + 500 }).await?;
        ensure(rule, refused.counter == drawn, &refused)?;
        one.expect(rule, Verb::Seal { token: drawn + 100 }, &Reply::Sealed).await?;
        one.expect("a seal never lowers a counter", Verb::Seal { token: drawn }, &Reply::Sealed).await?;
        let view = one.view(rule).await?;
        ensure(rule, view.counter == drawn + 100, &view)
    }

    async fn an_extension_needs_the_lock(&self) -> Result<(), Broken> {
        let rule = "an extension is for the lock's own holder and creates nothing";
        let (one, other) = (self.party("extend", 40)?, self.party("extend", 41)?);
        one.refused(rule, Verb::Extend { ttl: TTL }).await?;
        one.expect_free(rule).await?;
        one.granted(rule, TTL, 0).await?;
        other.refused(rule, Verb::Extend { ttl: TTL }).await?;
        one.expect(rule, Verb::Extend { ttl: TTL * 2 }, &Reply::Extended).await?;
        let view = one.view(rule).await?;
        ensure(rule, view.ttl_left.is_some_and(|left| left > TTL), &view)
    }

    async fn a_release_needs_the_lock(&self) -> Result<(), Broken> {
        let rule = "a release is for the lock's own holder";
        let (one, other) = (self.party("release", 50)?, self.party("release", 51)?);
        one.granted(rule, TTL, 0).await?;
        other.refused(rule, Verb::RELEASE).await?;
        one.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        one.expect_free(rule).await?;
        let view = one.refused("a second release finds nothing", Verb::RELEASE).await?;
        ensure("a second release finds nothing", view.lock.is_free(), &view)
    }

    async fn a_lock_ends_by_itself(&self) -> Result<(), Broken> {
        let rule = "a lock ends by itself, and its counter stays";
        let (one, other) = (self.party("expiry", 60)?, self.party("expiry", 61)?);
        let drawn = one.granted(rule, SHORT, 0).await?;
        one.wait_until_free(rule).await?;
        one.refused(rule, Verb::Seal { token: drawn }).await?;
        one.refused(rule, Verb::Extend { ttl: TTL }).await?;
        let next = other.granted(rule, TTL, 0).await?;
        ensure(rule, next > drawn, &(drawn, next))
    }

    async fn an_extension_puts_off_the_end(&self) -> Result<(), Broken> {
        let rule = "an extension puts off the end";
        let (one, marker) = (self.party("put off", 70)?, self.party("put off marker", 71)?);
        one.granted(rule, TTL, 0).await?;
        one.expect(rule, Verb::Extend { ttl: TTL }, &Reply::Extended).await?;
        marker.granted(rule, SHORT, 0).await?;
        marker.wait_until_free(rule).await?;
        one.expect(rule, Verb::RELEASE, &Reply::Released).await
    }

    async fn force_takes_from_the_expected_holder_only_and_always_moves_the_counter(&self) -> Result<(), Broken> {
        let rule = "force takes a lock from the expected holder only";
        let (one, other) = (self.party("force", 80)?, self.party("force", 81)?);
        let drawn = one.granted(rule, TTL, 0).await?;
        let view = other.refused(rule, Verb::Force).await?;
        ensure(rule, view.lock.is_held_by(&one.subject.holder), &view)?;
        one.expect(rule, Verb::Force, &Reply::Released).await?;
        one.expect_free(rule).await?;
        one.refused(rule, Verb::Force).await?;
        one.refused("a holder that was forced out cannot extend", Verb::Extend { ttl: TTL }).await?;
        let next = other.granted(rule, TTL, 0).await?;
        ensure("force raises the counter, even if it is refused", next > drawn + 3, &(drawn, next))
    }

    async fn a_scan_lists_every_lock(&self) -> Result<(), Broken> {
        let rule = "a scan reports every lock, and removes locks only on request";
        let mut expected = Vec::new();
        for number in 0..25 {
            // These names contain characters of patterns, and each has an end of its own.
            let party = self.party(&format!("scan [a-z]*?\\{number}}}:lock:x"), 300)?;
            party.granted(rule, TTL, 0).await?;
            expected.push(party.subject.resource.clone());
        }
        let party = self.party("scan", 301)?;
        for (remove, counts) in [(false, [1, 1_000]), (true, [10, 10])] {
            for (pass, count) in counts.into_iter().enumerate() {
                let mut seen = party.scanned(rule, count, remove).await?;
                seen.retain(|resource| expected.contains(resource));
                seen.sort_unstable();
                seen.dedup();
                let missing = if remove && pass == 1 { expected.len() } else { 0 };
                ensure(rule, seen.len() + missing == expected.len(), &(remove, seen))?;
            }
        }
        Ok(())
    }

    async fn requests_take_effect_in_order(&self) -> Result<(), Broken> {
        let rule = "requests take effect in the order in which they were sent";
        for round in 0..20 {
            let party = self.party("order", 100 + round)?;
            let grant = Verb::Grant { ttl: TTL, floor: 0, block: 1, waits: None };
            // The caller does not wait for the grant: it sends the release right behind it.
            for verb in [grant, Verb::RELEASE] {
                let request = Request { subject: Arc::clone(&party.subject), verb: verb.clone() };
                if let Some(id) = NodeId::new(0) {
                    self.node.send(request, Responder::to(Arc::new(Ignored), id, verb.kind()));
                }
            }
            party.expect_free(rule).await?;
        }
        Ok(())
    }
}
