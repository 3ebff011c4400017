//! [`Violation`]: a broken promise.

use std::fmt;

/// A broken promise.
#[expect(missing_docs, reason = "the variants are described, and their fields say who and where")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// W: nothing was lost, but this process waits for the end of a TTL.
    WaitsForTheEnd { process: usize },
    /// L: whatever happens from here on, this process is not served.
    NeverServed { process: usize },
    /// A node reserves the lock for a process that is gone.
    ReservedForTheGone { node: usize, process: usize },
    /// The first process had waited longer, but the second one was served.
    OutOfTurn { first: usize, served: usize },
    /// X: two hold the lock.
    TwoHolders(usize, usize),
}

impl Violation {
    /// The name of the promise.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::WaitsForTheEnd { .. } => "W",
            Self::NeverServed { .. } => "L",
            Self::ReservedForTheGone { .. } => "reserved",
            Self::OutOfTurn { .. } => "in turn",
            Self::TwoHolders(..) => "X",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken: ", self.promise())?;
        match *self {
            Self::WaitsForTheEnd { process } => {
                write!(f, "nothing was lost, no process has the lock, and p{process} waits for the end of a TTL")
            }
            Self::NeverServed { process } => write!(f, "whatever happens from here on, p{process} never gets the lock"),
            Self::ReservedForTheGone { node, process } => {
                write!(f, "n{} reserves the lock for p{process}, which is gone", node + 1)
            }
            Self::OutOfTurn { first, served } => {
                write!(f, "p{first} has waited longer than p{served}, which gets the lock")
            }
            Self::TwoHolders(one, other) => write!(f, "p{one} and p{other} both hold the lock"),
        }
    }
}
