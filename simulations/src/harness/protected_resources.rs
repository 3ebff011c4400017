//! [`ProtectedResources`]: the resources that the locks protect, each behind the shipped verifier.

use std::sync::{Arc, Mutex};

use redfence::verifier::{MemoryStore, Rule};
use redfence::{FencingToken, Resource};

use super::timeline_event::TimelineEvent;
use super::world::{World, lock};
use crate::history::Record;
use crate::mutant::Mutant;

/// The resources that the locks protect.
pub(super) struct ProtectedResources {
    world: Arc<World>,
    resources: Vec<Resource>,
    store: MemoryStore,
    slow_ms: Mutex<u32>,
    check_then_write: bool,
}

impl ProtectedResources {
    /// Resources without any write so far.
    #[must_use]
    pub(super) fn new(world: &Arc<World>, resources: Vec<Resource>, mutant: Option<Mutant>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            resources,
            store: MemoryStore::new(),
            slow_ms: Mutex::new(0),
            check_then_write: mutant == Some(Mutant::CheckThenWrite),
        })
    }

    /// From now on writes wait longer by `by_ms` before they are judged.
    pub(super) fn slow_down(&self, by_ms: u32) {
        *lock(&self.slow_ms) += by_ms;
    }

    /// Ends such a delay of `by_ms`.
    pub(super) fn speed_up(&self, by_ms: u32) {
        *lock(&self.slow_ms) -= by_ms;
    }

    /// How much longer than usual a request waits before it is served.
    pub(super) fn slow_ms(&self) -> u32 {
        *lock(&self.slow_ms)
    }

    /// A client sends a write, and does not wait for it.
    pub(super) fn write(self: &Arc<Self>, client: u8, resource: u8, token: FencingToken, flight_ms: u32) {
        let me = Arc::clone(self);
        let wait_ms = flight_ms + self.slow_ms();
        let at_us = self.world.now_us();
        let arrives_us = at_us + u64::from(wait_ms) * 1_000;
        self.world.timeline_event(|| TimelineEvent::Sent { client, resource, token, at_us, arrives_us });
        self.world.after(wait_ms, move || me.arrived(resource, token));
    }

    fn arrived(self: &Arc<Self>, resource: u8, token: FencingToken) {
        let Some(name) = self.resources.get(usize::from(resource)) else { return };
        if self.check_then_write {
            let passed = self.store.write(name, token, Rule::AcceptEqual, || ()).is_ok();
            let (me, later_ms) = (Arc::clone(self), self.world.random(|rng| rng.skewed(50)));
            return self.world.after(later_ms, move || me.judged(resource, token, passed));
        }
        // Check and write are one step: nothing comes between.
        let mut landed = false;
        let verdict = self.store.write(name, token, Rule::AcceptEqual, || landed = true);
        self.judged(resource, token, verdict.is_ok() && landed);
    }

    fn judged(&self, resource: u8, token: FencingToken, admitted: bool) {
        let Some(name) = self.resources.get(usize::from(resource)) else { return };
        self.world.count(|seen| {
            seen.written += u64::from(admitted);
            seen.stale += u64::from(!admitted);
        });
        let (at_us, resource) = (self.world.now_us(), name.to_string());
        self.world.record(Record::Write { at_us, resource, token, admitted });
    }
}
