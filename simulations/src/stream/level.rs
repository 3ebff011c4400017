//! [`StreamLevel`]: the harness's cluster as virtual servers on a network of bytes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use redfence::node::redis::{KeyStyle, Prefix, RedisNode, RedisNodeOptions};
use redfence::node::{Node, ReplySink, Responder, WakeListener};
use redfence::protocol::{Reply, Request, Subject, Verb, VerbKind};
use redfence::{Entropy, HolderId, LockState, LockerId, NodeId, QueueEntry, Resource, Waiter};
use redis::{ProtocolVersion, RedisConnectionInfo};

use super::byte_network::ByteNetwork;
use super::host::Host;
use super::mutant::alter;
use super::server::Server;
use super::socket::ProcessDialer;
use crate::harness::{Cluster, ForeignCommand, MachineClock, Process, ProcessSpawner, World, lock};
use crate::invariant::{Leftover, quiet, reserved_for_the_gone, reserved_for_too_long};
use crate::mutant::Mutant;
use crate::plan::{Fault, Memory, Plan, Terms};

/// Servers, and the network to them.
pub struct StreamLevel {
    me: Weak<Self>,
    world: Arc<World>,
    terms: Terms,
    faults_end_ms: u64,
    network: Arc<ByteNetwork>,
    hosts: Mutex<Vec<Host>>,
    /// Clients of another library do not know the native names of locks.
    prefix: Prefix,
    resources: Vec<Resource>,
    holders: Mutex<Holders>,
}

/// What holders have done.
#[derive(Default)]
struct Holders {
    /// When the first grant of each was sent.
    began: HashMap<HolderId, u64>,
    /// Holders whose release was sent.
    released: HashSet<HolderId>,
    /// Holders with a grant that took effect after its TTL.
    belated: HashSet<HolderId>,
}

impl StreamLevel {
    /// The servers of a plan.
    #[must_use]
    pub fn new(world: &Arc<World>, plan: &Plan, resources: &[Resource], mutant: Option<Mutant>) -> Arc<Self> {
        let style = if plan.foreign.is_empty() { KeyStyle::Native } else { KeyStyle::PLAIN };
        let prefix = Prefix::default().with_style(style);
        let hosts = (0..).zip(&plan.nodes).map(|(number, machine)| {
            let clock = MachineClock::new(world, *machine, false);
            let ahead = plan.ahead.get(usize::from(number)).copied().unwrap_or_default();
            Host::new(world, number, clock, (plan.bootstrap, ahead, plan.terms), &prefix, resources)
        });
        let hosts: Vec<Host> = hosts.collect();
        let servers: Vec<Server> = hosts.iter().map(|host| host.server.clone()).collect();
        for (server, mutant) in servers.iter().filter_map(|server| Some((server, mutant?))) {
            alter(server, mutant);
        }
        Arc::new_cyclic(|me: &Weak<Self>| {
            let level = me.clone();
            let after_work = move |node| {
                if let Some(level) = level.upgrade() {
                    let granted = level.look(node);
                    level.look_at_reservations(node, &granted);
                }
            };
            Self {
                me: me.clone(),
                world: Arc::clone(world),
                terms: plan.terms,
                faults_end_ms: u64::from(plan.faults_end_ms),
                network: ByteNetwork::new(world, servers, (plan.network, u64::from(plan.faults_end_ms)), after_work),
                hosts: Mutex::new(hosts),
                prefix,
                resources: resources.to_vec(),
                holders: Mutex::default(),
            }
        })
    }

    /// A server has handled requests. Returns the resources that it has granted, with their holders.
    fn look(&self, node: u8) -> Vec<(u8, String)> {
        let looked = self.with_host(node, |host| (host.look(), host.evicts_after_ms));
        let (granted, evicts_after_ms) = looked.unwrap_or_default();
        for ((resource, _), after_ms) in granted.iter().filter_map(|lock| Some((lock, evicts_after_ms?))) {
            let resource = *resource;
            self.when(after_ms, move |me| {
                me.with_host(node, |host| host.evict(resource));
            });
        }
        let mut holders = lock(&self.holders);
        for holder in granted.iter().filter_map(|(_, holder)| id_of(holder)) {
            let Some(began_ms) = holders.began.get(&holder) else { continue };
            let took_ms = self.world.now_ms() - began_ms;
            self.world.note(|| format!("n{node} granted {holder} after {took_ms} ms"));
            self.world.count(|seen| seen.late_grants += u64::from(took_ms > u64::from(self.terms.node_timeout_ms)));
            if took_ms >= u64::from(self.terms.ttl_ms) {
                holders.belated.insert(holder);
            }
        }
        granted
    }

    /// A server has handled one message, so it still knows which lockers it woke.
    fn look_at_reservations(&self, node: u8, granted: &[(u8, String)]) {
        for (number, value) in granted {
            let Some(entry) = value.strip_prefix(Waiter::RESERVED) else { continue };
            let Some(resource) = self.resources.get(usize::from(*number)) else { continue };
            let (is_there, lasts) =
                self.with_host(node, |host| host.reservation(resource, *number, entry)).unwrap_or((true, false));
            if !is_there {
                self.world.report(reserved_for_the_gone(node, resource, self.world.now_us()));
            }
            if lasts {
                self.world.report(reserved_for_too_long(node, resource, self.world.now_us()));
            }
        }
    }

    /// A request leaves its process.
    fn sent(&self, request: &Request) {
        let holder = request.subject.holder.id();
        let mut holders = lock(&self.holders);
        match &request.verb {
            Verb::Grant { .. } => drop(holders.began.entry(holder).or_insert_with(|| self.world.now_ms())),
            Verb::Release { .. } => drop(holders.released.insert(holder)),
            Verb::Extend { .. } if holders.released.contains(&holder) => {
                self.world.report(quiet(&request.subject.holder.to_string(), self.world.now_us()));
            }
            Verb::Seal { .. } => self.world.count(|seen| seen.seals += 1),
            Verb::Initialize(update) => self.world.count(|seen| seen.rests += u64::from(!update.rest.is_zero())),
            Verb::Activate { .. } => self.world.count(|seen| seen.activations += 1),
            _ => {}
        }
    }

    fn crash(&self, node: u8, down_ms: u32, memory: Memory) {
        let crashed = self.with_host(node, |host| host.up.then(|| host.crash(memory))).flatten();
        if crashed.is_some() {
            self.network.server_crashed(node);
            self.when(down_ms, move |me| {
                me.with_host(node, |host| host.start_again(memory));
                me.watch_memory();
            });
        }
    }

    fn hang(&self, node: u8, for_ms: u32) {
        self.with_host(node, |host| {
            host.hung += 1;
            host.server.hang();
        });
        self.when(for_ms, move |me| {
            let outputs = me.with_host(node, |host| {
                host.hung -= 1;
                if host.hung == 0 { host.server.go_on() } else { Vec::new() }
            });
            me.network.carry(node, outputs.unwrap_or_default());
            // Lockers that it woke may be gone already.
            drop(me.look(node));
        });
    }

    /// Calls `event` when a fault has lasted long enough, at the end of all faults at the latest.
    fn when(&self, for_ms: u32, event: impl FnOnce(&Self) + Send + 'static) {
        let Some(me) = self.me.upgrade() else { return };
        let ends_ms = (self.world.now_ms() + u64::from(for_ms)).min(self.faults_end_ms);
        self.world.at(ends_ms, 0, move || event(&me));
    }

    fn watch_memory(&self) {
        let hosts = lock(&self.hosts);
        self.world.watch_memory(hosts.iter().map(|host| (host.membership().0, host.flushed)));
    }

    fn with_host<T>(&self, node: u8, act: impl FnOnce(&mut Host) -> T) -> Option<T> {
        lock(&self.hosts).get_mut(usize::from(node)).map(act)
    }

    fn open_one(self: &Arc<Self>, process: &Arc<Process>, node: u8) -> Option<Arc<dyn Node>> {
        let dialer = ProcessDialer { network: Arc::clone(&self.network), process: Arc::clone(process), node };
        let timeout = Duration::from_millis(u64::from(self.terms.response_timeout_ms));
        let options = RedisNodeOptions {
            prefix: self.prefix.clone(),
            dial_timeout: timeout,
            response_timeout: timeout,
            entropy: Arc::new(Entropy::from_seed(self.world.random(crate::SeededRng::bits))),
            spawner: Arc::new(ProcessSpawner(Arc::clone(process))),
            ..RedisNodeOptions::default()
        };
        // Both versions of the protocol are used.
        let version =
            if (process.client + node).is_multiple_of(2) { ProtocolVersion::RESP3 } else { ProtocolVersion::RESP2 };
        let login = RedisConnectionInfo::default().set_protocol(version);
        let number = node;
        let node = RedisNode::over(Arc::new(dialer), format!("n{number}"), login, options).ok()?;
        Some(Arc::new(Watched { level: Arc::clone(self), number, node, listeners: Mutex::default() }))
    }
}

impl Cluster for StreamLevel {
    fn open(&self, process: &Arc<Process>) -> Vec<Arc<dyn Node>> {
        let Some(me) = self.me.upgrade() else { return Vec::new() };
        let nodes = u8::try_from(lock(&self.hosts).len()).unwrap_or(u8::MAX);
        (0..nodes).filter_map(|node| me.open_one(process, node)).collect()
    }

    fn died(&self, process: &Arc<Process>) {
        self.network.died(process);
    }

    fn reaches(&self, client: u8, node: u8) -> bool {
        self.with_host(node, |host| host.up).unwrap_or(false) && self.network.reaches(client, node)
    }

    fn strike(&self, fault: &Fault) {
        match *fault {
            Fault::Lossy { for_ms, .. } | Fault::Slow { for_ms, .. } | Fault::Partition { for_ms, .. } => {
                let number = self.network.with_conditions(|conditions| conditions.begin(*fault));
                self.when(for_ms, move |me| me.network.with_conditions(|conditions| conditions.end(number)));
            }
            Fault::Hang { node, for_ms } => self.hang(node, for_ms),
            Fault::Crash { node, down_ms, memory } => self.crash(node, down_ms, memory),
            Fault::Snapshot { node } => drop(self.with_host(node, Host::keep_snapshot)),
            Fault::Flush { node } => drop(self.with_host(node, Host::flush)),
            Fault::DropCounter { node, resource } => {
                self.with_host(node, |host| host.drop_counter(resource));
            }
            Fault::Evict { node, resource } => drop(self.with_host(node, |host| host.evict(resource))),
            Fault::Evicting { node, after_ms, for_ms } => {
                self.with_host(node, |host| host.evicts_after_ms = Some(after_ms));
                self.when(for_ms, move |me| {
                    me.with_host(node, |host| host.evicts_after_ms = None);
                });
            }
            Fault::NodeClock { node, by_ms } => drop(self.with_host(node, |host| host.step_clock(by_ms))),
            Fault::Pause { .. } | Fault::Reboot { .. } | Fault::ClientClock { .. } | Fault::SlowStore { .. } => {}
        }
        self.watch_memory();
    }

    fn end_faults(&self) {
        self.network.with_conditions(crate::harness::NetworkConditions::end_faults);
    }

    fn locks(&self) -> Vec<Leftover> {
        let (hosts, holders) = (lock(&self.hosts), lock(&self.holders));
        let mut found = Vec::new();
        for (node, host) in (0..).zip(hosts.iter()) {
            for holder in host.holders() {
                let belated = id_of(&holder).is_some_and(|id| holders.belated.contains(&id));
                found.push(Leftover { node, holder, excused: host.lingers || belated });
            }
        }
        found
    }

    fn foreign(&self, node: u8, resource: u8, value: &str, command: &ForeignCommand) -> Option<bool> {
        self.with_host(node, |host| host.foreign(resource, value, command)).flatten()
    }

    fn close(&self) {
        self.network.close_all();
    }

    fn began_ms(&self, holder: HolderId) -> Option<u64> {
        lock(&self.holders).began.get(&holder).copied()
    }
}

fn id_of(holder: &str) -> Option<HolderId> {
    holder.split(' ').next()?.parse().ok()
}

/// The real node, wrapped to observe what is sent.
struct Watched {
    level: Arc<StreamLevel>,
    number: u8,
    node: RedisNode,
    listeners: Mutex<Vec<Arc<dyn WakeListener>>>,
}

/// Takes in the answer to a waiter that leaves, and checks whether the lock is still reserved for it.
struct Leaving {
    level: Arc<StreamLevel>,
    node: u8,
    subject: Arc<Subject>,
    answer: Mutex<Option<Responder>>,
}

impl ReplySink for Leaving {
    fn deliver(&self, _: NodeId, _: VerbKind, reply: Reply) {
        let resource = &self.subject.resource;
        let at = self.level.resources.iter().position(|one| one == resource);
        let its = |value: &String| {
            let lock = LockState::of_value(value.as_bytes());
            lock.reserved_for().map(QueueEntry::waiter) == Some(self.subject.waiter)
        };
        if let (Reply::Left, Some(at)) = (&reply, at)
            && self.level.with_host(self.node, |host| host.holder_of(at)).flatten().is_some_and(|it| its(&it))
        {
            self.level.world.report(reserved_for_the_gone(self.node, resource, self.level.world.now_us()));
        }
        if let Some(answer) = lock(&self.answer).take() {
            answer.reply(reply);
        }
    }
}

/// Passes wakes on, and counts them.
struct Counting {
    world: Arc<World>,
    listener: Weak<dyn WakeListener>,
}

impl WakeListener for Counting {
    fn woken(&self, node: NodeId, resource: &Resource, after: Duration) {
        if let Some(listener) = self.listener.upgrade() {
            self.world.count(|seen| seen.wakes += 1);
            listener.woken(node, resource, after);
        }
    }

    fn receives_wakes(&self, node: NodeId, receives: bool) {
        if let Some(listener) = self.listener.upgrade() {
            listener.receives_wakes(node, receives);
        }
    }
}

impl Node for Watched {
    fn send(&self, request: Request, answer: Responder) {
        self.level.sent(&request);
        let answer = match (request.verb.clone(), NodeId::new(usize::from(self.number))) {
            (Verb::Leave, Some(id)) => {
                let (level, subject) = (Arc::clone(&self.level), Arc::clone(&request.subject));
                let leaving = Leaving { level, node: self.number, subject, answer: Mutex::new(Some(answer)) };
                Responder::to(Arc::new(leaving), id, VerbKind::Leave)
            }
            _ => answer,
        };
        self.node.send(request, answer);
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.level.world.count(|seen| seen.asked_again += 1);
        self.level.sent(&first.0);
        self.level.sent(&second.0);
        self.node.send_both(first, second);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        let counting: Arc<dyn WakeListener> = Arc::new(Counting { world: Arc::clone(&self.level.world), listener });
        self.node.listen(id, locker, Arc::downgrade(&counting));
        lock(&self.listeners).push(counting);
    }

    fn admit(&self, session: u64) {
        self.node.admit(session);
    }

    fn sessions(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        self.node.sessions()
    }

    fn address(&self) -> String {
        self.node.address()
    }
}
