//! What becomes of leases, as events for a history: acquired, extended, ended.
//!
//! Costs nothing where nobody subscribes. The layer of the module `history` writes them down.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::Moment;
use crate::protocol::LossCause;
use crate::redlock::lease::active::Held;

/// The target of these events.
pub(crate) const TARGET: &str = "redfence::history";

/// An attempt that began at `began` has won this lease.
pub(crate) fn acquired(held: &Held, began: Moment) {
    if !is_heard() {
        return;
    }
    held.is_told.store(true, Ordering::Relaxed);
    let terms = held.settings.terms;
    let now = held.core.clock.now();
    let (resource, holder, token) = (&held.subject.resource, &held.subject.holder, held.token.get());
    let (ttl_us, took_us, valid_for_us) = (us(terms.ttl), us(now.since(began)), us(held.ends_at().since(now)));
    tracing::debug!(target: TARGET, event = "acquired", %resource, %holder, token, ttl_us, took_us, valid_for_us);
}

/// The lease lives longer.
pub(crate) fn extended(held: &Held) {
    if !held.is_told.load(Ordering::Relaxed) {
        return;
    }
    let valid_for_us = us(held.ends_at().since(held.core.clock.now()));
    let (resource, holder, token) = (&held.subject.resource, &held.subject.holder, held.token.get());
    tracing::debug!(target: TARGET, event = "extended", %resource, %holder, token, valid_for_us);
}

/// Nobody relies on the lease any more. Of one that nobody was there to have nothing is told.
pub(crate) fn ended(held: &Held, cause: &LossCause) {
    if !held.is_told.load(Ordering::Relaxed) {
        return;
    }
    let (resource, holder, token) = (&held.subject.resource, &held.subject.holder, held.token.get());
    tracing::debug!(target: TARGET, event = "ended", %resource, %holder, token, %cause);
}

fn is_heard() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
