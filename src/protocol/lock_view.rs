//! [`LockView`]: the state of one resource on one node.

use std::time::Duration;

use crate::waiter::QueueEntry;
use crate::{Holder, Occupant, Resource, Waiter};

/// The state of a lock on one node. The value of its key is parsed once, where the reply comes in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
#[non_exhaustive]
pub enum LockState {
    /// There is no key: the lock is free.
    #[default]
    Free,
    /// The lock has a holder, or another program uses its key.
    HeldBy(Occupant),
    /// The lock has no holder yet: the node keeps it for a waiter, for its grace.
    ReservedFor(QueueEntry),
}

impl LockState {
    /// Reads the value of the key.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn of_value(value: &[u8]) -> Self {
        let text = value.strip_prefix(Waiter::RESERVED.as_bytes()).and_then(|entry| str::from_utf8(entry).ok());
        match text.and_then(QueueEntry::parse) {
            Some(entry) => Self::ReservedFor(entry),
            None => Self::HeldBy(Occupant::of_value(value)),
        }
    }

    /// The occupant; `None` if the lock is free or reserved.
    #[must_use]
    pub const fn held_by(&self) -> Option<&Occupant> {
        match self {
            Self::HeldBy(occupant) => Some(occupant),
            Self::Free | Self::ReservedFor(_) => None,
        }
    }

    /// The waiter that the lock is reserved for.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn reserved_for(&self) -> Option<&QueueEntry> {
        match self {
            Self::ReservedFor(entry) => Some(entry),
            Self::Free | Self::HeldBy(_) => None,
        }
    }

    /// Whether there is no key.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }

    /// Whether it is the lock of this holder.
    pub(crate) fn is_held_by(&self, holder: &Holder) -> bool {
        self.held_by().and_then(Occupant::holder) == Some(holder)
    }
}

/// The state of one resource on one node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub struct LockView {
    /// Whether the lock is held, and by which occupant.
    pub lock: LockState,
    /// How much longer the key lives; `None` if there is no key, or if it never ends.
    pub ttl_left: Option<Duration>,
    /// The slot's counter; 0 if there is none.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub counter: u64,
    /// How many waiters are before the caller in this node's queue; `None` if the caller is not in it.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub place: Option<u32>,
    /// How many waiters are in the queue. Filled after an inspection only.
    pub waiting: u32,
    /// The entry of the first waiter. Filled after an inspection only.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub first: Option<Box<QueueEntry>>,
}

/// One lock that a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScannedLock {
    /// What is locked.
    pub resource: Resource,
    /// The state of the lock. A scan finds no free one.
    pub lock: LockState,
    /// How much longer the key lives; `None` if it never ends.
    pub ttl_left: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_what_wrote_it() {
        let entry = Waiter::default().entry("web-7");
        let reserved = format!("{}{entry}", Waiter::RESERVED);
        assert_eq!(
            LockState::of_value(reserved.as_bytes()),
            LockState::ReservedFor(QueueEntry::parse(&entry).unwrap())
        );
        for foreign in [entry.as_bytes(), b"next:", b"next:0:1 x", b"next:0:1:2 \xff", b""] {
            let lock = LockState::of_value(foreign);
            assert!(matches!(lock.held_by(), Some(Occupant::Foreign(_))), "{lock:?}");
            assert!(!lock.is_free() && lock.reserved_for().is_none());
        }
    }
}
