//! [`Cluster`]: nodes and the network to them, at whatever level.
//!
//! The harness knows no more of nodes than this. At the level of the `Node` trait it is
//! [`NodeLevel`](super::NodeLevel).

use std::sync::{Arc, Weak};

use redfence::node::{Node, Responder, WakeListener};
use redfence::protocol::Request;
use redfence::{HolderId, LockerId, NodeId};

use super::process::Process;
use crate::invariant::Leftover;
use crate::plan::Fault;

/// Nodes and the network to them.
///
/// It reports to the world what promises rely on: `World::record` with `Vanished` when a lock ends early on
/// a node that does not rest; `World::void` when a counter went back or everything was forgotten; `World::report`;
/// `World::count`.
pub trait Cluster: Send + Sync {
    /// How a process sees each node: connections of its own. Called once for every process.
    fn open(&self, process: &Arc<Process>) -> Vec<Arc<dyn Node>>;

    /// A process has died, and its machine goes on: it ends the connections, and nodes learn of that behind what was
    /// sent.
    fn died(&self, process: &Arc<Process>);

    /// Strikes nodes or network, now. What lasts for a while ends by itself, at [`Cluster::end_faults`] at the latest.
    /// Faults at clients do not come here.
    fn strike(&self, fault: &Fault);

    /// Everything that goes wrong ends: connections, nodes that hang or are down, what is held back on the way.
    fn end_faults(&self);

    /// Every lock that is there now.
    fn locks(&self) -> Vec<Leftover>;

    /// Whether a client gets through to a node just now, both ways.
    fn reaches(&self, client: u8, node: u8) -> bool;

    /// The run is over: lets go of everything that is still waited for.
    fn close(&self);

    /// When the first grant of a holder left its process, in milliseconds: that is when its attempt began.
    fn began_ms(&self, holder: HolderId) -> Option<u64>;
}

/// One node of a cluster, as builders take it.
#[derive(Clone)]
pub struct SharedNode(pub Arc<dyn Node>);

impl Node for SharedNode {
    fn send(&self, request: Request, answer: Responder) {
        self.0.send(request, answer);
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.0.send_both(first, second);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.0.listen(id, locker, listener);
    }

    fn admit(&self, session: u64) {
        self.0.admit(session);
    }

    fn sessions(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        self.0.sessions()
    }

    fn as_server(&self) -> Option<&redfence::node::redis::RedisNode> {
        self.0.as_server()
    }

    fn address(&self) -> String {
        self.0.address()
    }
}
