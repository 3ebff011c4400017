//! [`SendQueue`]: takes requests to one server, and knows the state of its connection.
//!
//! If the connection is idle, the caller writes the request itself, which saves a task switch. The courier reads,
//! dials and watches. Both take one lock for a short time, and deliver replies only after they have released it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::connection::Connection;
use super::encode::EncodedRequest;
use super::keys::Prefix;
use super::unsent::{Completions, PendingRequest, Unsent};
use crate::node::{HomeRuntime, Process, Responder, WakeListener};
use crate::protocol::{Fault, FaultKind, LockView, Reply, Request, Verb};
use crate::{LockerId, NodeId};

/// The state that senders and the courier of one server share.
pub(super) struct SendQueue {
    prefix: Prefix,
    /// The process that opened the sockets.
    process: Process,
    /// Grants may go only over the connection of this session.
    admitted: AtomicU64,
    inner: Mutex<Inner>,
}

struct Inner {
    state: ConnectionState,
    queue: Unsent,
    courier: Waker,
    /// Whether the node was dropped, so that no more requests come.
    closed: bool,
    listeners: Vec<(NodeId, LockerId, Weak<dyn WakeListener>)>,
}

/// The state of the connection.
enum ConnectionState {
    /// It is being dialled; requests wait for the outcome.
    Dialing,
    /// In use.
    Up(Box<Connection>),
    /// Writing failed, and the courier has yet to learn it. The flag says whether anything was answered before.
    Broken(Fault, Vec<PendingRequest>, bool),
    /// The last dial failed, so requests fail too.
    Down(Fault),
}

/// The most requests that may wait for one server. Beyond that, further grants are refused as overloaded.
pub(super) const QUEUE_MAX: usize = 65_536;
/// The same for extensions. The other nodes decide long before so many extensions wait. Without this bound, a process
/// with very many leases would keep them all in memory while one server hangs.
const EXTENSIONS_MAX: usize = QUEUE_MAX / 8;

/// How many requests may wait already when this one comes. A release is never refused, because a lock would stay
/// behind.
const fn most_before(verb: &Verb) -> usize {
    match verb {
        Verb::Grant { .. } => QUEUE_MAX,
        Verb::Extend { .. } => EXTENSIONS_MAX,
        _ => usize::MAX,
    }
}

impl SendQueue {
    pub(super) fn new(prefix: Prefix) -> Self {
        let inner = Inner {
            state: ConnectionState::Dialing,
            queue: Unsent::default(),
            courier: Waker::noop().clone(),
            closed: false,
            listeners: Vec::new(),
        };
        Self { prefix, process: Process::current(), admitted: AtomicU64::new(0), inner: Mutex::new(inner) }
    }

    /// Takes requests, to be sent in this order and in one pipeline if possible.
    pub(super) fn submit(&self, requests: impl IntoIterator<Item = (Request, Responder)>) {
        let mut completions = Completions::default();
        {
            let mut inner = self.lock();
            for (request, answer) in requests {
                if request.verb.is_release() && inner.queue.withdraw(request.subject.holder.id(), &mut completions) {
                    completions.answers.push((answer, Reply::Refused(LockView::default())));
                    continue;
                }
                let refusal = match &inner.state {
                    ConnectionState::Down(fault) => Some(unsent(fault)),
                    _ if inner.queue.len() >= most_before(&request.verb) => Some(Fault::new(FaultKind::Overloaded, "")),
                    _ => None,
                };
                match refusal {
                    Some(fault) => completions.answers.push((answer, Reply::Failed(fault))),
                    None => {
                        let encoded = EncodedRequest::of(&self.prefix, &request.subject);
                        inner.queue.push(PendingRequest { request, encoded, answer });
                    }
                }
            }
            let courier = inner.courier.clone();
            self.send_waiting(&mut inner, &mut Context::from_waker(&courier), &mut completions);
            if let ConnectionState::Broken(..) = inner.state {
                courier.wake();
            }
        }
        self.deliver(completions);
    }

    /// Begins pipelines while the connection accepts more and requests wait.
    fn send_waiting(&self, inner: &mut Inner, context: &mut Context<'_>, completions: &mut Completions) {
        let Inner { state, queue, .. } = inner;
        let ConnectionState::Up(connection) = state else { return };
        if !connection.takes_more() || queue.is_empty() {
            return;
        }
        if self.process.is_forked() {
            return inner.disown(&Fault::new(FaultKind::Closed, Process::FORKED), completions);
        }
        while connection.takes_more() && !queue.is_empty() {
            let admits = self.admitted.load(Ordering::Relaxed) == connection.session;
            if let Err(error) = connection.begin(queue, admits, context, completions) {
                let fault = Fault::new(FaultKind::ConnectionLost, error.to_string());
                let was_of_use = connection.answers > 0;
                *state = ConnectionState::Broken(fault, connection.unanswered().collect(), was_of_use);
                return;
            }
        }
    }

    /// Writes and reads as far as possible. Ready with the fault if the connection is broken; ready with `None` if
    /// the node was dropped and all is answered.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Fault>> {
        loop {
            let mut completions = Completions::default();
            let mut inner = self.lock();
            if !inner.courier.will_wake(context.waker()) {
                inner.courier = context.waker().clone();
            }
            if self.process.is_forked() {
                // The parent process reads these replies.
                inner.disown(&Fault::new(FaultKind::Closed, Process::FORKED), &mut completions);
                drop(inner);
                self.deliver(completions);
                return Poll::Pending;
            }
            let broken = {
                let Inner { state, queue, .. } = &mut *inner;
                match state {
                    ConnectionState::Up(connection) => {
                        let lost = |error: io::Error| Fault::new(FaultKind::ConnectionLost, error.to_string());
                        let written = connection.write(context).map_err(lost);
                        let read = written.and_then(|()| connection.read(context, queue, &mut completions));
                        // What came in may need a write, and further input may never come.
                        read.and_then(|()| connection.write(context).map_err(lost)).err()
                    }
                    ConnectionState::Broken(fault, ..) => Some(fault.clone()),
                    ConnectionState::Dialing | ConnectionState::Down(_) => Some(Fault::new(FaultKind::Unreachable, "")),
                }
            };
            if let Some(fault) = broken {
                drop(inner);
                self.deliver(completions);
                return Poll::Ready(Some(fault));
            }
            self.send_waiting(&mut inner, context, &mut completions);
            let is_broken = matches!(inner.state, ConnectionState::Broken(..));
            let done = inner.closed && inner.queue.is_empty() && inner.connection().is_none_or(Connection::is_idle);
            drop(inner);
            if done {
                self.deliver(completions);
                return Poll::Ready(None);
            }
            if completions.is_empty() && !is_broken {
                return Poll::Pending;
            }
            self.deliver(completions);
        }
    }

    /// Takes a new connection into use, and sends the requests that wait.
    pub(super) fn open(&self, connection: Connection) {
        self.lock().state = ConnectionState::Up(Box::new(connection));
        self.submit([]);
    }

    /// Gives up the connection, because another one is dialled. Requests that were sent fail with `fault`; the others
    /// wait. Returns whether the server answered anything over the old connection.
    pub(super) fn dial(&self, fault: &Fault) -> bool {
        let (unanswered, was_of_use) = match std::mem::replace(&mut self.lock().state, ConnectionState::Dialing) {
            ConnectionState::Up(mut connection) => (connection.unanswered().collect(), connection.answers > 0),
            ConnectionState::Broken(_, unanswered, was_of_use) => (unanswered, was_of_use),
            ConnectionState::Dialing | ConnectionState::Down(_) => (Vec::new(), true),
        };
        self.refuse(unanswered, fault);
        was_of_use
    }

    /// There is no connection. Waiting and future requests fail at once: none is kept for a connection that may never
    /// come.
    pub(super) fn give_up(&self, fault: &Fault) {
        let waiting = {
            let mut inner = self.lock();
            inner.state = ConnectionState::Down(fault.clone());
            inner.queue.take()
        };
        self.refuse(waiting, &unsent(fault));
    }

    /// The node was dropped, so no more requests come.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let courier = inner.courier.clone();
        drop(inner);
        courier.wake();
    }

    /// The courier has ended. Requests that were sent may still take effect; the others never will.
    pub(super) fn end(&self) {
        let closed = Fault::new(FaultKind::Closed, HomeRuntime::ENDED);
        // Waiters are no longer woken.
        let mut completions = Completions { is_deaf: true, ..Completions::default() };
        if self.process.is_forked() {
            self.lock().disown(&closed, &mut completions);
        } else {
            self.dial(&Fault::new(FaultKind::ConnectionLost, HomeRuntime::ENDED));
            self.give_up(&closed);
        }
        self.deliver(completions);
    }

    /// Whether the node was dropped and no request waits.
    pub(super) fn is_done(&self) -> bool {
        let inner = self.lock();
        inner.closed && inner.queue.is_empty()
    }

    /// A number that grows with every pipeline and every reply; `None` while nothing is unanswered.
    pub(super) fn progress_on_the_way(&self) -> Option<u64> {
        self.lock().connection().filter(|connection| !connection.is_idle()).map(|connection| connection.progress)
    }

    /// Lets grants through over this session only.
    pub(super) fn admit(&self, session: u64) {
        self.admitted.store(session, Ordering::Relaxed);
    }

    /// From now on, `listener` receives the wakes of `locker`.
    pub(super) fn listen(&self, node: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        let listeners = &mut self.lock().listeners;
        // Many lockers may use a node one after another. Their listeners are not kept.
        listeners.retain(|(.., listener)| listener.strong_count() > 0);
        listeners.push((node, locker, listener));
    }

    fn refuse(&self, requests: impl IntoIterator<Item = PendingRequest>, fault: &Fault) {
        for pending in requests {
            pending.answer.reply(Reply::Failed(fault.clone()));
        }
    }

    fn deliver(&self, completions: Completions) {
        for (answer, reply) in completions.answers {
            answer.reply(reply);
        }
        if completions.wakes.is_empty() && !completions.receives && !completions.is_deaf {
            return;
        }
        let alive = |(node, locker, listener): &(NodeId, LockerId, Weak<dyn WakeListener>)| {
            Some((*node, *locker, listener.upgrade()?))
        };
        let listeners: Vec<_> = self.lock().listeners.iter().filter_map(alive).collect();
        for (node, locker, listener) in listeners {
            for (_, resource, after) in completions.wakes.iter().filter(|(whom, ..)| *whom == locker) {
                listener.woken(node, resource, *after);
            }
            if completions.receives {
                listener.receives_wakes(node, true);
            }
            if completions.is_deaf {
                listener.receives_wakes(node, false);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Gives up the connection because this process is a fork. The connection is neither used nor closed: the parent
    /// process uses it, and both processes share the socket.
    fn disown(&mut self, closed: &Fault, completions: &mut Completions) {
        completions.is_deaf = true;
        if let ConnectionState::Up(mut connection) =
            std::mem::replace(&mut self.state, ConnectionState::Down(closed.clone()))
        {
            for sent in connection.unanswered() {
                completions.fail(sent.answer, FaultKind::ConnectionLost);
            }
            std::mem::forget(connection);
        }
        let unsent = self.queue.take().into_iter().map(|pending| (pending.answer, Reply::Failed(closed.clone())));
        completions.answers.extend(unsent);
    }

    fn connection(&self) -> Option<&Connection> {
        match &self.state {
            ConnectionState::Up(connection) => Some(connection),
            _ => None,
        }
    }
}

/// The fault of a request that `fault` prevented, and that was certainly not sent.
fn unsent(fault: &Fault) -> Fault {
    let kind = if fault.kind.never_sent() { fault.kind } else { FaultKind::Unreachable };
    Fault { kind, detail: fault.detail.clone() }
}
