//! The times of SIGKILL: how often, and for how long.

use std::time::Duration;

/// The time between two rounds of SIGKILL. Each round reaches processes that were forked since the last one.
pub(crate) const ROUND: Duration = Duration::from_millis(20);
/// How long after SIGKILL a process may still run before it is given up.
pub(crate) const KILL_MAX: Duration = Duration::from_secs(2);
