//! [`Courier`]: the task that keeps one connection and carries requests over it, in order.
//!
//! One turn at a time: what waits goes out in one write, and the next turn begins when all of it is answered. So a
//! release never overtakes its grant, a slow server gets larger turns instead of more of them, and a connection that
//! goes silent is noticed by one watchdog.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Route};
use super::script::{self, By};
use super::{Link, fault};
use crate::node::Answer;
use crate::protocol::{Backoff, Fault, FaultKind, Reply, Request, Verb};

/// A request on its way.
pub(super) struct Envelope {
    pub(super) request: Request,
    pub(super) answer: Answer,
}

/// Keeps one connection.
pub(super) struct Courier {
    pub(super) name: String,
    pub(super) route: Route,
    pub(super) queue: mpsc::UnboundedReceiver<Envelope>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) link: watch::Sender<Link>,
    pub(super) gate: Gate,
}

/// Which connection this is, and over which one grants may go.
pub(super) struct Gate {
    pub(super) session: watch::Sender<u64>,
    pub(super) admitted: Arc<AtomicU64>,
}

/// The most requests of one turn: a server works them off in about a millisecond.
const TURN_MAX: usize = 128;
/// The first and the longest pause between failed dials.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

impl Courier {
    /// Dials and serves until the node is dropped and its queue is empty.
    pub(super) async fn run(mut self) {
        let entropy = Arc::clone(&self.route.options.entropy);
        let pauses = || Backoff::new(PAUSES.0, PAUSES.1, || entropy.u32());
        let mut pause = pauses();
        loop {
            let end = match self.route.connect().await {
                Ok(connection) => {
                    tracing::debug!(node = self.name, "connected");
                    pause = pauses();
                    self.gate.session.send_modify(|session| *session += 1);
                    self.link.send_replace(Link::Up);
                    let end = self.serve(connection).await;
                    self.link.send_replace(Link::Dialing);
                    end
                }
                Err(fault) => {
                    if self.link.send_replace(Link::Down(fault.clone())) == Link::Dialing {
                        // Once an outage, not once a dial.
                        tracing::warn!(node = self.name, %fault, "cannot connect; trying again in the background");
                    }
                    let pause = pause.next().unwrap_or(PAUSES.1);
                    self.refuse(pause, &fault).await
                }
            };
            if end.is_break() {
                return;
            }
        }
    }

    async fn serve(&mut self, mut connection: Connection) -> ControlFlow<()> {
        let mut turn = Vec::with_capacity(TURN_MAX);
        loop {
            tokio::select! {
                biased;
                () = connection.driver.ended() => return ControlFlow::Continue(()),
                count = self.queue.recv_many(&mut turn, TURN_MAX) => if count == 0 {
                    return ControlFlow::Break(());
                },
            }
            self.waiting.fetch_sub(turn.len(), Ordering::Relaxed);
            withdraw_released(&mut turn);
            self.hold_back(&mut turn);
            if turn.is_empty() {
                continue;
            }
            if let Err(fault) = self.carry(&mut connection, &mut turn).await {
                tracing::warn!(node = self.name, %fault, "connection dropped");
                for Envelope { answer, .. } in turn.drain(..) {
                    answer.fail(fault.kind, fault.detail.clone());
                }
                return ControlFlow::Continue(());
            }
        }
    }

    /// Answers the grants of a connection that has not been joined: behind it may be a server that forgot everything.
    fn hold_back(&self, turn: &mut Vec<Envelope>) {
        if self.gate.admitted.load(Ordering::Relaxed) == *self.gate.session.borrow() {
            return;
        }
        for Envelope { answer, .. } in turn.extract_if(.., |e| matches!(e.request.verb, Verb::Grant { .. })) {
            answer.fail(FaultKind::NotJoined, "");
        }
    }

    /// Carries one turn. What is left in `turn` after an error has had no answer.
    async fn carry(&self, connection: &mut Connection, turn: &mut Vec<Envelope>) -> Result<(), Fault> {
        for by in [By::Hash, By::Source] {
            if turn.is_empty() {
                break;
            }
            let values = self.exchange(connection, turn, by).await?;
            let mut unknown = Vec::new();
            for (envelope, value) in turn.drain(..).zip(values) {
                if by == By::Hash && script::is_unknown_script(&value) {
                    unknown.push(envelope);
                } else {
                    let Envelope { request, answer } = envelope;
                    let mut reply = script::reply(&self.route.options.prefix, request.verb, value);
                    if let Reply::Sighted(sight) = &mut reply {
                        sight.session = *self.gate.session.borrow();
                    }
                    answer.reply(reply);
                }
            }
            *turn = unknown;
        }
        Ok(())
    }

    async fn exchange(&self, connection: &mut Connection, turn: &[Envelope], by: By) -> Result<Vec<Value>, Fault> {
        let mut pipeline = Pipeline::with_capacity(turn.len());
        for Envelope { request, .. } in turn {
            pipeline.add_command(script::command(&self.route.options.prefix, request, by));
        }
        let limit = self.route.options.response_timeout;
        match timeout(limit, connection.handle.send_packed_commands(&pipeline, 0, turn.len())).await {
            Ok(values) => values.map_err(|error| fault::of_connection(&error)),
            Err(_) => Err(Fault::new(FaultKind::TimedOut, format!("no answer within {limit:?}"))),
        }
    }

    /// Answers everything with `fault` until then: nothing is kept for a connection that may never come.
    async fn refuse(&mut self, pause: Duration, fault: &Fault) -> ControlFlow<()> {
        let kind = if fault.kind.never_sent() { fault.kind } else { FaultKind::Unreachable };
        let pause = sleep(pause);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                biased;
                () = &mut pause => return ControlFlow::Continue(()),
                next = self.queue.recv() => match next {
                    None => return ControlFlow::Break(()),
                    Some(Envelope { answer, .. }) => {
                        self.waiting.fetch_sub(1, Ordering::Relaxed);
                        answer.fail(kind, fault.detail.clone());
                    }
                },
            }
        }
    }
}

/// A grant whose release waits in the same turn is not sent at all: its caller has given up.
fn withdraw_released(turn: &mut Vec<Envelope>) {
    if turn.len() < 2 || !turn.iter().any(|envelope| matches!(envelope.request.verb, Verb::Grant { .. })) {
        return;
    }
    let id = |envelope: &Envelope| envelope.request.subject.holder.id();
    let released: HashSet<_> = turn.iter().filter(|e| e.request.verb == Verb::Release).map(id).collect();
    if released.is_empty() {
        return;
    }
    let withdrawn = |e: &mut Envelope| matches!(e.request.verb, Verb::Grant { .. }) && released.contains(&id(e));
    for Envelope { answer, .. } in turn.extract_if(.., withdrawn) {
        answer.fail(FaultKind::Withdrawn, "");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::node::Inbox;
    use crate::protocol::Subject;
    use crate::{Holder, HolderId, Label, NodeId, Resource};

    #[derive(Default)]
    struct Seen(Mutex<Vec<Reply>>);

    impl Inbox for Seen {
        fn deliver(&self, _: NodeId, _: Verb, reply: Reply) {
            self.0.lock().unwrap().push(reply);
        }
    }

    #[test]
    fn l5_a_grant_whose_release_waits_in_the_same_turn_is_not_sent() {
        let seen = Arc::new(Seen::default());
        let envelope = |id: u128, verb: Verb| Envelope {
            request: Request {
                subject: Arc::new(Subject {
                    resource: Resource::new("r").unwrap(),
                    holder: Holder::new(HolderId::from_random(id), Label::new("").unwrap()),
                }),
                verb,
            },
            answer: Answer::to(Arc::clone(&seen) as Arc<dyn Inbox>, NodeId::new(0).unwrap(), verb),
        };
        let grant = Verb::Grant { ttl: Duration::from_secs(1), floor: 0 };
        let mut turn =
            vec![envelope(1, grant), envelope(2, grant), envelope(1, Verb::Release), envelope(3, Verb::Release)];
        withdraw_released(&mut turn);
        let left: Vec<_> = turn.iter().map(|e| (e.request.subject.holder.id(), e.request.verb)).collect();
        let id = HolderId::from_random;
        assert_eq!(left, [(id(2), grant), (id(1), Verb::Release), (id(3), Verb::Release)]);
        assert!(matches!(&seen.0.lock().unwrap()[..], [Reply::Failed(fault)] if fault.kind == FaultKind::Withdrawn));
    }
}
