//! [`Link`]: the state of a node's connection.

use crate::protocol::Fault;

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// It is being dialled; requests wait for the outcome.
    Dialing,
    /// In use.
    Up,
    /// The last dial failed, or the connection was lost before it was useful. Another dial follows.
    Down(Fault),
}
