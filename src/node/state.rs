//! [`NodeState`]: what a node does, as a pure function of its state, its clock and a request.
//!
//! This is the reference. The Lua scripts are compared with it, and simulators and model checkers run it.

use std::collections::HashMap;

use crate::protocol::{COUNTER_MIN, Fault, FaultKind, Reply, Request, Subject, Verb, View, clock_start};
use crate::{Resource, WallTime};

/// The locks and counters of one node.
#[derive(Debug, Clone, Default)]
pub struct NodeState {
    locks: HashMap<Resource, Lock>,
    counters: HashMap<u16, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lock {
    value: Box<str>,
    expires_at: WallTime,
}

impl NodeState {
    /// A node that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does what `request` asks, at `now` on the node's wall clock.
    pub fn apply(&mut self, now: WallTime, request: &Request) -> Reply {
        let subject = &*request.subject;
        self.expire(&subject.resource, now);
        match request.verb {
            Verb::Grant { .. } if self.locks.contains_key(&subject.resource) => Reply::Refused(self.view(now, subject)),
            Verb::Grant { ttl, floor, wall } => {
                let lock = Lock {
                    value: subject.holder.to_string().into(),
                    expires_at: WallTime::from_unix_ms(now.unix_ms()).after(ttl),
                };
                self.locks.insert(subject.resource.clone(), lock);
                Reply::Granted { counter: self.draw(subject.resource.slot(), floor, clock_start(now, wall)) }
            }
            Verb::Inspect => Reply::Seen(self.view(now, subject)),
            _ if !self.is_held_by(subject) => Reply::Refused(self.view(now, subject)),
            Verb::Seal { token } => match self.counters.get_mut(&subject.resource.slot()) {
                Some(counter) if *counter >= COUNTER_MIN => {
                    *counter = token.max(*counter);
                    Reply::Sealed
                }
                _ => Reply::Failed(Fault::new(FaultKind::Forgot, "the counter is gone")),
            },
            Verb::Extend { ttl } => {
                if let Some(lock) = self.locks.get_mut(&subject.resource) {
                    lock.expires_at = WallTime::from_unix_ms(now.unix_ms()).after(ttl);
                }
                Reply::Extended
            }
            Verb::Release => {
                self.locks.remove(&subject.resource);
                Reply::Released
            }
        }
    }

    /// The lock of `resource` vanishes, as by expiry or eviction.
    pub fn drop_lock(&mut self, resource: &Resource) {
        self.locks.remove(resource);
    }

    /// The counter of `slot` as it is; 0 when there is none.
    #[must_use]
    pub fn counter(&self, slot: u16) -> u64 {
        self.counters.get(&slot).copied().unwrap_or_default()
    }

    /// Sets the counter of `slot`, as a restored snapshot or a meddling hand would.
    pub fn set_counter(&mut self, slot: u16, counter: u64) {
        self.counters.insert(slot, counter);
    }

    fn draw(&mut self, slot: u16, floor: u64, start: u64) -> u64 {
        let counter = self.counters.entry(slot).or_default();
        *counter += 1;
        if *counter < COUNTER_MIN {
            *counter += start;
        }
        *counter = floor.max(*counter);
        *counter
    }

    fn expire(&mut self, resource: &Resource, now: WallTime) {
        if self.locks.get(resource).is_some_and(|lock| lock.expires_at.unix_ms() < now.unix_ms()) {
            self.locks.remove(resource);
        }
    }

    fn is_held_by(&self, subject: &Subject) -> bool {
        self.locks.get(&subject.resource).is_some_and(|lock| *lock.value == *subject.holder.to_string())
    }

    fn view(&self, now: WallTime, subject: &Subject) -> View {
        let lock = self.locks.get(&subject.resource);
        View {
            occupant: lock.map(|lock| lock.value.clone()),
            ttl_left: lock
                .map(|lock| std::time::Duration::from_millis(lock.expires_at.unix_ms().saturating_sub(now.unix_ms()))),
            counter: self.counter(subject.resource.slot()),
        }
    }
}
