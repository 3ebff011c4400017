//! [`Waiter`]: one wait in the queue of a lock, as a node stores it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The random identity of one locker, for its whole life. It names the locker in queues, never in locks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LockerId(u64);

impl LockerId {
    /// An id from 64 random bits.
    #[must_use]
    pub const fn from_random(bits: u64) -> Self {
        Self(bits)
    }
}

/// Writes all 16 hexadecimal digits.
impl fmt::Display for LockerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for LockerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}…", self.0 >> 32)
    }
}

impl FromStr for LockerId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// One wait of one locker, and how long the locker needs to come after a wake.
///
/// A node stores it as `<locker>:<number>:<grace in ms> <label>`. The value of a lock that is reserved for it is
/// `next:`, then this entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Waiter {
    /// The locker that waits.
    pub locker: LockerId,
    /// The number of this wait of the locker. A message about a wait that is over does not affect a later one.
    pub number: u32,
    /// How long a lock stays reserved for it, in milliseconds: a few round trips.
    pub grace_ms: u16,
}

impl Waiter {
    /// The first characters of a reserved lock's value. No holder begins like this: a holder's id is 32 hexadecimal
    /// digits.
    pub const RESERVED: &'static str = "next:";
    /// The shortest and the longest time for which a lock is reserved, its *grace*. `batch.lua` reads four digits of
    /// milliseconds, so the longest must stay below 10 s.
    pub const GRACE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

    /// A waiter whose round trips take `round_trip`. The grace is three of them: enough to receive the wake and to
    /// ask.
    #[must_use]
    pub fn new(locker: LockerId, number: u32, round_trip: Duration) -> Self {
        let grace = round_trip.saturating_mul(3).clamp(Self::GRACE.0, Self::GRACE.1);
        Self { locker, number, grace_ms: u16::try_from(grace.as_millis()).unwrap_or(u16::MAX) }
    }

    /// How long a lock stays reserved for it.
    #[must_use]
    pub const fn grace(self) -> Duration {
        Duration::from_millis(self.grace_ms as u64)
    }

    /// What a queue stores.
    #[must_use]
    pub fn entry(self, label: &str) -> String {
        let mut entry = String::new();
        self.write(&mut entry, label);
        entry
    }

    /// Appends what a queue stores.
    pub(crate) fn write(self, to: &mut String, label: &str) {
        use fmt::Write as _;
        // Writing to a string never fails.
        let _ = write!(to, "{}:{}:{} {label}", self.locker, self.number, self.grace_ms);
    }
}

/// The waiter of requests that never wait.
impl Default for Waiter {
    fn default() -> Self {
        Self::new(LockerId::default(), 0, Duration::ZERO)
    }
}

/// A waiter in the queue of a lock: its entry, and what is behind `next:` in a lock that is reserved for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueEntry {
    waiter: Waiter,
    label: Box<str>,
}

impl QueueEntry {
    /// Joins the two.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn new(waiter: Waiter, label: &str) -> Self {
        Self { waiter, label: label.into() }
    }

    /// Reads what a queue stores.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn parse(entry: &str) -> Option<Self> {
        let (words, label) = entry.split_once(' ')?;
        let mut words = words.split(':');
        let mut word = || words.next();
        let (locker, number, grace_ms) = (word()?.parse().ok()?, word()?.parse().ok()?, word()?.parse().ok()?);
        word().is_none().then(|| Self::new(Waiter { locker, number, grace_ms }, label))
    }

    /// Which wait of which locker.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn waiter(&self) -> Waiter {
        self.waiter
    }

    /// The label of the process that waits. Any program may have written it: show it as [`Printable`](crate::Printable).
    #[must_use]
    pub const fn label(&self) -> &str {
        &self.label
    }
}

/// What a queue stores.
impl fmt::Display for QueueEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.waiter.entry(&self.label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_back() {
        let waiter = Waiter::new(LockerId::from_random(0xab), 7, Duration::from_millis(50));
        assert_eq!(waiter.entry("db-7 worker"), "00000000000000ab:7:150 db-7 worker");
        let entry = QueueEntry::new(waiter, "db-7 worker");
        assert_eq!(QueueEntry::parse(&entry.to_string()), Some(entry));
        for text in ["", "ab", "x:1 y", "0:1:y z", "0:1:2:3 z", "0:1:2", "next:0:1:2 z"] {
            assert_eq!(QueueEntry::parse(text), None, "{text}");
        }
        assert!(value_is_no_holder());
    }

    fn value_is_no_holder() -> bool {
        format!("{}{}", Waiter::RESERVED, Waiter::default().entry("x")).parse::<crate::Holder>().is_err()
    }

    #[test]
    fn a_far_waiter_has_more_time_to_come_and_none_has_for_ever() {
        for (round_trip_ms, grace_ms) in [(0, 20), (5, 20), (50, 150), (2_000, 1_000)] {
            let waiter = Waiter::new(LockerId::default(), 0, Duration::from_millis(round_trip_ms));
            assert_eq!(waiter.grace(), Duration::from_millis(grace_ms));
        }
    }
}
