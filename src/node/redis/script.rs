//! [`Script`]: the Lua scripts, and how they are called. [`Marker`]: the mark of a join, a loaded script.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::Script as Hashed;

use super::keys::Prefix;

/// One of the scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Batch,
    Inspect,
    Scan,
    Join,
}

impl Script {
    pub(super) const COUNT: usize = 4;

    /// The position in an array of [`Script::COUNT`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The whole text.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Batch => include_str!("batch.lua"),
            Self::Inspect => include_str!("inspect.lua"),
            Self::Scan => include_str!("scan.lua"),
            Self::Join => include_str!("join.lua"),
        }
    }

    /// The hash by which a server knows a script that it received before.
    pub(super) fn sha(self) -> &'static str {
        static SHAS: LazyLock<[String; Script::COUNT]> = LazyLock::new(|| {
            [Script::Batch, Script::Inspect, Script::Scan, Script::Join]
                .map(|script| Hashed::new(script.code()).get_hash().to_owned())
        });
        SHAS.get(self.index()).map_or("", String::as_str)
    }
}

/// A script that is loaded and never run. It marks that the node was joined in this run of its server: scripts
/// survive a flush of all keys, but not a restart. Each prefix and each database is a separate node.
#[derive(Debug)]
pub(super) struct Marker {
    /// The node's name, for people.
    name: String,
    pub(super) code: String,
    /// Its hash, then the hashes of the same script for other databases. Lockers in another database exclude no
    /// locker in this one.
    hashes: Vec<(i64, String)>,
    has_warned: AtomicBool,
}

impl Marker {
    /// How many databases are checked: as many as a server has by default.
    const DATABASES: i64 = 16;
    /// Loaded to see whether scripts may be loaded.
    pub(super) const TRIAL: &'static str = "return 'redfence: scripts may be loaded'";

    pub(super) fn new(name: &str, prefix: &Prefix, database: i64) -> Self {
        let prefix = prefix.as_str();
        let code_of = |database| {
            format!("return 'redfence: {prefix} in database {database} was joined in this run of the server'")
        };
        let others = (0..Self::DATABASES).filter(|other| *other != database);
        let hash = |database| (database, Hashed::new(&code_of(database)).get_hash().to_owned());
        let hashes = std::iter::once(database).chain(others).map(hash).collect();
        Self { name: name.to_owned(), code: code_of(database), hashes, has_warned: AtomicBool::new(false) }
    }

    /// The hashes to ask for: the one of this database, then the others.
    pub(super) fn hashes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.hashes.iter().map(|(_, hash)| hash.as_str())
    }

    /// Warns once if the reply shows that lockers with the same prefix use another database of the server.
    pub(super) fn look_at_others(&self, answer: &[Option<bool>]) {
        let is_there = |(_, there): &(&(i64, String), &Option<bool>)| **there == Some(true);
        let joined = self.hashes.iter().zip(answer).skip(1).find(is_there);
        if let Some(((database, _), _)) = joined
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                node = self.name,
                "lockers with the same prefix use database {database} of this server, and are not excluded by locks here: \
                 write the same database behind every host in all URLs, or give them another prefix"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::queue::Queue;
    use crate::protocol::{COUNTER_MAX, COUNTER_MIN, clock_start};
    use crate::{Waiter, WallTime};

    /// Lua cannot name a constant of Rust, so each of these numbers is written in both.
    #[test]
    fn the_scripts_have_the_numbers_of_the_reference_state() {
        let (len_max, ttl_ms, reserved) = (Queue::LEN_MAX, Queue::TTL.as_millis(), Waiter::RESERVED);
        let start_max = clock_start(WallTime::from_unix_us(u64::MAX), WallTime::default());
        for (script, name, text) in [
            (Script::Batch, "Queue::LEN_MAX", format!("place >= {len_max} then")),
            (Script::Batch, "Queue::LEN_MAX", format!("try('ZCARD', queue) > {len_max} then")),
            (Script::Batch, "Queue::TTL", format!("try('PEXPIRE', queue, {ttl_ms})")),
            (Script::Batch, "Waiter::RESERVED", format!("'{reserved}' .. first, 'PX', grace")),
            (Script::Batch, "Waiter::RESERVED", format!("sub(occupant, 1, {}) == '{reserved}'", reserved.len())),
            (Script::Batch, "COUNTER_MIN", format!("answer < {COUNTER_MIN} then")),
            (Script::Batch, "COUNTER_MIN", format!("tonumber(known) or 0) >= {COUNTER_MIN} then")),
            (Script::Batch, "COUNTER_MIN", format!("known < {COUNTER_MIN} then")),
            (Script::Join, "COUNTER_MAX", format!("counter > {COUNTER_MAX} then")),
            (Script::Join, "START_MAX", format!("tonumber(ARGV[4])), {start_max})")),
        ] {
            assert!(script.code().contains(&text), "{script:?} has another {name} than Rust: no \"{text}\" in it");
        }
    }

    #[test]
    fn the_longest_reservation_has_as_many_digits_as_the_script_reads() {
        const DIGITS: &str = "(%d%d?%d?%d?) ";
        assert!(Script::Batch.code().contains(DIGITS));
        let (longest, most) = (Waiter::GRACE.1.as_millis(), DIGITS.matches("%d").count());
        assert!(
            longest.to_string().len() <= most,
            "batch.lua would skip a waiter of {longest} ms: {DIGITS} has {most} digits"
        );
    }
}
