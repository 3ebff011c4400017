//! A server behind the trait [`Node`].

use std::sync::Weak;

use tokio::sync::watch;

use super::RedisNode;
use crate::node::{Node, Responder, WakeListener};
use crate::protocol::Request;
use crate::{LockerId, NodeId};

impl Node for RedisNode {
    fn send(&self, request: Request, answer: Responder) {
        self.send_queue.submit([(request, answer)]);
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.send_queue.submit([first, second]);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.send_queue.listen(id, locker, listener);
    }

    fn admit(&self, session: u64) {
        self.send_queue.admit(session);
    }

    fn sessions(&self) -> Option<watch::Receiver<u64>> {
        Some(self.session.clone())
    }

    fn as_server(&self) -> Option<&RedisNode> {
        Some(self)
    }

    fn address(&self) -> String {
        self.name.clone()
    }
}
