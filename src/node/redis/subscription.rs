//! [`Subscription`]: whether one connection receives the wakes of its lockers.

use super::keys::Prefix;
use crate::LockerId;

/// The state of the subscriptions of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    lockers: Vec<LockerId>,
    /// How many of them the server has confirmed.
    confirmed: usize,
    /// Whether the server refused to subscribe or to publish.
    is_deaf: bool,
}

impl Subscription {
    /// The channel to subscribe to before a request of `locker` waits; `None` if that was done before.
    pub(super) fn begin(&mut self, prefix: &Prefix, locker: LockerId) -> Option<String> {
        if self.lockers.contains(&locker) {
            return None;
        }
        self.lockers.push(locker);
        Some(prefix.wake(locker))
    }

    pub(super) const fn confirm(&mut self) {
        self.confirmed += 1;
    }

    /// Whether the server has yet to confirm a subscription.
    pub(super) const fn awaits(&self) -> bool {
        self.confirmed < self.lockers.len()
    }

    /// Notes that no wakes arrive over this connection. Returns whether that is new.
    pub(super) const fn refuse(&mut self) -> bool {
        !std::mem::replace(&mut self.is_deaf, true)
    }

    /// Whether a request may wait for a wake. If wakes arrive over another connection, the subscription must be
    /// confirmed first.
    pub(super) const fn may_wait(&self, apart: bool) -> bool {
        !self.is_deaf && (!apart || self.confirmed == self.lockers.len())
    }
}
