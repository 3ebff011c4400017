//! [`Lease`]: what a quorum granted, as a plain value.

use std::time::Duration;

use crate::{FencingToken, Holder, Moment, Resource};

/// What a quorum granted: a resource, to a holder, under a token, until a moment.
///
/// A lease is only a value: it does not renew itself, and it does not report its loss. The live handle is the guard.
///
/// With the feature `serde` it can be passed to another process, which continues with it by `Redlock::resume`. Two machines
/// have no clock in common, so a lease that was read from elsewhere has no validity until it is resumed.
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
    #[cfg_attr(not(feature = "redlock"), allow(dead_code, reason = "only the locker reads it"))]
    pub(crate) voters: Voters,
}

/// The nodes that vote when the lease is extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Voters {
    /// The positions of these nodes in their set, a bit each.
    pub(crate) bits: u32,
    /// The checksum of the addresses of the set, in their order.
    pub(crate) set: u32,
}

impl Lease {
    /// The validity that is left at `now`, or `None` if it has ended.
    #[must_use]
    pub fn valid_for(&self, now: Moment) -> Option<Duration> {
        self.valid_until.checked_since(now).filter(|left| !left.is_zero())
    }
}

/// The part of a lease that has a meaning on every machine.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Passed<'a> {
    resource: std::borrow::Cow<'a, Resource>,
    holder: std::borrow::Cow<'a, Holder>,
    token: FencingToken,
    ttl_ms: u64,
    voters: Voters,
}

#[cfg(feature = "serde")]
impl serde::Serialize for Lease {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use std::borrow::Cow::Borrowed;
        let Self { resource, holder, token, ttl, voters, .. } = self;
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let (resource, holder) = (Borrowed(resource), Borrowed(holder));
        Passed { resource, holder, token: *token, ttl_ms, voters: *voters }.serialize(to)
    }
}

/// Without validity until it is resumed.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Lease {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Passed { resource, holder, token, ttl_ms, voters } = Passed::deserialize(from)?;
        let (resource, holder) = (resource.into_owned(), holder.into_owned());
        let (ttl, valid_until) = (Duration::from_millis(ttl_ms), Moment::default());
        Ok(Self { resource, holder, token, ttl, valid_until, voters })
    }
}
