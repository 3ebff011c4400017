//! [`CounterWatermarks`]: the highest counter that this process has seen in each slot.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::{COUNTER_MAX, Reply};
use crate::{Resource, WallTime};

/// The highest counter that this process has seen in each slot.
pub(crate) struct CounterWatermarks(Box<[AtomicU64]>);

impl CounterWatermarks {
    pub(crate) fn new() -> Self {
        Self((0..Resource::SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// The floor of a grant: one block above the highest counter that was seen. So nodes that lag catch up, and the
    /// quorum agrees without a seal round. It is only a hint: safety does not depend on it.
    pub(crate) fn floor(&self, slot: u16, block: u32) -> u64 {
        match self.seen(slot) {
            0 => 0,
            seen => seen + u64::from(block),
        }
    }

    /// How many tokens to draw at once if `wanted` are wanted: one if the slot's counter is about to overtake the
    /// clock. A counter that starts again starts at the clock, and must then be above every number that was drawn.
    pub(crate) fn block(&self, slot: u16, wanted: u32, wall: WallTime) -> u32 {
        /// As many tokens as a second has microseconds, so that also simultaneous draws stay below.
        const MARGIN: u64 = 1_000_000;
        let behind = wall.unix_us().saturating_sub(MARGIN) > self.seen(slot).saturating_add(u64::from(wanted));
        if behind { wanted.max(1) } else { 1 }
    }

    fn seen(&self, slot: u16) -> u64 {
        self.0.get(usize::from(slot)).map_or(0, |mark| mark.load(Ordering::Relaxed))
    }

    /// The highest counter seen in any slot. If a node lost its counters, they must not start below it.
    pub(crate) fn highest(&self) -> u64 {
        self.0.iter().map(|mark| mark.load(Ordering::Relaxed)).max().unwrap_or_default()
    }

    /// Records the counter in a reply. It ignores a counter above the range of any clock, which another program
    /// wrote: the floor would carry it to all nodes.
    pub(crate) fn observe(&self, slot: u16, reply: &Reply) {
        let counter = match reply {
            Reply::Granted { counter } => *counter,
            Reply::Refused(view) | Reply::Inspected(view) => view.counter,
            _ => return,
        };
        if let (Some(mark), true) = (self.0.get(usize::from(slot)), counter <= COUNTER_MAX) {
            mark.fetch_max(counter, Ordering::Relaxed);
        }
    }
}
