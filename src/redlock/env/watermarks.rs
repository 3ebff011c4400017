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

    /// What a grant asks counters to be at least: one block above all that was seen, so that nodes that lag catch up and
    /// the quorum agrees without a seal round. Only a hint: safety never depends on it.
    pub(crate) fn floor(&self, slot: u16, block: u32) -> u64 {
        match self.seen(slot) {
            0 => 0,
            seen => seen + u64::from(block),
        }
    }

    /// How many tokens may be drawn at once if `wanted` are wanted: one, if the slot's counter is about to overtake the
    /// clock. A counter that starts anew starts at the clock, and must be above everything that was drawn.
    pub(crate) fn block(&self, slot: u16, wanted: u32, wall: WallTime) -> u32 {
        /// As many tokens as a second has microseconds: for all that draw at the same moment.
        const MARGIN: u64 = 1_000_000;
        let behind = wall.unix_us().saturating_sub(MARGIN) > self.seen(slot).saturating_add(u64::from(wanted));
        if behind { wanted.max(1) } else { 1 }
    }

    fn seen(&self, slot: u16) -> u64 {
        self.0.get(usize::from(slot)).map_or(0, |mark| mark.load(Ordering::Relaxed))
    }

    /// The highest counter seen in any slot: the counters of a node that lost them must not start below it.
    pub(crate) fn highest(&self) -> u64 {
        self.0.iter().map(|mark| mark.load(Ordering::Relaxed)).max().unwrap_or_default()
    }

    /// Records the counter that a reply mentions. One that no clock leads to was written by hand: the floor would carry
    /// it to all nodes.
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
