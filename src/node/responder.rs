//! [`Responder`]: delivers the reply to one request.

use std::fmt;
use std::sync::Arc;

use crate::NodeId;
use crate::protocol::{Fault, FaultKind, Reply, VerbKind};

/// Receives replies. It is called on any thread on which a node replies, and must not block.
pub trait ReplySink: Send + Sync {
    /// `node` replied to a request of this kind.
    fn deliver(&self, node: NodeId, verb: VerbKind, reply: Reply);
}

/// The right and the duty to reply to one request. If it is dropped, it replies that the connection was lost.
pub struct Responder(Option<Destination>);

/// Where the reply goes, and what it answers.
struct Destination {
    sink: Arc<dyn ReplySink>,
    node: NodeId,
    verb: VerbKind,
}

impl Responder {
    /// A responder for a request of kind `verb` to `node`. The reply goes to `sink`.
    #[must_use]
    pub const fn to(sink: Arc<dyn ReplySink>, node: NodeId, verb: VerbKind) -> Self {
        Self(Some(Destination { sink, node, verb }))
    }

    /// Delivers the reply.
    pub fn reply(mut self, reply: Reply) {
        self.deliver(reply);
    }

    /// Replies with a fault.
    pub fn fail(self, kind: FaultKind, detail: impl Into<Box<str>>) {
        self.reply(Reply::Failed(Fault::new(kind, detail)));
    }

    fn deliver(&mut self, reply: Reply) {
        if let Some(Destination { sink, node, verb }) = self.0.take() {
            sink.deliver(node, verb, reply);
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.deliver(Reply::Failed(Fault::new(FaultKind::ConnectionLost, "the request was dropped")));
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.0.as_ref().map(|destination| (destination.node, destination.verb));
        f.debug_tuple("Responder").field(&answers).finish()
    }
}
