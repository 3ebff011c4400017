//! [`Foreign`]: a client of another library, which locks the same keys.

use serde::{Deserialize, Serialize};

/// A client of another library, which locks the same keys by `SET NX PX`. It wakes no waiter, and has no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// On which nodes it locks.
    pub knows: Knows,
    /// Whether its locks have no time to live.
    pub endless: bool,
    /// What it does, in order.
    pub sections: Vec<ForeignSection>,
}

/// The nodes that a client of another library knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Knows {
    /// All of them: it needs a majority.
    All,
    /// The first one only.
    One,
}

/// One acquire of a client of another library, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignSection {
    /// The pause before it.
    pub think_ms: u32,
    /// Which resource.
    pub resource: u8,
    /// How long to try; 0 is one attempt.
    pub wait_ms: u32,
    /// How long the lock is held, until its end at most.
    pub work_ms: u32,
}
