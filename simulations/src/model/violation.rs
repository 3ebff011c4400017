//! [`Violation`]: a promise that did not hold.

use std::fmt;

use redfence::FencingToken;

use super::names::{name, number};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Violation {
    /// T1: two leases carry one token.
    SameToken(usize, usize, FencingToken),
    /// T2: the second attempt began after the first one's lease was returned, and its token is not greater.
    OutOfOrder((usize, FencingToken), (usize, FencingToken)),
    /// X: two holders believe in their leases.
    TwoHolders(usize, usize),
    /// X: an attempt believes in its lease, and a client of another library in its lock.
    HeldByForeign(usize),
    /// E: a lease was extended although one with that greater token had been returned before.
    Bridged(usize, FencingToken),
    /// F: a verifier accepted the first one's write after the second one's, whose lease is the newer.
    Unfenced(usize, usize),
    /// A lease was returned with more validity than its locks on the nodes have.
    Overstated(usize),
    /// An attempt was decided later than possible, or earlier than allowed.
    Untimely(String),
    /// An attempt that waits for nothing more did not end.
    Undecided(usize),
}

impl Violation {
    /// The name of the promise.
    #[must_use]
    pub const fn promise(&self) -> &'static str {
        match self {
            Self::SameToken(..) => "T1",
            Self::OutOfOrder(..) => "T2",
            Self::TwoHolders(..) | Self::HeldByForeign(_) => "X",
            Self::Bridged(..) => "E",
            Self::Unfenced(..) => "F",
            Self::Overstated(_) => "validity",
            Self::Untimely(_) | Self::Undecided(_) => "timeliness",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken: ", self.promise())?;
        match self {
            Self::SameToken(one, other, token) => {
                write!(f, "{} and {} both hold token {}", name(*one), name(*other), number(token.get()))
            }
            Self::OutOfOrder((first, its), (second, token)) => {
                let (first, second) = (name(*first), name(*second));
                let (its, token) = (number(its.get()), number(token.get()));
                write!(f, "{second} began after {first} had token {its}, and got {token}")
            }
            Self::TwoHolders(one, other) => {
                write!(f, "{} and {} both believe in their leases", name(*one), name(*other))
            }
            Self::HeldByForeign(id) => write!(f, "{} and the foreign client both believe in their locks", name(*id)),
            Self::Bridged(id, newer) => {
                write!(f, "{} was extended although token {} had been returned", name(*id), number(newer.get()))
            }
            Self::Unfenced(older, newer) => {
                write!(f, "a write of {} was accepted after one of {}", name(*older), name(*newer))
            }
            Self::Overstated(id) => write!(f, "{} got a validity that the nodes do not give", name(*id)),
            Self::Untimely(trace) => f.write_str(trace),
            Self::Undecided(id) => write!(f, "{} waits no longer, and was not decided", name(*id)),
        }
    }
}
