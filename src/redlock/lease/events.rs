//! Trace events of leases, for a history: acquired, extended, ended.
//!
//! They cost nothing without a subscriber. The layer of the module `history` writes them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::FencingToken;
use crate::protocol::{LossCause, Subject};

/// The target of these events.
pub(crate) const TARGET: &str = "redfence::history";

/// Whether the history has the beginning of a lease. If not, it gets no later events of it.
#[derive(Default)]
pub(crate) struct InHistory(AtomicBool);

impl InHistory {
    /// Whether the next event of this lease will be recorded, so that its values are worth computing.
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An attempt has won the lease, or it was resumed. Returns whether a history records its events.
    pub(crate) fn begin(&self) -> bool {
        let is_on = tracing::enabled!(target: TARGET, tracing::Level::DEBUG);
        self.0.store(is_on, Ordering::Relaxed);
        is_on
    }
}

/// The attempt took `took`, and the lease is valid for `valid_for`.
pub(crate) fn acquired(subject: &Subject, token: FencingToken, ttl: Duration, took: Duration, valid_for: Duration) {
    let (resource, holder, token) = (&subject.resource, &subject.holder, token.get());
    let (ttl_us, took_us, valid_for_us) = (us(ttl), us(took), us(valid_for));
    tracing::debug!(target: TARGET, event = "acquired", %resource, %holder, token, ttl_us, took_us, valid_for_us);
}

/// The lease was extended, or resumed.
pub(crate) fn extended(subject: &Subject, token: FencingToken, valid_for: Duration) {
    let (resource, holder, token, valid_for_us) = (&subject.resource, &subject.holder, token.get(), us(valid_for));
    tracing::debug!(target: TARGET, event = "extended", %resource, %holder, token, valid_for_us);
}

/// The holder no longer relies on the lease.
pub(crate) fn ended(subject: &Subject, token: FencingToken, cause: &LossCause) {
    let (resource, holder, token) = (&subject.resource, &subject.holder, token.get());
    tracing::debug!(target: TARGET, event = "ended", %resource, %holder, token, %cause);
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
