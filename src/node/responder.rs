//! [`Responder`]: where the reply to one request goes.

use std::fmt;
use std::sync::Arc;

use crate::NodeId;
use crate::protocol::{Fault, FaultKind, Reply, VerbKind};

/// Takes in replies. Called from whatever thread a node answers on, and must not block.
pub trait ReplySink: Send + Sync {
    /// `node` replied to a request of this kind.
    fn deliver(&self, node: NodeId, verb: VerbKind, reply: Reply);
}

/// The right and the duty to answer one request. Dropping it answers that the connection was lost.
pub struct Responder(Option<Place>);

struct Place {
    inbox: Arc<dyn ReplySink>,
    node: NodeId,
    verb: VerbKind,
}

impl Responder {
    /// An answer to `verb` that reaches `inbox` as coming from `node`.
    #[must_use]
    pub const fn to(inbox: Arc<dyn ReplySink>, node: NodeId, verb: VerbKind) -> Self {
        Self(Some(Place { inbox, node, verb }))
    }

    /// Gives the reply.
    pub fn reply(mut self, reply: Reply) {
        self.deliver(reply);
    }

    /// Answers with a fault.
    pub fn fail(self, kind: FaultKind, detail: impl Into<Box<str>>) {
        self.reply(Reply::Failed(Fault::new(kind, detail)));
    }

    fn deliver(&mut self, reply: Reply) {
        if let Some(Place { inbox, node, verb }) = self.0.take() {
            inbox.deliver(node, verb, reply);
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
        let place = self.0.as_ref().map(|place| (place.node, place.verb));
        f.debug_tuple("Responder").field(&place).finish()
    }
}
