//! [`NodeLevel`]: the shipped node state behind a simulated network, at the `Node` trait.

mod faults;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};

use redfence::node::{Answer, Node, Wake, WakeListener};
use redfence::protocol::{FaultKind, Reply, Request, Verb};
use redfence::{HolderId, LockerId, NodeId, Resource};

use super::clocks::MachineClock;
use super::link::{Letter, Link, Parcel};
use super::network_conditions::Weather;
use super::process::Process;
use super::server::Server;
use super::world::{World, lock};
use crate::invariant::{quiet, reserved_for_the_gone, reserved_for_too_long};
use crate::mutant::Mutant;
use crate::plan::{Plan, Terms, Way};

/// The nodes of one run and the network to them.
pub struct NodeLevel {
    me: Weak<Self>,
    world: Arc<World>,
    terms: Terms,
    calm_at_ms: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    servers: Vec<Server>,
    links: Vec<Link>,
    weather: Weather,
    /// When the first grant of each holder was sent.
    began: HashMap<HolderId, u64>,
    /// Holders whose release was sent.
    released: HashSet<HolderId>,
    /// Holders one of whose grants took effect after its time to live.
    belated: HashSet<HolderId>,
}

/// The longest time on the way after the calm.
const CALM_DELAY_MAX_MS: u64 = 10;

/// What is to be done once nothing is locked any more: answers may lead to further requests.
#[derive(Default)]
struct Afterwards {
    failed: Vec<(Answer, FaultKind)>,
    /// Whom connections that ended had woken.
    unsubscribed: Vec<(u8, LockerId)>,
}

impl NodeLevel {
    /// The nodes of a plan.
    #[must_use]
    pub fn new(world: &Arc<World>, plan: &Plan, resources: &[Resource], mutant: Option<Mutant>) -> Arc<Self> {
        let servers = (0..).zip(&plan.nodes).map(|(number, machine)| {
            let clock = MachineClock::new(world, *machine, false);
            let ahead = plan.ahead.get(usize::from(number)).copied().unwrap_or_default();
            Server::new(world, number, clock, (plan.founding, ahead), resources.to_vec(), mutant)
        });
        let inner = Inner {
            servers: servers.collect(),
            links: Vec::new(),
            weather: Weather::new(plan.air),
            began: HashMap::new(),
            released: HashSet::new(),
            belated: HashSet::new(),
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            world: Arc::clone(world),
            terms: plan.terms,
            calm_at_ms: u64::from(plan.calm_at_ms),
            inner: Mutex::new(inner),
        })
    }

    /// Sends requests in one message.
    fn send(&self, at: usize, requests: impl IntoIterator<Item = (Request, Answer)>) {
        let now_ms = self.world.now_ms();
        let mut afterwards = Afterwards::default();
        {
            let mut inner = lock(&self.inner);
            let Inner { servers, links, weather, began, released, .. } = &mut *inner;
            let Some(link) = links.get_mut(at) else { return };
            if self.world.is_over() || link.process.is_dead() {
                drop(inner);
                return requests.into_iter().for_each(drop);
            }
            let Some(server) = servers.get(usize::from(link.node)) else { return };
            let timeout_ms = u64::from(self.terms.response_timeout_ms);
            if link.open && link.waits_since_ms().is_some_and(|since_ms| since_ms + timeout_ms <= now_ms) {
                afterwards.hang_up(link);
            }
            if server.up && !link.open {
                link.dial();
            }
            let mut turn = Vec::new();
            for (request, answer) in requests {
                let holder = request.subject.holder.id();
                match request.verb {
                    Verb::Grant { .. } => drop(began.entry(holder).or_insert(now_ms)),
                    Verb::Release { .. } => drop(released.insert(holder)),
                    Verb::Extend { .. } if released.contains(&holder) => {
                        self.world.broken(quiet(&request.subject.holder.to_string(), self.world.now_us()));
                    }
                    _ => {}
                }
                self.world.note(|| tell(link, "->", &request.verb, &request));
                let is_grant = matches!(request.verb, Verb::Grant { .. });
                if !server.up {
                    afterwards.failed.push((answer, FaultKind::Unreachable));
                } else if is_grant && link.admitted != Some(link.session) {
                    afterwards.failed.push((answer, FaultKind::NotJoined));
                } else {
                    turn.push((link.expect(answer, now_ms), request));
                }
            }
            if !turn.is_empty() {
                let (session, life) = (link.session, server.life);
                let parcel = Parcel { link: at, session, life, sent_ms: now_ms, turn };
                self.post(link, weather, parcel, &mut afterwards);
            }
        }
        afterwards.finish(self);
    }

    /// Puts a message on its way, or not.
    fn post(&self, link: &mut Link, weather: &Weather, parcel: Parcel, afterwards: &mut Afterwards) {
        let air = weather.between(link.process.client, link.node);
        if link.mute {
            return;
        }
        match weather.cut(link.process.client, link.node, Way::There) {
            Some(true) => return link.held_there.push(parcel),
            Some(false) => return link.mute = true,
            None => {}
        }
        let (lost, story) = self.world.throw(|dice| (dice.per_mille(air.loss_per_mille), dice.below(4)));
        let arrives_ms = self.arrival(link.last_there_ms, air);
        if !lost {
            link.last_there_ms = arrives_ms;
            return self.deliver_at(arrives_ms, parcel);
        }
        match story {
            // Silence: nothing of this connection arrives any more.
            0 => link.mute = true,
            // The connection ends, and what was sent is gone with it; or sits in the old socket, and arrives late; or
            // arrives, and only the reply is lost.
            1 => afterwards.hang_up(link),
            2 => {
                let late_ms = self.world.throw(|dice| dice.skewed(2 * self.terms.ttl_ms));
                self.deliver_at(arrives_ms + u64::from(late_ms), parcel);
                afterwards.hang_up(link);
            }
            _ => {
                self.deliver_at(arrives_ms, parcel);
                afterwards.hang_up(link);
            }
        }
    }

    fn arrival(&self, not_before_ms: u64, air: crate::plan::Air) -> u64 {
        let (low, high) = air.latency_ms;
        let takes_ms = self.world.throw(|dice| {
            let tail_ms = if dice.per_mille(air.tail_per_mille) { dice.between(0, air.tail_ms) } else { 0 };
            dice.between(low, high) + tail_ms
        });
        not_before_ms.max(self.world.now_ms() + u64::from(takes_ms))
    }

    /// However late a request is, it does not arrive long after the calm: delays are bounded from then on.
    fn deliver_at(&self, arrives_ms: u64, parcel: Parcel) {
        let arrives_ms = arrives_ms.min(self.calm_at_ms.max(self.world.now_ms() + CALM_DELAY_MAX_MS));
        let (Some(me), tie) = (self.me.upgrade(), tie(parcel.link, arrives_ms)) else { return };
        self.world.at(arrives_ms, tie, move || me.arrived(parcel));
    }

    /// A message is there.
    fn arrived(&self, parcel: Parcel) {
        let mut inner = lock(&self.inner);
        let Inner { servers, links, weather, belated, .. } = &mut *inner;
        let Some(link) = links.get_mut(parcel.link) else { return };
        let Some(server) = servers.get_mut(usize::from(link.node)) else { return };
        if !server.up || server.life != parcel.life {
            return;
        }
        if server.hung > 0 {
            return server.backlog.push(parcel);
        }
        let Parcel { link: at, session, sent_ms, turn, .. } = parcel;
        let (took_ms, is_present) = (self.world.now_ms() - sent_ms, link.open && link.session == session);
        let requests: Vec<_> = turn.iter().map(|(_, request)| request.clone()).collect();
        for ((number, request), mut reply) in turn.into_iter().zip(server.apply_batch(&requests)) {
            if let Reply::Granted { .. } = reply {
                self.world.count(|seen| seen.late_grants += u64::from(took_ms > u64::from(self.terms.node_timeout_ms)));
                if let Some(after_ms) = server.evicts_after_ms {
                    self.evict_after(after_ms, link.node, &request.subject.resource);
                }
                if took_ms >= u64::from(self.terms.ttl_ms) {
                    belated.insert(request.subject.holder.id());
                }
            }
            if let Reply::Sighted(sight) = &mut reply {
                sight.session = session;
            }
            if let Verb::Grant { waits: Some(_), .. } = request.verb {
                let locker = request.subject.waiter.locker;
                if is_present {
                    link.subscribed.insert(locker);
                } else if !link.open || !link.subscribed.contains(&locker) {
                    // It came over a connection that has ended, and the server sees that.
                    server.disconnect(locker);
                }
            }
            self.world.note(|| tell(link, "==", &reply, &request));
            self.reply(link, weather, Letter { link: at, session, number, reply });
        }
        let node = link.node;
        if let Some(resource) = server.reserves_for_too_long(&requests) {
            self.world.broken(reserved_for_too_long(node, resource, self.world.now_us()));
        }
        if let Some(resource) = server.reserves_for_one_that_left(&requests) {
            self.world.broken(reserved_for_the_gone(node, resource, self.world.now_us()));
        }
        for wake in server.take_wakes() {
            self.pass_on(links, weather, node, &wake);
        }
    }

    /// A wake goes over the connection that stands, behind the replies that are on their way; or it is lost.
    fn pass_on(&self, links: &mut [Link], weather: &Weather, node: u8, wake: &Wake) {
        let mut links = links.iter_mut().enumerate();
        let its = links.find(|(_, link)| link.node == node && link.open && link.subscribed.contains(&wake.locker));
        if its.is_none() {
            self.world.broken(reserved_for_the_gone(node, &wake.resource, self.world.now_us()));
        }
        let Some((at, link)) = its.filter(|(_, link)| !link.mute) else { return };
        let (client, session) = (link.process.client, link.session);
        let air = weather.between(client, node);
        if weather.cut(client, node, Way::Back).is_some() || self.world.throw(|dice| dice.per_mille(air.loss_per_mille))
        {
            return;
        }
        let arrives_ms = self.arrival(link.last_back_ms, air);
        link.last_back_ms = arrives_ms;
        let (Some(me), wake) = (self.me.upgrade(), wake.clone()) else { return };
        self.world.at(arrives_ms, tie(at, arrives_ms), move || me.woken(at, session, &wake));
    }

    fn woken(&self, at: usize, session: u64, wake: &Wake) {
        let listeners: Vec<_> = match lock(&self.inner).links.get(at) {
            Some(link) if link.open && link.session == session => {
                let its = link.listeners.iter().filter(|(_, locker, _)| *locker == wake.locker);
                its.filter_map(|(id, _, listener)| Some((*id, listener.upgrade()?))).collect()
            }
            _ => return,
        };
        self.world.count(|seen| seen.notices += listeners.len() as u64);
        listeners.into_iter().for_each(|(id, listener)| listener.woken(id, &wake.resource, wake.after));
    }

    /// Puts a reply on its way back, or not.
    fn reply(&self, link: &mut Link, weather: &Weather, letter: Letter) {
        if letter.session != link.session || !link.open || link.mute {
            return;
        }
        match weather.cut(link.process.client, link.node, Way::Back) {
            Some(true) => return link.held_back.push(letter),
            Some(false) => return link.mute = true,
            None => {}
        }
        let arrives_ms = self.arrival(link.last_back_ms, weather.between(link.process.client, link.node));
        link.last_back_ms = arrives_ms;
        let (Some(me), tie) = (self.me.upgrade(), tie(letter.link, arrives_ms)) else { return };
        self.world.at(arrives_ms, tie, move || me.answered(letter));
    }

    /// A reply is there.
    fn answered(&self, letter: Letter) {
        let answer = {
            let mut inner = lock(&self.inner);
            let Some(link) = inner.links.get_mut(letter.link) else { return };
            if link.session != letter.session || !link.open {
                return;
            }
            link.answer_to(letter.number)
        };
        if let Some(answer) = answer {
            answer.reply(letter.reply);
        }
    }

    /// Some blow to the network has ended: what was held back goes on.
    fn let_go(&self, inner: &mut Inner) {
        let Inner { links, weather, .. } = inner;
        for link in links {
            let (client, node) = (link.process.client, link.node);
            if weather.cut(client, node, Way::There).is_none() {
                for parcel in std::mem::take(&mut link.held_there) {
                    let arrives_ms = self.arrival(link.last_there_ms, weather.between(client, node));
                    link.last_there_ms = arrives_ms;
                    self.deliver_at(arrives_ms, parcel);
                }
            }
            if weather.cut(client, node, Way::Back).is_none() {
                for letter in std::mem::take(&mut link.held_back) {
                    self.reply(link, weather, letter);
                }
            }
        }
    }
}

/// One process's way to one node.
struct Road {
    level: Arc<NodeLevel>,
    link: usize,
    node: u8,
}

impl Node for Road {
    fn send(&self, request: Request, answer: Answer) {
        self.level.send(self.link, [(request, answer)]);
    }

    fn send_both(&self, first: (Request, Answer), second: (Request, Answer)) {
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

impl Afterwards {
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

/// Of what arrives at one instant, connections take turns that differ from one instant to the next; each stays in order.
fn tie(link: usize, at_ms: u64) -> u64 {
    let mixed = (at_ms ^ (link as u64) << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    1 + (mixed >> 32)
}

fn tell(link: &Link, sign: &str, what: &dyn std::fmt::Debug, request: &Request) -> String {
    let Process { client, life, .. } = &*link.process;
    let holder = request.subject.holder.id();
    format!("c{client}.{life} {sign} n{} {holder:?} {what:?}", link.node)
}
