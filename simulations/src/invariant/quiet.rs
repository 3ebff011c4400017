//! Quiet: no extension is sent after the release, under any interleaving.

use super::{Promise, Violation};
use crate::history::Micros;

/// An extension of `holder` left its process at `at_us`, after its release.
#[must_use]
pub fn quiet(holder: &str, at_us: Micros) -> Violation {
    Violation {
        promise: Promise::Quiet,
        at_us,
        description: format!("{holder} was extended after its release was sent"),
    }
}
