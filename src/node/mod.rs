//! [`Node`]: one independent Redis or Valkey server, or something that behaves like one.
//!
//! A node handles one request at a time, and replies soon, late or never. Tests produce every fault of a node with a
//! [`Node`] that wraps a [`Node`]. Every node must pass the same contract suite (feature `testing`).

#[cfg(feature = "unstable")]
mod ask;
mod embedded;
mod listener;
mod no_op;
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
pub(crate) use no_op::NoOpNode;
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
/// Sending is synchronous, so no request is lost when a future is dropped:
///
/// - requests take effect in the order of their [`send`](Node::send) calls, so a release never overtakes the grant
///   that it undoes, except across a lost connection;
/// - a request takes effect **at most once** and is never sent again by the node;
/// - every reply is delivered once; a [`Responder`] that is dropped reports a lost connection.
///
/// Each [`Verb`](crate::protocol::Verb) is one atomic step, with [`NodeState`] as the reference. A node neither times
/// requests out nor repeats them, because its locker does both. The contract suite (feature `testing`) checks the meaning
/// of every verb. It cannot check what needs a network that fails: at most once, and sessions.
pub trait Node: Send + Sync + 'static {
    /// Sends one request. The node replies through `responder` once, now or later, on any thread.
    fn send(&self, request: Request, responder: Responder);

    /// Sends two requests in this order, in one message if there is a network. No other client can take a lock that
    /// the first request keeps for the second ([`Next::Grant`](crate::protocol::Next::Grant)) in between.
    ///
    /// The default sends them apart. That is enough only for a node that never queues a waiter: any other node must do
    /// both in one step, or the contract suite refuses it. A node that wraps a node must forward this call.
    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.send(first.0, first.1);
        self.send(second.0, second.1);
    }

    /// From now on, passes the wakes of `locker` to `listener`, as wakes of the node `id`. A node that wraps a node
    /// must forward this call. Wakes may get lost. A node over which no wakes arrive reports that with
    /// [`WakeListener::receives_wakes`]; until then its locker expects them.
    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>);

    /// Lets grants through over one connection only: the one with the session that a
    /// [`NodeReport`](crate::protocol::NodeReport) named. A later connection must be joined first; until then
    /// the reply to a grant is [`NotJoined`](crate::protocol::FaultKind::NotJoined). A node that wraps a node must forward
    /// this call. A node without sessions ignores it.
    fn admit(&self, session: u64);

    /// Reports each new connection, by the number of its session; `None` if the node has only one connection ever;
    /// then the session of every report is 0. A node that can lose its connection must report the next one, because the
    /// server behind it may have other data.
    fn sessions(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        None
    }

    /// The Redis or Valkey server, if this node is one: for the doctor, and other questions that are no requests. Every
    /// other kind of node keeps `None`.
    #[cfg(feature = "redis")]
    fn as_server(&self) -> Option<&redis::RedisNode> {
        None
    }

    /// The name of this node for people: an address, never a password.
    fn address(&self) -> String;
}
