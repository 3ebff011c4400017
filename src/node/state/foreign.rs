//! What programs that are not redfence do with the locks of a node.

use std::time::Duration;

use super::{Lock, NodeState, whole_ms};
use crate::protocol::LockState;
use crate::{Resource, WallTime};

/// The end of a lock that does not end by itself.
const NEVER: WallTime = WallTime::from_unix_us(u64::MAX);

impl NodeState {
    /// Another program takes the lock of `resource`, as `SET NX PX` does, or `SET NX` without a time to live. Returns
    /// whether the lock was free.
    pub fn occupy(&mut self, now: WallTime, resource: &Resource, value: &[u8], ttl: Option<Duration>) -> bool {
        self.expire(resource, now);
        let is_free = !self.locks.contains_key(resource);
        if is_free {
            let expires_at = ttl.map_or(NEVER, |ttl| whole_ms(now).after(ttl));
            self.locks.insert(resource.clone(), Lock { state: LockState::of_value(value), expires_at });
        }
        is_free
    }

    /// Another program removes its lock of `resource`, if the lock still has this value.
    pub fn vacate(&mut self, resource: &Resource, value: &[u8]) {
        if self.locks.get(resource).is_some_and(|lock| lock.state == LockState::of_value(value)) {
            self.locks.remove(resource);
        }
    }
}

impl Lock {
    /// How long it lives; `None` if it does not end by itself.
    pub(super) fn ttl_left(&self, now: WallTime) -> Option<Duration> {
        let left = self.expires_at.unix_ms().saturating_sub(now.unix_ms());
        (self.expires_at != NEVER).then_some(Duration::from_millis(left))
    }
}
