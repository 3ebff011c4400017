//! [`Queue`]: the waiters of one lock on one node, in order.

use std::time::Duration;

use crate::waiter::QueueEntry;
use crate::{LockerId, Resource, WallTime};

/// The entries of one lock's queue, the first waiter first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Queue {
    /// Ordered by score. Equal scores are ordered by text, as in a sorted set of Redis.
    entries: Vec<(i64, Box<str>)>,
    expires_at: WallTime,
}

/// A wake that a node sends to a locker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wake {
    /// The locker to wake.
    pub locker: LockerId,
    /// The resource of the lock.
    pub resource: Resource,
    /// In what time the lock is free; zero if it is reserved for this locker now.
    pub after: Duration,
}

impl Queue {
    /// The most entries. A locker that finds the queue full asks again after pauses. `batch.lua` has the same number.
    pub(super) const LEN_MAX: usize = 4_096;
    /// How long a queue is kept that no waiter joins. `batch.lua` has the same number. A contender sleeps for half of it
    /// at most (`ALARM_MAX`), so that it joins again in time.
    pub(super) const TTL: Duration = Duration::from_secs(60);

    /// Adds an entry, or moves it forward. Returns how many entries are before it, or `None` if there is no room.
    pub(super) fn join(&mut self, score: i64, entry: &str, now: WallTime) -> Option<u32> {
        let score = self.remove(entry).map_or(score, |earlier| earlier.min(score));
        let at = self.entries.partition_point(|(other, text)| (*other, &**text) < (score, entry));
        if at >= Self::LEN_MAX {
            return None;
        }
        self.entries.insert(at, (score, entry.into()));
        self.entries.truncate(Self::LEN_MAX);
        self.expires_at = WallTime::from_unix_ms(now.unix_ms()).after(Self::TTL);
        u32::try_from(at).ok()
    }

    /// Removes an entry and returns its score.
    pub(super) fn remove(&mut self, entry: &str) -> Option<i64> {
        let at = self.entries.iter().position(|(_, text)| &**text == entry)?;
        Some(self.entries.remove(at).0)
    }

    /// Removes the first entry.
    pub(super) fn pop(&mut self) -> Option<QueueEntry> {
        while !self.entries.is_empty() {
            let (_, entry) = self.entries.remove(0);
            if let Some(entry) = QueueEntry::parse(&entry) {
                return Some(entry);
            }
        }
        None
    }

    /// How many entries are before this one; `None` if it is not in the queue.
    pub(super) fn place(&self, entry: &str) -> Option<u32> {
        self.entries.iter().position(|(_, text)| &**text == entry).and_then(|at| u32::try_from(at).ok())
    }

    /// The first entry.
    pub(super) fn first(&self) -> Option<QueueEntry> {
        self.entries.first().and_then(|(_, entry)| QueueEntry::parse(entry))
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// Whether the queue is empty or expired at `now`.
    pub(super) fn is_over(&self, now: WallTime) -> bool {
        self.entries.is_empty() || self.expires_at < WallTime::from_unix_ms(now.unix_ms())
    }
}
