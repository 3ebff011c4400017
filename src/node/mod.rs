//! One independent Redis or Valkey, or something that behaves like one.
//!
//! A node takes one request at a time and answers it, sooner or later or never. Everything that can go wrong with a
//! node is a [`Node`] that wraps a [`Node`]; every node passes the same contract suite (feature `testing`).

mod answer;
mod ear;
mod embedded;
mod state;
mod tasks;

#[cfg(feature = "testing")]
pub mod contract;
#[cfg(feature = "redis")]
pub mod redis;

pub use answer::{Answer, Inbox, ask};
pub use ear::{Ear, to_tell};
pub use embedded::EmbeddedNode;
pub use state::NodeState;
pub(crate) use tasks::{Task, TokioSpawner};

use std::sync::Weak;

use crate::NodeId;
use crate::protocol::Request;

/// One independent node.
///
/// Sending is synchronous, so nothing that was asked for is lost when a future is dropped:
///
/// - requests take effect in the order of their [`send`](Node::send) calls, so that a release never overtakes the grant
///   it undoes, except across a lost connection;
/// - a request takes effect **at most once** and is never sent again by the node;
/// - every answer is given once; an [`Answer`] that is dropped reports a lost connection.
pub trait Node: Send + Sync + 'static {
    /// Sends one request. `answer` is called once, now or later, from any thread.
    fn send(&self, request: Request, answer: Answer);

    /// Sends two requests, in this order and, where there is a network, in one message. A node that does both in one step
    /// tells nobody of a release if the grant behind it takes the lock again ([`to_tell`]).
    fn send_both(&self, first: (Request, Answer), second: (Request, Answer)) {
        self.send(first.0, first.1);
        self.send(second.0, second.1);
    }

    /// Tells `ear` from now on when a lock is released that [`Verb::Watch`](crate::protocol::Verb::Watch) asked to be told
    /// of; as the node calls itself: `id`. A node that wraps a node passes this on. Notices may get lost.
    fn listen(&self, id: NodeId, ear: Weak<dyn Ear>);

    /// Lets grants through over the connection that a [`Sight`](crate::protocol::Sight) named as its session, and over
    /// no other: one that is dialled later has to be joined first. A node that wraps a node passes this on.
    fn admit(&self, session: u64);

    /// Tells when there is a new connection, as the number of its session; `None` where there is only ever one.
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
