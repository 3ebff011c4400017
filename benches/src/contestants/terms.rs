//! What every contestant asks for: TTL and retry delay.

use std::time::Duration;

/// How long every lock lives.
pub(crate) const TTL: Duration = Duration::from_secs(10);
/// A refused caller tries again after a random part of this, as rslock does by default.
pub(crate) const PAUSE_MAX: Duration = Duration::from_millis(200);
