//! Times as numbers for machines.

use std::time::Duration;

/// Whole milliseconds, rounded down, so the number never promises more time than there is.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
