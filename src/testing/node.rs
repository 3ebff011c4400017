//! [`TestNode`]: a node in the test's process, with faults that a test injects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::clock::TestClock;
use super::connection::Connection;
use super::server::{Network, TestServer};
use crate::node::NodeState;

/// A node in the test's process. Clones are the same node.
#[derive(Clone)]
pub struct TestNode(Arc<TestServer>);

/// What a node has after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// All its data, as a server that keeps every write.
    Kept,
    /// Nothing, as a server without persistence, or a new machine in its place.
    Lost,
}

impl TestNode {
    pub(super) fn new(number: u8, clock: TestClock) -> Self {
        Self(TestServer::new(number, clock))
    }

    pub(super) fn connect(&self) -> Connection {
        Connection::to(Arc::clone(&self.0))
    }

    /// What happens to requests from now on.
    pub fn set_network(&self, network: Network) {
        self.0.set_network(network);
    }

    /// The node ends: all connections and all requests on their way are lost, and later ones fail at once until
    /// [`TestNode::restart`].
    pub fn crash(&self) {
        self.0.crash();
    }

    /// The node starts as a new run, with or without its data. If it runs, it ends first, as by [`TestNode::crash`].
    ///
    /// As a server, it takes part only after a rest, as long as [`Builder::max_ttl`](crate::Builder::max_ttl): it may have
    /// forgotten a lock.
    pub fn restart(&self, memory: Memory) {
        self.0.restart(memory == Memory::Kept);
    }

    /// Deletes all data while the node runs, as `FLUSHALL` does.
    pub fn flush(&self) {
        self.0.data.with_state(NodeState::flush);
    }

    /// The node's clock steps forward: its locks expire so much earlier.
    pub fn step_clock_forward(&self, by: Duration) {
        self.0.clock.step_forward(by);
    }

    /// The node's clock steps back: its locks expire so much later.
    pub fn step_clock_back(&self, by: Duration) {
        self.0.clock.step_back(by);
    }
}

impl fmt::Debug for TestNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (network, is_down) = self.0.condition();
        f.debug_struct("TestNode")
            .field("number", &self.0.number)
            .field("network", &network)
            .field("is_down", &is_down)
            .finish_non_exhaustive()
    }
}
