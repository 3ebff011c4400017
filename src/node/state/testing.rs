//! What tests and simulations do to a node: its data is lost, changed or restored.

use super::NodeState;
use crate::protocol::RunId;
use crate::{Resource, WallTime};

impl NodeState {
    /// Removes the lock of `resource`, as expiry or eviction does.
    pub fn drop_lock(&mut self, resource: &Resource) {
        self.locks.remove(resource);
    }

    /// Sets the counter of `slot`, as a restored snapshot or another program would; 0 removes it.
    pub fn set_counter(&mut self, slot: u16, counter: u64) {
        self.put_counter(slot, counter);
    }

    /// Starts again as another run, with all data or with none.
    pub fn restart(&mut self, run_id: RunId, now: WallTime, remembers: bool) {
        if remembers {
            (self.run_id, self.started, self.was_joined) = (run_id, now, false);
            self.subscribers.clear();
        } else {
            *self = Self::started(run_id, now);
        }
    }

    /// Forgets everything while connections stay open, as FLUSHALL does.
    pub fn flush(&mut self) {
        let (was_joined, subscribers) = (self.was_joined, std::mem::take(&mut self.subscribers));
        *self = Self { was_joined, subscribers, ..Self::started(self.run_id, self.started) };
    }
}
