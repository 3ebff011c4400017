//! [`Connection`]: the connection of one locker to a test node. It keeps what [`Node`] promises.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::server::{Delivery, TestServer};
use crate::node::{Node, Responder, WakeListener};
use crate::protocol::{FaultKind, Request, Verb};
use crate::{LockerId, NodeId};

/// The connection of one locker to a test node.
pub(super) struct Connection {
    server: Arc<TestServer>,
    /// The session over which grants may be sent.
    admitted: AtomicU64,
}

impl Connection {
    pub(super) const fn to(server: Arc<TestServer>) -> Self {
        Self { server, admitted: AtomicU64::new(0) }
    }

    /// Whether the request is a grant, over a connection that was not joined.
    fn is_early(&self, request: &Request) -> bool {
        let is_grant = matches!(request.verb, Verb::Grant { .. });
        is_grant && self.admitted.load(Ordering::SeqCst) != *self.server.session.borrow()
    }

    /// Sends requests in one message.
    fn send_all(&self, requests: Vec<Request>, answers: Vec<Responder>) {
        let fail = |answers: Vec<Responder>, kind, why| answers.into_iter().for_each(|answer| answer.fail(kind, why));
        match self.server.delivery() {
            Delivery::NotSent(why) => fail(answers, FaultKind::Unreachable, why),
            _ if requests.iter().any(|request| self.is_early(request)) => {
                fail(answers, FaultKind::NotJoined, "the connection is new");
            }
            Delivery::Arrives => {
                let replies = self.server.apply(&requests);
                answers.into_iter().zip(replies).for_each(|(answer, reply)| answer.reply(reply));
            }
            Delivery::Queued => self.server.queue(requests, answers),
            Delivery::Lost => drop(answers),
            Delivery::ReplyLost => {
                self.server.apply(&requests);
                drop(answers);
            }
            Delivery::Swallowed => self.server.swallow(answers),
        }
    }
}

impl Node for Connection {
    fn send(&self, request: Request, answer: Responder) {
        self.send_all(vec![request], vec![answer]);
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        if self.is_early(&first.0) || self.is_early(&second.0) {
            self.send(first.0, first.1);
            return self.send(second.0, second.1);
        }
        self.send_all(vec![first.0, second.0], vec![first.1, second.1]);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.server.data.listen(id, locker, listener);
    }

    fn admit(&self, session: u64) {
        self.admitted.store(session, Ordering::SeqCst);
    }

    fn sessions(&self) -> Option<watch::Receiver<u64>> {
        Some(self.server.session.subscribe())
    }

    fn address(&self) -> String {
        format!("test node {}", self.server.number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::node::contract;
    use crate::testing::{Network, TestClock};

    #[tokio::test(start_paused = true)]
    async fn a_connection_keeps_the_contract_also_while_it_is_slow() {
        for (network, fresh) in [(Network::Good, "good"), (Network::Slow(Duration::from_millis(1)), "slow")] {
            let server = TestServer::new(1, TestClock::new());
            server.set_network(network);
            let connection = Connection::to(Arc::clone(&server));
            connection.admit(*server.session.borrow());
            contract::check(&connection, fresh).await.unwrap();
        }
    }
}
