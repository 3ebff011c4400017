//! One independent Redis or Valkey, or something that behaves like one.
//!
//! A node takes one request at a time and answers it, sooner or later or never. Everything that can go wrong with a
//! node is a [`Node`] that wraps a [`Node`]; every node passes the same contract suite (feature `testing`).

#[cfg(feature = "unstable")]
mod ask;
mod embedded;
mod listener;
mod process;
mod queue;
mod responder;
mod state;
mod tasks;

#[cfg(feature = "testing")]
pub mod contract;
#[cfg(feature = "redis")]
pub mod redis;

#[cfg(feature = "unstable")]
pub use ask::ask;
pub use embedded::EmbeddedNode;
pub use listener::WakeListener;
pub(crate) use process::Process;
pub use queue::Wake;
pub use responder::{ReplySink, Responder};
pub use state::NodeState;
pub(crate) use tasks::{HomeRuntime, Task};

use std::sync::Weak;

use crate::protocol::Request;
use crate::{LockerId, NodeId};

/// One independent node.
///
/// Sending is synchronous, so nothing that was asked for is lost when a future is dropped:
///
/// - requests take effect in the order of their [`send`](Node::send) calls, so that a release never overtakes the grant
///   it undoes, except across a lost connection;
/// - a request takes effect **at most once** and is never sent again by the node;
/// - every answer is given once; an [`Responder`] that is dropped reports a lost connection.
pub trait Node: Send + Sync + 'static {
    /// Sends one request. `answer` is called once, now or later, from any thread.
    fn send(&self, request: Request, answer: Responder);

    /// Sends two requests, in this order and, where there is a network, in one message: a lock that the first one keeps
    /// for the second ([`Next::Grant`](crate::protocol::Next::Grant)) is nobody else's in between.
    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.send(first.0, first.1);
        self.send(second.0, second.1);
    }

    /// From now on passes the wakes of `locker` to `listener`, as from the node called `id`. A node that wraps a node
    /// passes this on. Wakes may get lost.
    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>);

    /// Lets grants through over the connection that a [`NodeReport`](crate::protocol::NodeReport) named as its session, and over
    /// no other: one that is dialled later has to be joined first. A node that wraps a node passes this on.
    fn admit(&self, session: u64);

    /// Reports a new connection, as the number of its session; `None` where there is only ever one.
    fn sessions(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        None
    }

    /// The server, where the node is one: for questions that only servers can answer.
    #[cfg(feature = "redis")]
    fn as_server(&self) -> Option<&redis::RedisNode> {
        None
    }

    /// How people call this node: an address, never a password.
    fn address(&self) -> String;
}
