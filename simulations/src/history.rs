//! [`History`]: which leases were issued when, and whether T1, T2 and X held.

use std::fmt;

use redfence::{FencingToken, Moment};

/// One lease as its holder saw it. Steps are the world's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// Which attempt.
    pub attempt: usize,
    /// The step at which the attempt began.
    pub began: u64,
    /// The step at which the lease was returned.
    pub returned: u64,
    /// The step from which on the holder no longer believed in it.
    pub ended: Option<u64>,
    /// When the holder stops believing by its clock.
    pub valid_until: Moment,
    /// Its token.
    pub token: FencingToken,
}

/// All leases of one resource, in the order in which they were returned.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The leases.
    pub leases: Vec<Issued>,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// T1: two leases carry one token.
    SameToken(Issued, Issued),
    /// T2: a lease whose acquire began after another was returned carries a token that is not greater.
    OutOfOrder(Issued, Issued),
    /// X: two holders believed in their leases at one step.
    TwoHolders(Issued, Issued),
    /// The first lease was extended after the second, with a greater token, had been returned.
    Bridged(Issued, Issued),
    /// A holder was told more validity than the nodes give.
    Overstated(Issued),
    /// An attempt was decided later than it could have been, or earlier than it may.
    Untimely(String),
}

impl History {
    /// The first promise among T1 and T2 that does not hold. Compares all pairs: histories are short.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.pairs().find_map(|(one, other)| {
            if one.token == other.token {
                return Some(Violation::SameToken(one, other));
            }
            let (first, second) = if one.returned < other.began { (one, other) } else { (other, one) };
            (first.returned < second.began && first.token >= second.token)
                .then_some(Violation::OutOfOrder(first, second))
        })
    }

    /// Two holders that believed at one step.
    #[must_use]
    pub fn overlap(&self) -> Option<Violation> {
        let over = |lease: &Issued| lease.ended.unwrap_or(u64::MAX);
        self.pairs()
            .find(|(one, other)| one.returned < over(other) && other.returned < over(one))
            .map(|(one, other)| Violation::TwoHolders(one, other))
    }

    fn pairs(&self) -> impl Iterator<Item = (Issued, Issued)> {
        let rest = |i: usize| self.leases.iter().skip(i + 1).copied();
        self.leases.iter().enumerate().flat_map(move |(i, one)| rest(i).map(move |other| (*one, other)))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameToken(one, other) => {
                write!(f, "T1: attempts {} and {} both hold token {}", one.attempt, other.attempt, one.token)
            }
            Self::OutOfOrder(first, second) => write!(
                f,
                "T2: attempt {} returned at step {} with token {}; attempt {} began later, at step {}, and got {}",
                first.attempt, first.returned, first.token, second.attempt, second.began, second.token
            ),
            Self::TwoHolders(one, other) => {
                write!(f, "X: attempts {} and {} believed at the same time", one.attempt, other.attempt)
            }
            Self::Bridged(lease, newer) => write!(
                f,
                "attempt {} with token {} was extended although attempt {} had returned with token {}",
                lease.attempt, lease.token, newer.attempt, newer.token
            ),
            Self::Overstated(lease) => {
                write!(f, "attempt {} was told a validity that its nodes do not give", lease.attempt)
            }
            Self::Untimely(story) => write!(f, "untimely decision: {story}"),
        }
    }
}
