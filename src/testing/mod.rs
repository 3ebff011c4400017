//! For the tests of programs that use the lock: nodes in the test's process, a clock that the test turns, and faults that it
//! injects (feature `testing`, for `dev-dependencies`).
//!
//! The shipped locker runs, with its protocol, renewal and repeated releases. Only nodes, network and clock are replaced. On
//! tokio's paused time a test takes no real time.
//!
//! ```
//! use std::time::Duration;
//!
//! use redfence::testing::{Network, TestNodes};
//!
//! # // In a test: #[tokio::test(start_paused = true)]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let nodes = TestNodes::new(3);
//! let redlock = nodes.builder().ttl(Duration::from_secs(10)).build()?;
//! let guard = redlock.acquire("invoice:42").await?;
//!
//! // A minute passes, and the guard renews its lease.
//! nodes.clock().advance(Duration::from_secs(60)).await?;
//! assert!(guard.check().is_ok());
//!
//! // Two of three nodes go away: there is no quorum to renew it, so it ends.
//! for node in nodes.iter().take(2) {
//!     node.set_network(Network::Away);
//! }
//! nodes.clock().advance(Duration::from_secs(10)).await?;
//! assert!(guard.check().is_err());
//! # drop(guard.release().await); Ok(()) }
//! ```
//!
//! | what happens | how |
//! |---|---|
//! | time passes, and everything that falls due happens | [`TestClock::advance`], or `tokio::time::sleep` |
//! | the process is stopped, while time passes elsewhere | [`TestClock::jump`] |
//! | a node is away, slow or silent, or loses requests or replies | [`TestNode::set_network`] |
//! | a node crashes, and starts again with or without its data | [`TestNode::crash`], [`TestNode::restart`] |
//! | all data of a node is deleted while it runs | [`TestNode::flush`] |
//! | the clock of a node steps | [`TestNode::step_clock_forward`], [`TestNode::step_clock_back`] |
//!
//! Runs under many overlapping faults, drawn from seeds, are what the simulations in the repository are for.

mod clock;
mod connection;
mod node;
mod server;

use std::sync::Arc;

use crate::{Builder, Redlock};

// The code of the page is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/without-servers.md")]
mod page {}

pub use clock::{NotPaused, TestClock};
pub use node::{Memory, TestNode};
pub use server::Network;

/// Nodes in the test's process. They are joined from the start, so leases can be acquired at once.
#[derive(Debug, Clone)]
pub struct TestNodes {
    clock: TestClock,
    nodes: Vec<TestNode>,
}

impl TestNodes {
    /// `count` nodes, on a new clock. 1 to 32 are useful: the builder refuses other counts.
    #[must_use]
    pub fn new(count: u8) -> Self {
        let clock = TestClock::new();
        let nodes = (1..=count).map(|number| TestNode::new(number, clock.clone())).collect();
        Self { clock, nodes }
    }

    /// A builder with these nodes and their clock. Each call makes new connections to the nodes: one call for each process
    /// that the test imitates.
    ///
    /// ```
    /// # use redfence::{AcquireError, testing::TestNodes};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let nodes = TestNodes::new(3);
    /// let (ours, theirs) = (nodes.builder().build()?, nodes.builder().build()?);
    /// let guard = ours.acquire("invoice:42").await?;
    /// assert!(matches!(theirs.try_acquire("invoice:42").await, Err(AcquireError::Contended { .. })));
    /// # drop(guard.release().await); Ok(()) }
    /// ```
    pub fn builder(&self) -> Builder {
        let builder = Redlock::builder().clock(Arc::new(self.clock.clone()));
        self.nodes.iter().fold(builder, |builder, node| builder.node(node.connect()))
    }

    /// The clock of the test's process. The clocks of the nodes follow it.
    #[must_use]
    pub const fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The nodes, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &TestNode> {
        self.nodes.iter()
    }
}
