//! [`Fact`]: one event of the first act or of the nodes, as a value that is printed and drawn.

use std::fmt;
use std::time::Duration;

use redfence::FencingToken;

/// The tone of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
}

/// The actors of the first act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    A,
    B,
    Ledger,
}

impl Actor {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::Ledger => "ledger",
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// A gets the first lease.
    Acquires { token: FencingToken },
    /// A reads, and checks its lease.
    Reads { balance: u64, is_held: bool },
    /// A is paused.
    Pauses { ttl: Duration },
    /// B gets the next lease.
    TakesOver { token: FencingToken },
    /// B reads and writes.
    Updates { read: u64, token: FencingToken },
    /// A continues.
    Wakes,
    /// A writes the result of its read before the pause.
    WritesOldRead { balance: u64, token: FencingToken },
    /// The ledger accepts the stale write.
    Accepts { balance: u64 },
    /// The ledger refuses the write, because it has seen a greater token.
    Refuses { highest: FencingToken },
    /// A acquires, reads and writes once more.
    UpdatesAgain { read: u64, token: FencingToken },
    /// A node dies.
    Dies { node: String, alive: usize, all: usize, needed: usize },
    /// All nodes are back.
    AreBack,
}

impl Fact {
    pub(super) fn actor(&self) -> &str {
        match self {
            Self::Acquires { .. } | Self::Reads { .. } | Self::Pauses { .. } | Self::Wakes => Actor::A.name(),
            Self::WritesOldRead { .. } | Self::UpdatesAgain { .. } => Actor::A.name(),
            Self::TakesOver { .. } | Self::Updates { .. } => Actor::B.name(),
            Self::Accepts { .. } | Self::Refuses { .. } => Actor::Ledger.name(),
            Self::Dies { node, .. } => node,
            Self::AreBack => "nodes",
        }
    }

    pub(super) const fn tone(&self) -> Tone {
        match self {
            Self::Pauses { .. } | Self::Accepts { .. } | Self::Dies { .. } => Tone::Bad,
            Self::Refuses { .. } | Self::UpdatesAgain { .. } => Tone::Good,
            _ => Tone::Plain,
        }
    }

    pub(super) const fn token(&self) -> Option<FencingToken> {
        match self {
            Self::Acquires { token } | Self::TakesOver { token } | Self::Updates { token, .. } => Some(*token),
            Self::WritesOldRead { token, .. } | Self::UpdatesAgain { token, .. } => Some(*token),
            Self::Refuses { highest } => Some(*highest),
            _ => None,
        }
    }
}

/// Writes what the actor does, without its name and its token.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acquires { .. } => f.write_str("acquires the lock"),
            Self::Reads { balance, is_held } => {
                let lease = if *is_held { "held" } else { "lost" };
                write!(f, "reads the balance, {balance}, and checks its lease: {lease}")
            }
            Self::Pauses { ttl } => write!(f, "is paused by its machine for longer than its time to live of {ttl:?}"),
            Self::TakesOver { .. } => f.write_str("acquires the lock: the lease of A has ended"),
            Self::Updates { read, .. } => write!(f, "reads {read} and writes {}", read + 1),
            Self::Wakes => f.write_str("wakes. It checked its lease before the pause, so it goes on"),
            Self::WritesOldRead { balance, .. } => write!(f, "writes {balance}, from its old read"),
            Self::Accepts { .. } => f.write_str("accepts it: the update of B is lost, without any error"),
            Self::Refuses { .. } => f.write_str("refuses it: stale, it has seen a greater token"),
            Self::UpdatesAgain { read, .. } => {
                write!(f, "acquires again, reads {read} and writes {}: nothing is lost", read + 1)
            }
            Self::Dies { alive, all, needed, .. } => {
                write!(f, "dies: {alive} of {all} nodes are left, {needed} are needed")
            }
            Self::AreBack => f.write_str("are all back"),
        }
    }
}
