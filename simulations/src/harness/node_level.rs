//! [`NodeLevel`]: the shipped node state behind a simulated network, at the `Node` trait.

mod faults;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};

use redfence::node::{Node, Responder, Wake, WakeListener};
use redfence::protocol::{FaultKind, Reply, Request, Verb};
use redfence::{HolderId, LockerId, NodeId, Resource};

use super::clocks::MachineClock;
use super::link::{InFlightBatch, InFlightReply, Link};
use super::network_conditions::NetworkConditions;
use super::process::Process;
use super::server::Server;
use super::world::{World, lock, tie};
use crate::invariant::{quiet, reserved_for_the_gone, reserved_for_too_long};
use crate::mutant::Mutant;
use crate::plan::{Direction, NetworkProfile, Plan, Terms};

/// The nodes of one run and the network to them.
pub struct NodeLevel {
    me: Weak<Self>,
    world: Arc<World>,
    terms: Terms,
    faults_end_ms: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    servers: Vec<Server>,
    links: Vec<Link>,
    conditions: NetworkConditions,
    /// When the first grant of each holder was sent.
    began: HashMap<HolderId, u64>,
    /// Holders whose release was sent.
    released: HashSet<HolderId>,
    /// Holders with a grant that took effect after its TTL.
    belated: HashSet<HolderId>,
}

/// The longest delay of a message after the end of the faults.
const DELAY_AFTER_FAULTS_MAX_MS: u64 = 10;

/// Work to do after the locks are dropped, because answers may lead to further requests.
#[derive(Default)]
struct DeferredReplies {
    failed: Vec<(Responder, FaultKind)>,
    /// Lockers to wake because of connections that ended.
    unsubscribed: Vec<(u8, LockerId)>,
}

impl NodeLevel {
    /// The nodes of a plan.
    #[must_use]
    pub fn new(world: &Arc<World>, plan: &Plan, resources: &[Resource], mutant: Option<Mutant>) -> Arc<Self> {
        let servers = (0..).zip(&plan.nodes).map(|(number, machine)| {
            let clock = MachineClock::new(world, *machine, false);
            let ahead = plan.ahead.get(usize::from(number)).copied().unwrap_or_default();
            Server::new(world, number, clock, (plan.bootstrap, ahead), resources.to_vec(), mutant)
        });
        let inner = Inner {
            servers: servers.collect(),
            links: Vec::new(),
            conditions: NetworkConditions::new(plan.network),
            began: HashMap::new(),
            released: HashSet::new(),
            belated: HashSet::new(),
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            world: Arc::clone(world),
            terms: plan.terms,
            faults_end_ms: u64::from(plan.faults_end_ms),
            inner: Mutex::new(inner),
        })
    }

    /// Sends requests in one message.
    fn send(&self, at: usize, requests: impl IntoIterator<Item = (Request, Responder)>) {
        let now_ms = self.world.now_ms();
        let mut deferred = DeferredReplies::default();
        {
            let mut inner = lock(&self.inner);
            let Inner { servers, links, conditions, began, released, .. } = &mut *inner;
            let Some(link) = links.get_mut(at) else { return };
            if self.world.is_over() || link.process.is_dead() {
                drop(inner);
                return requests.into_iter().for_each(drop);
            }
            let Some(server) = servers.get(usize::from(link.node)) else { return };
            if server.up && !link.open {
                link.dial();
            }
            let mut accepted = Vec::new();
            for (request, answer) in requests {
                let holder = request.subject.holder.id();
                match request.verb {
                    Verb::Grant { .. } => drop(began.entry(holder).or_insert(now_ms)),
                    Verb::Release { .. } => drop(released.insert(holder)),
                    Verb::Extend { .. } if released.contains(&holder) => {
                        self.world.report(quiet(&request.subject.holder.to_string(), self.world.now_us()));
                    }
                    _ => {}
                }
                self.world.note(|| trace_line(link, "->", &request.verb, &request));
                let is_grant = matches!(request.verb, Verb::Grant { .. });
                if !server.up {
                    deferred.failed.push((answer, FaultKind::Unreachable));
                } else if is_grant && link.admitted != Some(link.session) {
                    deferred.failed.push((answer, FaultKind::NotJoined));
                } else {
                    accepted.push((link.expect(answer, now_ms), request));
                }
            }
            if !accepted.is_empty() {
                self.watch(at, link);
                let (session, life) = (link.session, server.life);
                let batch = InFlightBatch { link: at, session, life, sent_ms: now_ms, requests: accepted };
                self.post(link, conditions, batch, &mut deferred);
            }
        }
        deferred.finish(self);
    }

    /// From now on notices if a request of this connection has no answer for too long, even if nothing more is sent.
    fn watch(&self, at: usize, link: &mut Link) {
        let Some(since_ms) = link.waits_since_ms().filter(|_| !link.watched && !link.process.is_dead()) else { return };
        link.watched = true;
        let timeout_ms = u64::from(self.terms.response_timeout_ms);
        let due_ms = (since_ms + timeout_ms).max(self.world.now_ms() + timeout_ms / 4);
        let Some(me) = self.me.upgrade() else { return };
        self.world.at(due_ms, 0, move || me.check_answers(at));
    }

    /// Ends a connection whose oldest request has had no answer for the response timeout. A paused process checks
    /// later.
    fn check_answers(&self, at: usize) {
        let mut deferred = DeferredReplies::default();
        {
            let mut inner = lock(&self.inner);
            let Some(link) = inner.links.get_mut(at) else { return };
            link.watched = false;
            let due_ms = link.waits_since_ms().map(|since_ms| since_ms + u64::from(self.terms.response_timeout_ms));
            if due_ms.is_some_and(|due_ms| due_ms <= self.world.now_ms()) && !link.process.is_paused() {
                deferred.hang_up(link);
            }
            self.watch(at, link);
        }
        deferred.finish(self);
    }

    /// Sends a message, or loses it.
    fn post(
        &self,
        link: &mut Link,
        conditions: &NetworkConditions,
        batch: InFlightBatch,
        deferred: &mut DeferredReplies,
    ) {
        let network = conditions.between(link.process.client, link.node);
        if link.mute {
            return;
        }
        match conditions.partition(link.process.client, link.node, Direction::ToNode) {
            Some(true) => return link.held_requests.push(batch),
            Some(false) => return link.mute = true,
            None => {}
        }
        let (lost, story) = self.world.random(|rng| (rng.per_mille(network.loss_per_mille), rng.below(4)));
        let arrives_ms = self.arrival(link.last_request_ms, network);
        if !lost {
            link.last_request_ms = arrives_ms;
            return self.deliver_at(arrives_ms, batch);
        }
        match story {
            // Silence: nothing of this connection arrives any more.
            0 => link.mute = true,
            // The connection ends. What was sent is lost; or it stays in the old socket and arrives late; or it
            // arrives, and only the reply is lost.
            1 => deferred.hang_up(link),
            2 => {
                let late_ms = self.world.random(|rng| rng.skewed(2 * self.terms.ttl_ms));
                self.deliver_at(arrives_ms + u64::from(late_ms), batch);
                deferred.hang_up(link);
            }
            _ => {
                self.deliver_at(arrives_ms, batch);
                deferred.hang_up(link);
            }
        }
    }

    fn arrival(&self, not_before_ms: u64, network: NetworkProfile) -> u64 {
        let takes_ms = self.world.random(|rng| network.latency(rng));
        not_before_ms.max(self.world.now_ms() + u64::from(takes_ms))
    }

    /// Even a late request does not arrive long after the end of the faults: from then on delays are bounded.
    fn deliver_at(&self, arrives_ms: u64, batch: InFlightBatch) {
        let arrives_ms = arrives_ms.min(self.faults_end_ms.max(self.world.now_ms() + DELAY_AFTER_FAULTS_MAX_MS));
        let (Some(me), tie) = (self.me.upgrade(), tie(batch.link as u64, arrives_ms)) else { return };
        self.world.at(arrives_ms, tie, move || me.arrived(batch));
    }

    /// A message has arrived.
    fn arrived(&self, batch: InFlightBatch) {
        let mut inner = lock(&self.inner);
        let Inner { servers, links, conditions, belated, .. } = &mut *inner;
        let Some(link) = links.get_mut(batch.link) else { return };
        let Some(server) = servers.get_mut(usize::from(link.node)) else { return };
        if !server.up || server.life != batch.life {
            return;
        }
        if server.hung > 0 {
            return server.backlog.push(batch);
        }
        let InFlightBatch { link: at, session, sent_ms, requests: numbered, .. } = batch;
        let (took_ms, is_present) = (self.world.now_ms() - sent_ms, link.open && link.session == session);
        let requests: Vec<_> = numbered.iter().map(|(_, request)| request.clone()).collect();
        for ((number, request), mut reply) in numbered.into_iter().zip(server.apply_batch(&requests)) {
            if let Reply::Granted { .. } = reply {
                self.world.count(|seen| seen.late_grants += u64::from(took_ms > u64::from(self.terms.node_timeout_ms)));
                if let Some(after_ms) = server.evicts_after_ms {
                    self.evict_after(after_ms, link.node, &request.subject.resource);
                }
                if took_ms >= u64::from(self.terms.ttl_ms) {
                    belated.insert(request.subject.holder.id());
                }
            }
            if let Reply::Reported(report) = &mut reply {
                report.session = session;
            }
            if let Verb::Grant { waits: Some(_), .. } = request.verb {
                let locker = request.subject.waiter.locker;
                if is_present {
                    link.subscribed.insert(locker);
                } else if !link.open || !link.subscribed.contains(&locker) {
                    // Its connection has ended, and the server sees that.
                    server.disconnect(locker);
                }
            }
            self.world.note(|| trace_line(link, "==", &reply, &request));
            self.reply(link, conditions, InFlightReply { link: at, session, number, reply });
        }
        let node = link.node;
        if let Some(resource) = server.reserves_for_too_long(&requests) {
            self.world.report(reserved_for_too_long(node, resource, self.world.now_us()));
        }
        if let Some(resource) = server.reserves_for_one_that_left(&requests) {
            self.world.report(reserved_for_the_gone(node, resource, self.world.now_us()));
        }
        for wake in server.take_wakes() {
            self.pass_on(links, conditions, node, &wake);
        }
    }

    /// A wake goes over the current connection, behind the replies on their way; or it is lost.
    fn pass_on(&self, links: &mut [Link], conditions: &NetworkConditions, node: u8, wake: &Wake) {
        let mut links = links.iter_mut().enumerate();
        let its = links.find(|(_, link)| link.node == node && link.open && link.subscribed.contains(&wake.locker));
        if its.is_none() {
            self.world.report(reserved_for_the_gone(node, &wake.resource, self.world.now_us()));
        }
        let Some((at, link)) = its.filter(|(_, link)| !link.mute) else { return };
        let (client, session) = (link.process.client, link.session);
        let network = conditions.between(client, node);
        if conditions.partition(client, node, Direction::ToClient).is_some()
            || self.world.random(|rng| rng.per_mille(network.loss_per_mille))
        {
            return;
        }
        let arrives_ms = self.arrival(link.last_reply_ms, network);
        link.last_reply_ms = arrives_ms;
        let (Some(me), wake) = (self.me.upgrade(), wake.clone()) else { return };
        self.world.at(arrives_ms, tie(at as u64, arrives_ms), move || me.woken(at, session, &wake));
    }

    fn woken(&self, at: usize, session: u64, wake: &Wake) {
        let listeners: Vec<_> = match lock(&self.inner).links.get(at) {
            Some(link) if link.open && link.session == session => {
                let its = link.listeners.iter().filter(|(_, locker, _)| *locker == wake.locker);
                its.filter_map(|(id, _, listener)| Some((*id, listener.upgrade()?))).collect()
            }
            _ => return,
        };
        self.world.count(|seen| seen.wakes += listeners.len() as u64);
        listeners.into_iter().for_each(|(id, listener)| listener.woken(id, &wake.resource, wake.after));
    }

    /// Sends a reply, or loses it.
    fn reply(&self, link: &mut Link, conditions: &NetworkConditions, in_flight: InFlightReply) {
        if in_flight.session != link.session || !link.open || link.mute {
            return;
        }
        match conditions.partition(link.process.client, link.node, Direction::ToClient) {
            Some(true) => return link.held_replies.push(in_flight),
            Some(false) => return link.mute = true,
            None => {}
        }
        let arrives_ms = self.arrival(link.last_reply_ms, conditions.between(link.process.client, link.node));
        link.last_reply_ms = arrives_ms;
        let (Some(me), tie) = (self.me.upgrade(), tie(in_flight.link as u64, arrives_ms)) else { return };
        self.world.at(arrives_ms, tie, move || me.answered(in_flight));
    }

    /// A reply has arrived.
    fn answered(&self, in_flight: InFlightReply) {
        let answer = {
            let mut inner = lock(&self.inner);
            let Some(link) = inner.links.get_mut(in_flight.link) else { return };
            if link.session != in_flight.session || !link.open {
                return;
            }
            link.answer_to(in_flight.number)
        };
        if let Some(answer) = answer {
            answer.reply(in_flight.reply);
        }
    }

    /// A fault of the network has ended: messages that were held back go on.
    fn let_go(&self, inner: &mut Inner) {
        let Inner { links, conditions, .. } = inner;
        for link in links {
            let (client, node) = (link.process.client, link.node);
            if conditions.partition(client, node, Direction::ToNode).is_none() {
                for batch in std::mem::take(&mut link.held_requests) {
                    let arrives_ms = self.arrival(link.last_request_ms, conditions.between(client, node));
                    link.last_request_ms = arrives_ms;
                    self.deliver_at(arrives_ms, batch);
                }
            }
            if conditions.partition(client, node, Direction::ToClient).is_none() {
                for in_flight in std::mem::take(&mut link.held_replies) {
                    self.reply(link, conditions, in_flight);
                }
            }
        }
    }
}

/// A node as one process uses it.
struct NodeProxy {
    level: Arc<NodeLevel>,
    link: usize,
    node: u8,
}

impl Node for NodeProxy {
    fn send(&self, request: Request, answer: Responder) {
        self.level.send(self.link, [(request, answer)]);
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.level.world.count(|seen| seen.asked_again += 1);
        self.level.send(self.link, [first, second]);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        if let Some(link) = lock(&self.level.inner).links.get_mut(self.link) {
            link.listeners.push((id, locker, listener));
        }
    }

    fn admit(&self, session: u64) {
        if let Some(link) = lock(&self.level.inner).links.get_mut(self.link) {
            link.admitted = Some(session);
        }
    }

    fn sessions(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        lock(&self.level.inner).links.get(self.link).map(|link| link.sessions.subscribe())
    }

    fn address(&self) -> String {
        format!("n{}", self.node)
    }
}

impl DeferredReplies {
    fn hang_up(&mut self, link: &mut Link) {
        let node = link.node;
        self.unsubscribed.extend(std::mem::take(&mut link.subscribed).into_iter().map(|locker| (node, locker)));
        self.failed.extend(link.hang_up().into_iter().map(|answer| (answer, FaultKind::ConnectionLost)));
    }

    fn finish(self, level: &NodeLevel) {
        for (node, locker) in self.unsubscribed {
            if let Some(server) = lock(&level.inner).servers.get_mut(usize::from(node)) {
                server.disconnect(locker);
            }
        }
        for (answer, kind) in self.failed {
            answer.fail(kind, "");
        }
    }
}

fn trace_line(link: &Link, sign: &str, what: &dyn std::fmt::Debug, request: &Request) -> String {
    let Process { client, life, .. } = &*link.process;
    let holder = request.subject.holder.id();
    format!("c{client}.{life} {sign} n{} {holder:?} {what:?}", link.node)
}
