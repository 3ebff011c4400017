//! [`Subscription`]: whether the wakes of the lockers of one connection come in.

use super::keys::Prefix;
use crate::LockerId;

/// What is known of the subscriptions of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    lockers: Vec<LockerId>,
    /// How many of them the server has confirmed.
    confirmed: usize,
    /// The server refused to subscribe, or to publish.
    is_deaf: bool,
}

impl Subscription {
    /// The channel that has to be subscribed to before a request of `locker` waits; `None` where that was done.
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

    /// Whether the server has a subscription to confirm.
    pub(super) const fn awaits(&self) -> bool {
        self.confirmed < self.lockers.len()
    }

    /// No wakes come over this connection; true where that is news.
    pub(super) const fn refuse(&mut self) -> bool {
        !std::mem::replace(&mut self.is_deaf, true)
    }

    /// Whether a request may wait for a wake. Where messages come over another connection than the requests go, the
    /// subscription has to stand first.
    pub(super) const fn may_wait(&self, apart: bool) -> bool {
        !self.is_deaf && (!apart || self.confirmed == self.lockers.len())
    }
}
