#![doc = include_str!("../README.md")]

mod account;
pub mod contender;
pub mod server;
pub mod servers;
pub mod writer;

pub use account::{Account, Balance, Overview, Refused, Target, Transfer, What};

use std::time::Duration;

use redfence::{ConnectError, Redlock};

/// The lock of a process: over these nodes, with that time to live.
///
/// # Errors
///
/// As of [`redfence::Builder::connect`].
pub async fn lock(nodes: &[String], ttl: Duration, label: &str) -> Result<Redlock, ConnectError> {
    // No locker asks for more than `ttl`, so a node that comes back with nothing in memory has rested after that long.
    Redlock::builder().urls(nodes).ttl(ttl).max_ttl(ttl).label(label).connect().await
}
