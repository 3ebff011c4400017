//! [`Cluster`]: nodes and the network to them, at any level. This trait is all that the harness uses of nodes. At the
//! level of the `Node` trait it is [`NodeLevel`](super::NodeLevel).

use std::sync::{Arc, Weak};

use redfence::node::{Node, Responder, WakeListener};
use redfence::protocol::Request;
use redfence::{HolderId, LockerId, NodeId};

use super::process::Process;
use crate::invariant::Leftover;
use crate::plan::Fault;

/// Nodes and the network to them. It reports to the world when an assumption of a promise breaks: `World::record` with
/// `Vanished` when a lock ends early on a node that does not rest; `World::void` when a counter went back or everything
/// was forgotten; `World::report`; `World::count`.
pub trait Cluster: Send + Sync {
    /// The nodes for one process, with new connections. Called once for every process.
    fn open(&self, process: &Arc<Process>) -> Vec<Arc<dyn Node>>;

    /// A process has died, and its machine goes on. The machine ends the connections, after everything that was sent.
    fn died(&self, process: &Arc<Process>);

    /// Injects a fault into nodes or network, now. A lasting fault ends by itself, at [`Cluster::end_faults`] at the
    /// latest. Faults at clients do not come here.
    fn strike(&self, fault: &Fault);

    /// Ends all faults: of connections, of nodes that hang or are down, and of messages that are held back.
    fn end_faults(&self);

    /// Every lock that exists now.
    fn locks(&self) -> Vec<Leftover>;

    /// Whether messages between a client and a node get through now, in both directions.
    fn reaches(&self, client: u8, node: u8) -> bool;

    /// A command of a client of another library has arrived. Returns whether the node did it; `None` if it is down, or
    /// hangs.
    fn foreign(&self, node: u8, resource: u8, value: &str, command: &ForeignCommand) -> Option<bool>;

    /// The run is over: drops everything that still waits.
    fn close(&self);

    /// When the first grant of a holder left its process, in milliseconds. The attempt began then.
    fn began_ms(&self, holder: HolderId) -> Option<u64>;
}

/// What a client of another library asks a node for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignCommand {
    /// The lock, if it is free: `SET NX`, with `PX` if there is a time to live.
    Take {
        /// The time to live.
        ttl_ms: Option<u32>,
    },
    /// To remove the lock, if it still has the value.
    Leave,
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
