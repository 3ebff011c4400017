//! What programs that are not redfence do with the locks of a node.

use std::time::Duration;

use super::{Lock, NodeState, whole_ms};
use crate::protocol::LockState;
use crate::{Resource, WallTime};

impl NodeState {
    /// Another program takes the lock of `resource`, as `SET NX PX` does. Returns whether the lock was free.
    pub fn occupy(&mut self, now: WallTime, resource: &Resource, value: &[u8], ttl: Duration) -> bool {
        self.expire(resource, now);
        let is_free = !self.locks.contains_key(resource);
        if is_free {
            let lock = Lock { state: LockState::of_value(value), expires_at: whole_ms(now).after(ttl) };
            self.locks.insert(resource.clone(), lock);
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
