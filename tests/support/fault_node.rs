//! A node whose requests and replies a test loses, holds back or delays.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redfence::node::{Node, Responder, WakeListener};
use redfence::protocol::{FaultKind, LockView, Reply, Request, Subject, Verb};
use redfence::{Clock, EmbeddedNode, Holder, LockerId, NodeId, Resource};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It arrives, and so does its reply.
    Through,
    /// It is not sent, and the caller gets *unreachable*.
    Unreachable,
    /// The node answers that the caller may not ask for that.
    Forbidden,
    /// It does not arrive; the caller gets *connection lost*.
    RequestLost,
    /// It arrives; the caller gets *connection lost*.
    ReplyLost,
    /// It arrives when the test says [`FaultNode::deliver_held`].
    RequestHeld,
    /// It arrives; its reply waits for [`FaultNode::answer_held`].
    ReplyHeld,
    /// It arrives after `there`, and its reply comes after another `back`. Delayed requests stay in order.
    Delayed { there: Duration, back: Duration },
}

/// An embedded node behind a network that the test controls. Clones are the same node.
#[derive(Clone)]
pub struct FaultNode(Arc<Inside>);

struct Inside {
    node: EmbeddedNode,
    clock: Arc<dyn Clock>,
    network: Mutex<Network>,
}

struct Network {
    rule: Box<dyn Fn(&Request) -> Delivery + Send>,
    held_requests: VecDeque<(Request, Responder)>,
    held_replies: VecDeque<(Reply, Responder)>,
    sent: Vec<Request>,
    applied: Vec<(Request, Reply)>,
    slow_line: Option<mpsc::UnboundedSender<Parcel>>,
    is_deaf: bool,
}

/// A request that is on its way for a while.
struct Parcel {
    request: Request,
    answer: Responder,
    arrives: Instant,
    back: Duration,
}

impl FaultNode {
    pub fn on(clock: Arc<dyn Clock>) -> Self {
        let network = Network {
            rule: Box::new(|_| Delivery::Through),
            held_requests: VecDeque::new(),
            held_replies: VecDeque::new(),
            sent: Vec::new(),
            applied: Vec::new(),
            slow_line: None,
            is_deaf: false,
        };
        Self(Arc::new(Inside { node: EmbeddedNode::on(Arc::clone(&clock)), clock, network: Mutex::new(network) }))
    }

    /// The delivery of every request from now on. Held requests stay held, and others may overtake them.
    pub fn delivery(&self, delivery: Delivery) {
        self.rule(move |_| delivery);
    }

    /// A delivery for each request from now on.
    pub fn rule(&self, rule: impl Fn(&Request) -> Delivery + Send + 'static) {
        self.network().rule = Box::new(rule);
    }

    /// A delivery for the requests of one kind; the others get through.
    pub fn delivery_of(&self, kind: fn(&Verb) -> bool, delivery: Delivery) {
        self.rule(move |request| if kind(&request.verb) { delivery } else { Delivery::Through });
    }

    /// From now on the node delivers no wakes, and its listeners know that, as if subscribing were forbidden.
    pub fn make_deaf(&self) {
        self.network().is_deaf = true;
    }

    /// The connections of the lockers with this label have ended.
    pub fn disconnect(&self, label: &str) {
        let sent = self.sent();
        let its = sent.iter().filter(|request| request.subject.holder.label().as_str() == label);
        self.0.node.with_state(|state| its.for_each(|request| state.disconnect(request.subject.waiter.locker)));
    }

    /// Held requests arrive now, in their order, and are answered. Returns how many.
    pub fn deliver_held(&self) -> usize {
        let held = std::mem::take(&mut self.network().held_requests);
        let count = held.len();
        for (request, answer) in held {
            let reply = self.apply(request);
            answer.reply(reply);
        }
        count
    }

    /// Held replies come back now. Returns how many.
    pub fn answer_held(&self) -> usize {
        let held = std::mem::take(&mut self.network().held_replies);
        let count = held.len();
        for (reply, answer) in held {
            answer.reply(reply);
        }
        count
    }

    /// Held requests are lost, and their callers get *connection lost*.
    pub fn lose_held(&self) {
        let (requests, replies) = {
            let mut network = self.network();
            (std::mem::take(&mut network.held_requests), std::mem::take(&mut network.held_replies))
        };
        drop((requests, replies));
    }

    /// Everything that was ever sent, arrived or not.
    pub fn sent(&self) -> Vec<Request> {
        self.network().sent.clone()
    }

    /// How many requests of this kind were ever sent.
    pub fn count_sent(&self, kind: fn(&Verb) -> bool) -> usize {
        self.network().sent.iter().filter(|request| kind(&request.verb)).count()
    }

    /// Everything that arrived, with its reply.
    pub fn applied(&self) -> Vec<(Request, Reply)> {
        self.network().applied.clone()
    }

    /// Asks the node itself, without the network.
    pub fn do_at_once(&self, subject: &Arc<Subject>, verb: Verb) -> Reply {
        let request = Request { subject: Arc::clone(subject), verb };
        self.0.node.with_state(|state| state.apply(self.0.clock.wall(), &request))
    }

    /// Another holder's lock, without any locker.
    pub fn occupy(&self, resource: &str, holder: &Holder, ttl: Duration) {
        let subject = subject(resource, holder);
        let reply = self.do_at_once(&subject, Verb::Grant { ttl, floor: 0, block: 1, waits: None });
        assert!(matches!(reply, Reply::Granted { .. }), "{resource} was not free: {reply:?}");
    }

    /// The lock of a program that is not redfence, without a time to live.
    pub fn occupy_without_end(&self, resource: &str, value: &[u8]) {
        let (resource, now) = (Resource::new(resource).unwrap(), self.0.clock.wall());
        assert!(self.0.node.with_state(|state| state.occupy(now, &resource, value, None)), "{resource} was not free");
    }

    /// The node's view of a resource.
    pub fn view(&self, resource: &str) -> LockView {
        match self.do_at_once(&subject(resource, &holder("nobody", 0)), Verb::Inspect) {
            Reply::Inspected(view) => view,
            other => panic!("{other:?} instead of a view"),
        }
    }

    pub fn is_free(&self, resource: &str) -> bool {
        self.view(resource).lock.is_free()
    }

    /// The lock vanishes, as if evicted or deleted by hand.
    pub fn drop_lock(&self, resource: &str) {
        self.0.node.with_state(|state| state.drop_lock(&Resource::new(resource).unwrap()));
    }

    pub fn set_counter(&self, resource: &str, counter: u64) {
        self.0.node.with_state(|state| state.set_counter(Resource::new(resource).unwrap().slot(), counter));
    }

    fn apply(&self, mut request: Request) -> Reply {
        if let (true, Verb::Grant { waits, .. }) = (self.network().is_deaf, &mut request.verb) {
            *waits = None;
        }
        let reply = self.0.node.apply(&request);
        self.network().applied.push((request, reply.clone()));
        reply
    }

    fn send_slowly(&self, request: Request, answer: Responder, there: Duration, back: Duration) {
        let parcel = Parcel { request, answer, arrives: after(there), back };
        let mut network = self.network();
        let line = network.slow_line.get_or_insert_with(|| self.open_slow_line());
        let Ok(()) = line.send(parcel) else { panic!("the slow line ended before its test") };
    }

    fn open_slow_line(&self) -> mpsc::UnboundedSender<Parcel> {
        let (sender, mut parcels) = mpsc::unbounded_channel::<Parcel>();
        let (way_back, mut replies) = mpsc::unbounded_channel::<(Instant, Reply, Responder)>();
        let node = self.clone();
        tokio::spawn(async move {
            while let Some(Parcel { request, answer, arrives, back }) = parcels.recv().await {
                tokio::time::sleep_until(arrives).await;
                let reply = node.apply(request);
                let _ = way_back.send((after(back), reply, answer));
            }
        });
        tokio::spawn(async move {
            while let Some((due, reply, answer)) = replies.recv().await {
                tokio::time::sleep_until(due).await;
                answer.reply(reply);
            }
        });
        sender
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.0.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node for FaultNode {
    fn send(&self, request: Request, answer: Responder) {
        // Probes get through: the faults here are for leases.
        if matches!(request.verb, Verb::Probe { .. } | Verb::Initialize { .. } | Verb::Activate { .. }) {
            return self.0.node.send(request, answer);
        }
        let delivery = {
            let mut network = self.network();
            network.sent.push(request.clone());
            (network.rule)(&request)
        };
        match delivery {
            Delivery::Through => answer.reply(self.apply(request)),
            Delivery::Unreachable => answer.fail(FaultKind::Unreachable, "nobody listens"),
            Delivery::Forbidden => answer.fail(FaultKind::NoPermission, "not for this user"),
            Delivery::RequestLost => drop(answer),
            Delivery::ReplyLost => {
                self.apply(request);
                drop(answer);
            }
            Delivery::RequestHeld => self.network().held_requests.push_back((request, answer)),
            Delivery::ReplyHeld => {
                let reply = self.apply(request);
                self.network().held_replies.push_back((reply, answer));
            }
            Delivery::Delayed { there, back } => self.send_slowly(request, answer, there, back),
        }
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        let gets_through = |request: &Request| (self.network().rule)(request) == Delivery::Through;
        if !gets_through(&first.0) || !gets_through(&second.0) {
            self.send(first.0, first.1);
            return self.send(second.0, second.1);
        }
        self.network().sent.extend([first.0.clone(), second.0.clone()]);
        let requests = [first.0, second.0];
        let replies = self.0.node.apply_batch(&requests);
        self.network().applied.extend(requests.into_iter().zip(replies.iter().cloned()));
        [first.1, second.1].into_iter().zip(replies).for_each(|(answer, reply)| answer.reply(reply));
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.0.node.listen(id, locker, listener);
    }

    fn admit(&self, _: u64) {}

    fn address(&self) -> String {
        "embedded behind a network".to_owned()
    }
}

/// A holder that the test makes.
pub fn holder(label: &str, id: u128) -> Holder {
    Holder::new(redfence::HolderId::from_random(id), label.parse().unwrap())
}

pub fn subject(resource: &str, holder: &Holder) -> Arc<Subject> {
    Arc::new(Subject::new(Resource::new(resource).unwrap(), holder.clone()))
}

pub fn is_grant(verb: &Verb) -> bool {
    matches!(verb, Verb::Grant { .. })
}

pub fn is_extend(verb: &Verb) -> bool {
    matches!(verb, Verb::Extend { .. })
}

pub fn is_release(verb: &Verb) -> bool {
    verb.is_release()
}

#[expect(clippy::disallowed_methods, reason = "the delay of a network, on whatever time the test runs")]
fn after(delay: Duration) -> Instant {
    Instant::now() + delay
}
