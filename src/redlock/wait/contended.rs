//! [`Contended`]: the slots in which other processes probably want a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Resource;

const WORDS: usize = Resource::SLOTS as usize / 64;

/// One bit for each slot: whether another process had a lock of the slot when this process last asked.
pub(crate) struct Contended([AtomicU64; WORDS]);

impl Contended {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Whether other processes probably want a lock of the slot.
    pub(crate) fn is(&self, slot: u16) -> bool {
        let (word, bit) = place(slot);
        self.0.get(word).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    pub(crate) fn note(&self, slot: u16, contended: bool) {
        let (word, bit) = place(slot);
        match self.0.get(word) {
            Some(word) if contended => drop(word.fetch_or(bit, Ordering::Relaxed)),
            Some(word) => drop(word.fetch_and(!bit, Ordering::Relaxed)),
            None => {}
        }
    }
}

fn place(slot: u16) -> (usize, u64) {
    (usize::from(slot / 64), 1 << (slot % 64))
}
