//! Clean: a lock that no living process wants is gone soon after the faults have ended, long before its TTL.
//!
//! Not judged for locks that came back with a snapshot, or whose grant arrived after their time to live. Not judged on
//! nodes whose clock was set back.

use super::{Promise, Violation};
use crate::history::Micros;

/// A lock that is left after all clients have released everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Where.
    pub node: u8,
    /// Whose.
    pub holder: String,
    /// Whether no client could have removed it.
    pub excused: bool,
}

/// Judges the locks that were found at `at_us`, some time after all clients had released everything.
#[must_use]
pub fn clean(found: &[Leftover], at_us: Micros) -> Option<Violation> {
    found.iter().find(|leftover| !leftover.excused).map(|Leftover { node, holder, .. }| Violation {
        promise: Promise::Clean,
        at_us,
        description: format!("node {node} still has a lock of {holder}, who has given it up"),
    })
}
