//! [`Lease`]: what a quorum granted, as a plain value.

use std::time::Duration;

use crate::{FencingToken, Holder, Moment, Resource};

/// What a quorum granted: a resource, to a holder, under a token, until a moment.
///
/// A lease is only a value: it does not renew itself, and it does not report its loss. The live handle is the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// What is locked.
    pub resource: Resource,
    /// Who holds it; new for every attempt.
    pub holder: Holder,
    /// The token that every write under this lease carries. Extending never changes it.
    pub token: FencingToken,
    /// The time to live that the nodes were asked for.
    pub ttl: Duration,
    /// When the holder must stop, on the holder's own clock. The allowance for drift is already subtracted.
    pub valid_until: Moment,
}

impl Lease {
    /// The validity that is left at `now`, or `None` if it has ended.
    #[must_use]
    pub fn valid_for(&self, now: Moment) -> Option<Duration> {
        self.valid_until.checked_since(now).filter(|left| !left.is_zero())
    }
}
