//! [`ask`]: sends one request and waits for its reply, for tests and tools.

use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

use super::{Node, ReplySink, Responder};
use crate::NodeId;
use crate::protocol::{Fault, FaultKind, Reply, Request, VerbKind};

/// Sends one request and waits for its reply. The wait has no bound here; the caller must set one.
///
/// # Cancel safety
///
/// If the future is dropped, the request is not withdrawn.
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

/// Receives one reply.
struct Once(Mutex<Option<oneshot::Sender<Reply>>>);

impl ReplySink for Once {
    fn deliver(&self, _: NodeId, _: VerbKind, reply: Reply) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // If the caller no longer waits, the reply is dropped.
        if let Some(sender) = sender {
            drop(sender.send(reply));
        }
    }
}
