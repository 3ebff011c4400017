//! [`Lease`]: the value that a quorum granted.

use std::time::Duration;

use crate::{FencingToken, Holder, Moment, Resource};

/// What a quorum granted: a resource, to a holder, under a token, until a moment.
///
/// A lease is a value: it does not renew itself and losing it fires nothing. The live handle is the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is held.
    pub resource: Resource,
    /// Who holds it; new for every attempt.
    pub holder: Holder,
    /// The token that every write under this lease carries. Extending never changes it.
    pub token: FencingToken,
    /// The time to live that the nodes were told.
    pub ttl: Duration,
    /// When the holder must stop, on the holder's own clock: the drift allowance is already taken off.
    pub valid_until: Moment,
}

impl Lease {
    /// The validity that is left at `now`, or `None` when it has ended.
    #[must_use]
    pub fn valid_for(&self, now: Moment) -> Option<Duration> {
        self.valid_until.checked_since(now).filter(|left| !left.is_zero())
    }
}
