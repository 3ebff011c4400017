//! [`History`]: the records of leases and writes, one per line of JSON. Simulations write it, programs in production
//! can write it, and `check` reads it. Times are microseconds on one clock, which all writers share as well as they
//! can.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use redfence::FencingToken;
use serde::{Deserialize, Serialize};

/// Microseconds.
pub type Micros = u64;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// An acquire returned a lease.
    Acquired {
        /// When it returned.
        at_us: Micros,
        /// When it began.
        began_us: Micros,
        /// What is held.
        resource: String,
        /// Who holds it: an id that is new for every attempt, a space and a label.
        holder: String,
        /// Its token.
        token: FencingToken,
        /// The time to live.
        ttl_us: Micros,
        /// When the holder stops believing in it, unless it extends.
        valid_until_us: Micros,
        /// Whether it was handed over in memory to a task that may have come after the nodes were asked. Then the order
        /// of its token depends on the assumptions of X.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        latecomer: bool,
    },
    /// A lease lives longer.
    Extended {
        /// When this was known.
        at_us: Micros,
        /// What is held.
        resource: String,
        /// By whom.
        holder: String,
        /// Its token.
        token: FencingToken,
        /// When the holder stops believing.
        valid_until_us: Micros,
    },
    /// The holder does not believe in the lease any more.
    Ended {
        /// From when on.
        at_us: Micros,
        /// What was held.
        resource: String,
        /// By whom.
        holder: String,
        /// Its token.
        token: FencingToken,
        /// Why, for people.
        cause: String,
    },
    /// A write reached the protected resource.
    Write {
        /// When it was judged.
        at_us: Micros,
        /// What was written to.
        resource: String,
        /// Under which token.
        token: FencingToken,
        /// Whether it was admitted.
        admitted: bool,
    },
    /// A client of another library believed in its lock until now. It has no token.
    ForeignHeld {
        /// When it stopped.
        at_us: Micros,
        /// When it began to.
        from_us: Micros,
        /// What was held.
        resource: String,
        /// The value of its lock.
        holder: String,
    },
    /// A lock vanished on a node that did not rest, or a clock step ended it: X is not promised for this holder.
    Vanished {
        /// When.
        at_us: Micros,
        /// Whose.
        holder: String,
        /// Where.
        node: String,
    },
    /// From here on a promise does not apply, because an assumption of it is broken.
    Void {
        /// When.
        at_us: Micros,
        /// Which.
        promise: Assumed,
        /// The broken assumption, for humans.
        why: String,
    },
}

/// A promise with an assumption that can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Assumed {
    /// Tokens: a counter must not go back.
    T,
    /// Exclusion.
    X,
}

/// All records, in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// One record a line.
    pub records: Vec<Record>,
}

/// One lease, from the call that acquired it to the end of the belief in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// What was held.
    pub resource: String,
    /// Its holder. Leases that were handed over from task to task share their holder and differ by token.
    pub holder: String,
    /// Its token.
    pub token: FencingToken,
    /// When its acquire began.
    pub began_us: Micros,
    /// When it returned.
    pub returned_us: Micros,
    /// Its time to live.
    pub ttl_us: Micros,
    /// When its last extension was known, if there was any.
    pub extended_us: Option<Micros>,
    /// The latest end of its validity, whether or not the holder believed in it until then.
    pub valid_until_us: Micros,
    /// When its holder stopped believing in it.
    pub until_us: Micros,
    /// Whether the order of its token depends on the assumptions of X.
    pub latecomer: bool,
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file itself.
    #[error("line {line} cannot be read: {error}")]
    Unreadable {
        /// Which line, from 1.
        line: usize,
        /// Why.
        error: std::io::Error,
    },
    /// A line is no record.
    #[error("line {line} is not a record: {error}")]
    NoRecord {
        /// Which line, from 1.
        line: usize,
        /// Why.
        error: serde_json::Error,
    },
}

impl Record {
    /// When it happened.
    #[must_use]
    pub const fn at_us(&self) -> Micros {
        match self {
            Self::Acquired { at_us, .. }
            | Self::Extended { at_us, .. }
            | Self::Ended { at_us, .. }
            | Self::Write { at_us, .. }
            | Self::ForeignHeld { at_us, .. }
            | Self::Vanished { at_us, .. }
            | Self::Void { at_us, .. } => *at_us,
        }
    }
}

impl History {
    /// Reads one record a line, in any order: they are sorted by their times. Empty lines are left out.
    ///
    /// # Errors
    ///
    /// [`ReadError`] with the number of the line.
    pub fn read(from: impl BufRead) -> Result<Self, ReadError> {
        let mut records = Vec::new();
        for (index, text) in from.lines().enumerate() {
            let line = index + 1;
            let text = text.map_err(|error| ReadError::Unreadable { line, error })?;
            if !text.trim().is_empty() {
                records.push(serde_json::from_str(&text).map_err(|error| ReadError::NoRecord { line, error })?);
            }
        }
        records.sort_by_key(Record::at_us);
        Ok(Self { records })
    }

    /// Writes one record a line.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn write(&self, mut to: impl Write) -> std::io::Result<()> {
        for record in &self.records {
            serde_json::to_writer(&mut to, record)?;
            to.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The leases, in the order in which they were returned.
    #[must_use]
    pub fn stays(&self) -> Vec<Stay> {
        self.read_together().0
    }

    /// How many records belong to leases whose acquire is missing: those leases cannot be judged.
    #[must_use]
    pub fn without_acquire(&self) -> usize {
        self.read_together().1
    }

    fn read_together(&self) -> (Vec<Stay>, usize) {
        let (mut stays, mut missing) = (Vec::new(), 0);
        // Leases by resource, holder and token: under a wrong protocol there may be two.
        let mut places: HashMap<(&str, &str, FencingToken), Vec<usize>> = HashMap::new();
        for record in &self.records {
            if let Record::Acquired { at_us, began_us, resource, holder, token, ttl_us, valid_until_us, latecomer } =
                record
            {
                places.entry((resource, holder, *token)).or_default().push(stays.len());
                stays.push(Stay {
                    resource: resource.clone(),
                    holder: holder.clone(),
                    token: *token,
                    began_us: *began_us,
                    returned_us: *at_us,
                    ttl_us: *ttl_us,
                    extended_us: None,
                    valid_until_us: *valid_until_us,
                    until_us: *valid_until_us,
                    latecomer: *latecomer,
                });
            }
        }
        // Later records of a lease come after its acquire, except if clocks differ a little.
        for record in &self.records {
            let (Record::Extended { resource, holder, token, .. } | Record::Ended { resource, holder, token, .. }) =
                record
            else {
                continue;
            };
            let alike = places.get(&(&**resource, &**holder, *token)).map(Vec::as_slice).unwrap_or_default();
            let began = |at: &&usize| stays.get(**at).is_some_and(|stay: &Stay| stay.returned_us < record.at_us());
            let place = alike.iter().rev().find(began).or_else(|| alike.first());
            match (place.and_then(|at| stays.get_mut(*at)), record) {
                (Some(stay), Record::Extended { at_us, valid_until_us, .. }) => {
                    stay.extended_us = stay.extended_us.max(Some(*at_us));
                    stay.valid_until_us = stay.valid_until_us.max(*valid_until_us);
                    stay.until_us = stay.valid_until_us;
                }
                (Some(stay), Record::Ended { at_us, .. }) => stay.until_us = stay.until_us.min(*at_us),
                _ => missing += 1,
            }
        }
        stays.sort_by_key(|stay| stay.returned_us);
        (stays, missing)
    }

    /// From when on a promise does not apply.
    #[must_use]
    pub fn void_from(&self, promise: Assumed) -> Option<Micros> {
        let voids = self.records.iter().filter_map(|record| match record {
            Record::Void { at_us, promise: one, .. } if *one == promise => Some(*at_us),
            _ => None,
        });
        voids.min()
    }
}
