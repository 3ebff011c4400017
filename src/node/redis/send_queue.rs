//! [`SendQueue`]: where requests to one server are handed in, and what is known of the way there.
//!
//! If the connection is idle the caller writes the request itself, which saves a task switch. The courier reads, dials
//! and watches. Both hold one short lock, and neither gives an answer while it holds it.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::connection::{Completions, Connection, PendingRequest};
use super::encode::EncodedRequest;
use super::keys::Prefix;
use crate::node::{HomeRuntime, Process, Responder, WakeListener};
use crate::protocol::{Fault, FaultKind, LockView, Reply, Request, Verb};
use crate::{HolderId, LockerId, NodeId};

/// What senders and the courier of one server share.
pub(super) struct SendQueue {
    prefix: Prefix,
    /// Whose sockets these are.
    process: Process,
    /// Grants go over the connection of this session only.
    admitted: AtomicU64,
    inner: Mutex<Inner>,
}

struct Inner {
    way: Way,
    queue: VecDeque<PendingRequest>,
    courier: Waker,
    /// Nobody will hand in anything any more.
    closed: bool,
    listeners: Vec<(NodeId, LockerId, Weak<dyn WakeListener>)>,
}

/// The way to the server.
enum Way {
    /// Being dialled; requests wait for the outcome.
    Dialing,
    /// In use.
    Up(Box<Connection>),
    /// Writing failed, and the courier has to know. Whether anything was answered before.
    Broken(Fault, Vec<PendingRequest>, bool),
    /// The last dial failed, so requests fail as well.
    Down(Fault),
}

/// The most requests that wait for one server before further grants are refused as overloaded.
pub(super) const QUEUE_MAX: usize = 65_536;
/// The same for extensions: the other nodes decide long before so many have waited, and those who hold very many leases would keep
/// them all in memory while one server hangs.
const EXTENSIONS_MAX: usize = QUEUE_MAX / 8;

/// How many may wait already when one like this is handed in. A release is never refused: one that cannot wait would leave a lock behind.
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
            way: Way::Dialing,
            queue: VecDeque::new(),
            courier: Waker::noop().clone(),
            closed: false,
            listeners: Vec::new(),
        };
        Self { prefix, process: Process::current(), admitted: AtomicU64::new(0), inner: Mutex::new(inner) }
    }

    /// Hands requests in, to be sent in this order and, if they can be, in one turn.
    pub(super) fn hand_in(&self, requests: impl IntoIterator<Item = (Request, Responder)>) {
        let mut completions = Completions::default();
        {
            let mut inner = self.lock();
            for (request, answer) in requests {
                if request.verb.is_release()
                    && withdraw(&mut inner.queue, request.subject.holder.id(), &mut completions)
                {
                    completions.answers.push((answer, Reply::Refused(LockView::default())));
                    continue;
                }
                let refusal = match &inner.way {
                    Way::Down(fault) => Some(unsent(fault)),
                    _ if inner.queue.len() >= most_before(&request.verb) => Some(Fault::new(FaultKind::Overloaded, "")),
                    _ => None,
                };
                match refusal {
                    Some(fault) => completions.answers.push((answer, Reply::Failed(fault))),
                    None => {
                        let encoded = EncodedRequest::of(&self.prefix, &request.subject);
                        inner.queue.push_back(PendingRequest { request, encoded, answer });
                    }
                }
            }
            let courier = inner.courier.clone();
            self.go_on(&mut inner, &mut Context::from_waker(&courier), &mut completions);
            if let Way::Broken(..) = inner.way {
                courier.wake();
            }
        }
        self.deliver(completions);
    }

    /// Begins turns while nothing is on the way and something waits.
    fn go_on(&self, inner: &mut Inner, context: &mut Context<'_>, completions: &mut Completions) {
        let Inner { way, queue, .. } = inner;
        let Way::Up(connection) = way else { return };
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
                *way = Way::Broken(fault, connection.unanswered().collect(), was_of_use);
                return;
            }
        }
    }

    /// Writes and reads as far as it goes; ready when the line is broken, with the reason, and when nobody will hand in
    /// anything any more and all is answered, with none.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Fault>> {
        loop {
            let mut completions = Completions::default();
            let mut inner = self.lock();
            if !inner.courier.will_wake(context.waker()) {
                inner.courier = context.waker().clone();
            }
            if self.process.is_forked() {
                // The parent reads these answers.
                inner.disown(&Fault::new(FaultKind::Closed, Process::FORKED), &mut completions);
                drop(inner);
                self.deliver(completions);
                return Poll::Pending;
            }
            let broken = {
                let Inner { way, queue, .. } = &mut *inner;
                match way {
                    Way::Up(connection) => {
                        let lost = |error: io::Error| Fault::new(FaultKind::ConnectionLost, error.to_string());
                        let written = connection.write(context).map_err(lost);
                        let read = written.and_then(|()| connection.read(context, queue, &mut completions));
                        // What came in may ask for more to be written, and nothing need come in behind it.
                        read.and_then(|()| connection.write(context).map_err(lost)).err()
                    }
                    Way::Broken(fault, ..) => Some(fault.clone()),
                    Way::Dialing | Way::Down(_) => Some(Fault::new(FaultKind::Unreachable, "")),
                }
            };
            if let Some(fault) = broken {
                drop(inner);
                self.deliver(completions);
                return Poll::Ready(Some(fault));
            }
            self.go_on(&mut inner, context, &mut completions);
            let is_broken = matches!(inner.way, Way::Broken(..));
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

    /// A connection stands: what waits goes out.
    pub(super) fn open(&self, connection: Connection) {
        self.lock().way = Way::Up(Box::new(connection));
        self.hand_in([]);
    }

    /// The connection is gone, and another one is dialled: what was sent fails with `fault`, what was not waits. Tells
    /// whether the server answered anything over it.
    pub(super) fn dial(&self, fault: &Fault) -> bool {
        let (unanswered, was_of_use) = match std::mem::replace(&mut self.lock().way, Way::Dialing) {
            Way::Up(mut connection) => (connection.unanswered().collect(), connection.answers > 0),
            Way::Broken(_, unanswered, was_of_use) => (unanswered, was_of_use),
            Way::Dialing | Way::Down(_) => (Vec::new(), true),
        };
        self.refuse(unanswered, fault);
        was_of_use
    }

    /// There is no connection: what waits and what will be handed in fails at once, nothing is kept for a connection that
    /// may never come.
    pub(super) fn give_up(&self, fault: &Fault) {
        let waiting = {
            let mut inner = self.lock();
            inner.way = Way::Down(fault.clone());
            std::mem::take(&mut inner.queue)
        };
        self.refuse(waiting, &unsent(fault));
    }

    /// Nobody will hand in anything any more.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let courier = inner.courier.clone();
        drop(inner);
        courier.wake();
    }

    /// There is no courier any more. What was sent may have been done all the same; what was not never will be.
    pub(super) fn end(&self) {
        let closed = Fault::new(FaultKind::Closed, HomeRuntime::ENDED);
        // Those who wait are not woken any more.
        let mut completions = Completions { is_deaf: true, ..Completions::default() };
        if self.process.is_forked() {
            self.lock().disown(&closed, &mut completions);
        } else {
            self.dial(&Fault::new(FaultKind::ConnectionLost, HomeRuntime::ENDED));
            self.give_up(&closed);
        }
        self.deliver(completions);
    }

    /// Whether nobody will hand in anything any more, and nothing waits.
    pub(super) fn is_done(&self) -> bool {
        let inner = self.lock();
        inner.closed && inner.queue.is_empty()
    }

    /// While something is unanswered: a number that grows with every turn and every answer.
    pub(super) fn progress_on_the_way(&self) -> Option<u64> {
        self.lock().connection().filter(|connection| !connection.is_idle()).map(|connection| connection.progress)
    }

    /// Lets grants through over this session, and over no other.
    pub(super) fn admit(&self, session: u64) {
        self.admitted.store(session, Ordering::Relaxed);
    }

    /// `listener` takes in the wakes of `locker` from now on.
    pub(super) fn listen(&self, node: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        let listeners = &mut self.lock().listeners;
        // A node that many lockers use one after another does not keep them all.
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
        if completions.wakes.is_empty() && !completions.is_deaf {
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
    /// This process has nothing to do with the connection any more. It is neither used nor closed: the process that it was copied from uses
    /// it, and both share what the system keeps of it.
    fn disown(&mut self, closed: &Fault, completions: &mut Completions) {
        completions.is_deaf = true;
        if let Way::Up(mut connection) = std::mem::replace(&mut self.way, Way::Down(closed.clone())) {
            for sent in connection.unanswered() {
                completions.fail(sent.answer, FaultKind::ConnectionLost);
            }
            std::mem::forget(connection);
        }
        let unsent = self.queue.drain(..).map(|pending| (pending.answer, Reply::Failed(closed.clone())));
        completions.answers.extend(unsent);
    }

    fn connection(&self) -> Option<&Connection> {
        match &self.way {
            Way::Up(connection) => Some(connection),
            _ => None,
        }
    }
}

/// The fault of a request that was certainly not sent, because of `fault`.
fn unsent(fault: &Fault) -> Fault {
    let kind = if fault.kind.never_sent() { fault.kind } else { FaultKind::Unreachable };
    Fault { kind, detail: fault.detail.clone() }
}

/// Takes a grant that was not sent yet out of the queue, because its release comes: nobody waits for it any more. Mostly it
/// is one of the last.
fn withdraw(queue: &mut VecDeque<PendingRequest>, holder: HolderId, completions: &mut Completions) -> bool {
    const LOOK_AT: usize = 64;
    let is_its = |pending: &PendingRequest| {
        matches!(pending.request.verb, Verb::Grant { .. }) && pending.request.subject.holder.id() == holder
    };
    let Some(back) = queue.iter().rev().take(LOOK_AT).position(is_its) else { return false };
    if let Some(grant) = queue.remove(queue.len() - 1 - back) {
        completions.fail(grant.answer, FaultKind::Withdrawn);
    }
    true
}
