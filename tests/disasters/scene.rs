//! One run: contenders that take turns, one holder that lives through the disaster, and two halves of a network.
//!
//! The holder reaches the first majority of the nodes only, the contenders the last one only. The node in the middle is
//! in both, and only its memory keeps two holders apart.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redfence::node::redis::{Address, RedisNode, RedisNodeOptions};
use redfence::node::{Node, Responder, WakeListener, ask};
use redfence::protocol::{Reply, Request, Verb};
use redfence::{Builder, ConnectError, Entropy, Guard, HandOver, LockerId, Moment, NodeCondition, NodeId, Redlock};
use tokio::sync::RwLock;
use tokio::task::{JoinSet, block_in_place};

use super::fault::{Fault, found};
use super::log::{Findings, Log, Tenure, now};
use crate::support::deadline::{Deadline, eventually};
use crate::support::set::counter_of;
use crate::support::{Proxy, RedisServer};

pub const RESOURCE: &str = "the room";
pub const TTL: Duration = Duration::from_millis(1_500);
pub const MAX_TTL: Duration = TTL;

const NODE_TIMEOUT: Duration = Duration::from_millis(150);
const SLOW_NODE_TIMEOUT: Duration = Duration::from_millis(700);
const DELAY: Duration = Duration::from_millis(500);
const CONTENDERS: u64 = 3;
const LEASES_BEFORE: usize = 9;
const LEASES_AFTER: usize = 9;
/// How many leases the holder takes before the one that counts. So its counters are ahead of the others'.
const TURNS_AHEAD: usize = 40;
const RESETS: usize = 120;
const LIMIT: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(20);

/// The servers and networks of a run.
pub struct Scene {
    pub servers: Vec<RedisServer>,
    /// The network of the holder.
    near: Vec<Proxy>,
    /// The network of the contenders.
    far: Vec<Proxy>,
    pub counters_before: Vec<u64>,
    pub tail: Option<(PathBuf, u64)>,
    pub replica: Option<(RedisServer, Proxy)>,
}

impl Scene {
    fn set(fault: Fault, nodes: usize) -> Self {
        let servers: Vec<RedisServer> = (0..nodes).map(|_| fault.server()).collect();
        servers.iter().for_each(found);
        let proxies = || servers.iter().map(|server| Proxy::in_front_of(server.port())).collect();
        let (near, far) = (proxies(), proxies());
        Self { servers, near, far, counters_before: Vec::new(), tail: None, replica: None }
    }

    /// The one node of both majorities.
    pub fn middle(&self) -> usize {
        self.servers.len() / 2
    }

    fn cut_off_the_holder(&self) {
        self.near[self.middle() + 1..].iter().for_each(cut);
    }

    fn cut_off_the_contenders(&self) {
        self.far[..self.middle()].iter().for_each(cut);
    }

    fn heal(&self) {
        self.near.iter().chain(&self.far).for_each(|proxy| {
            proxy.blackhole(false);
            proxy.set_delay_to_client(Duration::ZERO);
        });
    }

    fn read_counters(&mut self) {
        let key = counter_of(RESOURCE);
        self.counters_before = self.servers.iter().map(|s| s.command(&["GET", &key]).parse().unwrap()).collect();
    }

    /// No locker probes the victims meanwhile. Afterwards they are as careless operators left them.
    async fn strike(&mut self, fault: Fault, protected: bool) {
        if protected {
            return fault.strike(self).await;
        }
        let victims = fault.victims(self);
        victims.iter().for_each(|at| [&self.near[*at], &self.far[*at]].into_iter().for_each(cut));
        fault.strike(self).await;
        fault.careless(self);
        for at in victims {
            self.near[at].blackhole(false);
            if at >= self.middle() {
                self.far[at].blackhole(false);
            }
        }
    }
}

fn cut(proxy: &Proxy) {
    proxy.blackhole(true);
    proxy.reset_all();
}

/// What all holders of a run share.
struct Run {
    log: Log,
    /// A contender holds a read lock during an attempt; the director takes the write lock to stop them.
    gate: RwLock<()>,
    over: AtomicBool,
}

/// Runs one disaster over `nodes` nodes, with the protection or without it.
pub async fn run(fault: Fault, nodes: usize, protected: bool, hand_over: HandOver) -> Findings {
    let mut scene = block_in_place(|| Scene::set(fault, nodes));
    let run = Arc::new(Run { log: Log::default(), gate: RwLock::default(), over: AtomicBool::new(false) });
    let credulous = fault == Fault::Resets && !protected;
    let manner = Manner { credulous, durable: fault == Fault::Replaced, hand_over };
    let (lockers, mut contenders) = begin(&run, &scene, manner).await;
    let slow = fault == Fault::Delays;
    let holder = builder(manner).renewed(false).node_timeout(if slow { SLOW_NODE_TIMEOUT } else { NODE_TIMEOUT });
    let holder = holder.urls(urls(&scene.near)).connect().await.expect("all are well");
    eventually(LIMIT, "the contenders take turns", async || run.log.len() >= LEASES_BEFORE).await;

    let closed = run.gate.write().await;
    block_in_place(|| {
        scene.read_counters();
        fault.prepare(&mut scene);
        scene.cut_off_the_holder();
    });
    for _ in 0..TURNS_AHEAD {
        let (guard, index) = acquire(&run.log, &holder).await;
        run.log.ended(index, now());
        drop(guard.release().await);
    }
    block_in_place(|| scene.cut_off_the_contenders());
    if slow {
        scene.near.iter().for_each(|proxy| proxy.set_delay_to_client(DELAY));
    }
    let (guard, index) = acquire(&run.log, &holder).await;
    let mut holder_ends = guard.lease().valid_until;
    if slow && !protected {
        // Counted from the reply, as if the way there and back took no time.
        holder_ends = now().after(TTL);
        run.log.ended(index, holder_ends);
    }

    let struck = now();
    scene.strike(fault, protected).await;
    let until_it_has_gone = || holder_ends.since(now()) + TICK;
    if fault.has_to_be_seen() && protected {
        until_all_have_seen(&lockers, &fault.victims(&scene)).await;
    }
    // Some disasters hurt only later contenders, some only new lockers that have seen nothing.
    let newcomer = newcomer(Arc::clone(&run), urls(&scene.far), manner);
    let comes_later = if protected { fault.has_to_be_seen() } else { fault.shows_afterwards() };
    let wait = if comes_later { until_it_has_gone() } else { Duration::ZERO };
    contenders.spawn(async move {
        tokio::time::sleep(wait).await;
        newcomer.await;
    });
    if !protected && (fault.has_to_be_seen() || fault.shows_afterwards()) {
        tokio::time::sleep(until_it_has_gone()).await;
    }
    drop(closed);
    let releasing = tokio::spawn(leave(guard, holder_ends));
    follow(&run, &scene, fault, struck).await;

    run.over.store(true, Ordering::SeqCst);
    while let Some(ended) = contenders.join_next().await {
        ended.expect("a contender fails no assertion");
    }
    releasing.await.expect("the holder fails no assertion");
    run.log.findings(struck)
}

/// Connects the contenders' lockers, and starts their tasks.
async fn begin(run: &Arc<Run>, scene: &Scene, manner: Manner) -> (Vec<Redlock>, JoinSet<()>) {
    let (mut lockers, mut contenders) = (Vec::new(), JoinSet::new());
    for seed in 0..CONTENDERS {
        let locker = connect(urls(&scene.far), manner).await.expect("all are well");
        lockers.push(locker.clone());
        // Two tasks of one process pass leases on to each other.
        for task in 0..2 {
            contenders.spawn(contend(Arc::clone(run), locker.clone(), seed + CONTENDERS * task, true));
        }
    }
    (lockers, contenders)
}

/// Waits until every locker has let every victim rest, if only for a moment.
async fn until_all_have_seen(lockers: &[Redlock], victims: &[usize]) {
    let mut unseen: Vec<(&Redlock, usize)> =
        lockers.iter().flat_map(|locker| victims.iter().map(move |at| (locker, *at))).collect();
    eventually(LIMIT, "all lockers see that the clock stepped", async || {
        unseen.retain(|(locker, at)| locker.nodes()[*at].condition != NodeCondition::Resting);
        unseen.is_empty()
    })
    .await;
}

/// Waits until all works again: a first lease with the network cut in halves, then some with the whole network.
async fn follow(run: &Run, scene: &Scene, fault: Fault, struck: Moment) {
    let deadline = Deadline::within(LIMIT);
    let mut resets = if fault == Fault::Resets { RESETS } else { 0 };
    let mut healed = false;
    while !deadline.passed() {
        let since = run.log.since(struck);
        if since > 0 && !healed {
            block_in_place(|| scene.heal());
            healed = true;
        }
        if resets > 0 {
            resets -= 1;
            block_in_place(|| scene.far[resets % scene.far.len()].reset_all());
        } else if since >= LEASES_AFTER {
            return;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// The holder stays as long as it believes, and pauses for longer than that before it notices the end.
async fn leave(guard: Guard, until: Moment) {
    tokio::time::sleep(until.since(now()) + TICK).await;
    drop(guard.release().await);
}

async fn acquire(log: &Log, locker: &Redlock) -> (Guard, usize) {
    let began = now();
    let guard = locker.acquire(RESOURCE).await.expect("no other holder is there");
    let index = enter(log, &guard, began);
    (guard, index)
}

/// Notes a lease that was just returned.
fn enter(log: &Log, guard: &Guard, began: Moment) -> usize {
    let returned = now();
    log.note(Tenure { began, returned, ended: guard.lease().valid_until, token: guard.token() })
}

/// Takes leases until the run is over. Most are short; some last longer than a TTL, and are renewed.
async fn contend(run: Arc<Run>, locker: Redlock, seed: u64, heeds_the_gate: bool) {
    let chance = Entropy::from_seed(seed);
    while !run.over.load(Ordering::SeqCst) {
        let pass = if heeds_the_gate { Some(run.gate.read().await) } else { None };
        let began = now();
        match locker.acquire_within(RESOURCE, NODE_TIMEOUT).await {
            Ok(guard) => {
                let index = enter(&run.log, &guard, began);
                let stay = if chance.u32().is_multiple_of(16) { TTL + TTL / 4 } else { up_to(&chance, 30) };
                tokio::select! {
                    _ = guard.lost() => {}
                    () = tokio::time::sleep(stay) => {}
                }
                run.log.ended(index, now().min(guard.lease().valid_until));
                drop(guard.release().await);
            }
            Err(error) => run.log.failed(&error),
        }
        drop(pass);
        tokio::time::sleep(up_to(&chance, 15)).await;
    }
}

fn up_to(chance: &Entropy, ms: u32) -> Duration {
    Duration::from_millis(u64::from(1 + chance.u32() % ms))
}

/// A process that starts after the disaster and knows nothing of it.
async fn newcomer(run: Arc<Run>, urls: Vec<String>, manner: Manner) {
    while !run.over.load(Ordering::SeqCst) {
        match connect(urls.clone(), manner).await {
            Ok(locker) => return contend(run, locker, 2 * CONTENDERS, false).await,
            Err(error) => run.log.failed(&error),
        }
        tokio::time::sleep(TICK).await;
    }
}

fn urls(network: &[Proxy]) -> Vec<String> {
    network.iter().map(Proxy::url).collect()
}

/// How lockers are configured.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// They count a missing answer as granted.
    credulous: bool,
    /// They believe that nodes keep every write across a restart.
    durable: bool,
    hand_over: HandOver,
}

fn builder(manner: Manner) -> Builder {
    Redlock::builder()
        .durable(manner.durable)
        .hand_over(manner.hand_over)
        .ttl(TTL)
        .max_ttl(MAX_TTL)
        .node_timeout(NODE_TIMEOUT)
}

async fn connect(urls: Vec<String>, manner: Manner) -> Result<Redlock, ConnectError> {
    if !manner.credulous {
        return builder(manner).urls(urls).connect().await;
    }
    let nodes = urls.iter().map(|url| {
        let address = Address::parse(url).expect("our own URL");
        Credulous(Arc::new(RedisNode::open(address, RedisNodeOptions::default()).expect("a runtime")))
    });
    Ok(nodes.fold(builder(manner), Builder::node).build()?)
}

/// A node that reports a missing answer as granted.
struct Credulous(Arc<RedisNode>);

impl Node for Credulous {
    fn send(&self, request: Request, answer: Responder) {
        let node = Arc::clone(&self.0);
        if !matches!(request.verb, Verb::Grant { .. } | Verb::Seal { .. }) {
            return node.send(request, answer);
        }
        tokio::spawn(async move {
            let verb = request.verb.clone();
            match (ask(&*node, request).await, verb) {
                (Reply::Failed(_), Verb::Grant { .. }) => answer.reply(Reply::Granted { counter: 1 }),
                (Reply::Failed(_), _) => answer.reply(Reply::Sealed),
                (reply, _) => answer.reply(reply),
            }
        });
    }

    fn admit(&self, session: u64) {
        self.0.admit(session);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.0.listen(id, locker, listener);
    }

    fn sessions(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        self.0.sessions()
    }

    fn address(&self) -> String {
        self.0.address()
    }
}
