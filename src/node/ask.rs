//! [`ask`]: one request and its reply, for tests and tools.

use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

use super::{Node, ReplySink, Responder};
use crate::NodeId;
use crate::protocol::{Fault, FaultKind, Reply, Request, VerbKind};

/// Sends one request and waits for its reply, however long that takes: bound it from outside.
///
/// # Cancel safety
///
/// Dropping the future does not withdraw the request.
pub async fn ask(node: &dyn Node, request: Request) -> Reply {
    let (sender, receiver) = oneshot::channel();
    let sink = Arc::new(Once(Mutex::new(Some(sender))));
    let verb = request.verb.kind();
    match NodeId::new(0) {
        Some(id) => node.send(request, Responder::to(sink, id, verb)),
        None => drop(sink),
    }
    receiver.await.unwrap_or_else(|_| Reply::Failed(Fault::new(FaultKind::ConnectionLost, "")))
}

/// Takes in one reply.
struct Once(Mutex<Option<oneshot::Sender<Reply>>>);

impl ReplySink for Once {
    fn deliver(&self, _: NodeId, _: VerbKind, reply: Reply) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // If the caller waits no longer the reply is of no use.
        if let Some(sender) = sender {
            drop(sender.send(reply));
        }
    }
}
