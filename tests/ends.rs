//! Every call ends, also against nodes that say nothing, send rubbish, cannot be found or are full.
//!
//! The calls are those of `public_api.txt`. A new call needs an arm here and a row in docs/bounds.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use redfence::cached::{self, CacheStore as _, Cached, Entry, IfUnavailable, Lookup, MemoryCache, Refresh};
use redfence::node::redis::{Address, RedisNode, RedisNodeOptions};
use redfence::node::{ask, contract};
use redfence::protocol::{Request, Subject, Verb};
use redfence::recipes::{Election, Leadership, MultiGuard, OnceGuard, OncePer, Period, Semaphore};
use redfence::testing::TestNodes;
use redfence::verifier::{self, RedisStore, Rule, TokenStore as _, Verifier};
use redfence::{Builder, FencingToken, Guard, Holder, IfHeld, Lease, Redlock, Resource};
use redis::aio::MultiplexedConnection;
use support::fault_node::holder;
use support::{BadServer, Manner, RedisServer, servers};
use tokio::time::timeout;

/// Far beyond the bound of every call, so that calls on a busy machine do not look endless.
const END: Duration = Duration::from_secs(90);
const NODES: usize = 3;
const WAIT: Duration = Duration::from_millis(500);
const TTL: Duration = Duration::from_secs(2);
/// A lease on full nodes is renewed until here.
const HOLD_MAX: Duration = Duration::from_secs(3);

/// What is wrong with the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Turned(Manner),
    NoSuchName,
    NoMemory,
    NoMoreClients,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_where_nodes_accept_and_say_nothing() {
    every_call_ends(Wrong::Turned(Manner::Silent)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_where_nodes_send_rubbish() {
    every_call_ends(Wrong::Turned(Manner::Rubbish)).await;
}

// On one thread, like the command line: no other task sees a connection that comes and goes between two awaits.
#[tokio::test]
async fn r4_every_call_ends_where_nodes_send_unrequested_messages() {
    every_call_ends(Wrong::Turned(Manner::Unasked)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_where_nodes_never_stop_sending() {
    every_call_ends(Wrong::Turned(Manner::Pouring)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_where_names_do_not_resolve() {
    every_call_ends(Wrong::NoSuchName).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_where_nodes_have_no_memory_left() {
    every_call_ends(Wrong::NoMemory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_where_nodes_take_no_more_clients() {
    every_call_ends(Wrong::NoMoreClients).await;
}

#[test]
fn every_call_has_a_row_in_the_docs() {
    let page = include_str!("../docs/bounds.md");
    let calls = page.split("\n## ").find(|part| part.starts_with("Calls")).expect("a part about calls");
    let rows = calls.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: BTreeSet<String> = rows.map(|(name, _)| format!("redfence::{name}")).collect();
    assert_eq!(rows, calls_of_the_library(), "docs/bounds.md (left) and public_api.txt (right) know different calls");
}

/// All async calls.
fn calls_of_the_library() -> BTreeSet<String> {
    let lines = include_str!("public_api.txt").lines().filter_map(|line| line.split_once(": "));
    let lines = lines.map(|(name, is)| (name.trim_start_matches("(unstable) "), is));
    let awaited = lines.filter(|(_, is)| {
        ["async fn ", "-> impl Future<", "-> BoxFuture<", "-> Pin<Box<dyn Future<"].iter().any(|form| is.contains(form))
    });
    awaited.map(|(name, _)| name.to_owned()).collect()
}

async fn every_call_ends(wrong: Wrong) {
    let mut stage = Stage::set().await;
    stage.go(wrong);
    let calls = calls_of_the_library();
    let outcomes = join_all(calls.iter().map(async |name| timeout(END, call(name, &stage)).await.is_ok())).await;
    let endless: Vec<&String> = calls.iter().zip(outcomes).filter(|(_, ended)| !ended).map(|(name, _)| name).collect();
    assert!(endless.is_empty(), "{wrong:?}: no end within {END:?}: {endless:?}");
}

/// The servers. They were healthy when the leases were taken that some calls need.
struct Stage {
    real: Vec<RedisServer>,
    bad: Vec<BadServer>,
    urls: Vec<String>,
    guards: [std::sync::Mutex<Option<Guard>>; 4],
    multi_guards: [std::sync::Mutex<Option<MultiGuard>>; 3],
    leadership: std::sync::Mutex<Option<Leadership>>,
    lease: Lease,
    connection: MultiplexedConnection,
    /// Each fills the only client slot of its server.
    only_clients: Vec<TcpStream>,
}

impl Stage {
    async fn set() -> Self {
        let real = servers(NODES);
        let bad: Vec<_> = real.iter().map(|server| BadServer::in_front_of(server.port())).collect();
        let urls: Vec<String> = bad.iter().map(BadServer::url).collect();
        let redlock = builder().urls(urls.clone()).connect().await.unwrap();
        let mut guards = Vec::new();
        for name in ["to release", "to extend", "to lose", "to keep"] {
            guards.push(std::sync::Mutex::new(Some(redlock.acquire(name).await.unwrap())));
        }
        let mut multi_guards = Vec::new();
        for purpose in ["to release", "to extend", "to lose"] {
            let names = ["one", "other"].map(|part| format!("{part} {purpose}"));
            multi_guards.push(std::sync::Mutex::new(Some(redlock.acquire_all(names).await.unwrap())));
        }
        let leadership = redlock.election("e").unwrap().campaign().await.unwrap();
        let leadership = std::sync::Mutex::new(Some(leadership));
        let lease = redlock.acquire("to resume").await.unwrap().into_lease();
        let client = redis::Client::open(urls[0].as_str()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        let (guards, multi_guards) = (guards.try_into().unwrap(), multi_guards.try_into().unwrap());
        Self { real, bad, urls, guards, multi_guards, leadership, lease, connection, only_clients: Vec::new() }
    }

    fn go(&mut self, wrong: Wrong) {
        match wrong {
            Wrong::Turned(manner) => self.bad.iter().for_each(|server| server.turn(manner)),
            Wrong::NoSuchName => {
                self.real.iter_mut().for_each(RedisServer::kill);
                self.urls = (0..NODES).map(|at| format!("redis://node-{at}.invalid:6379")).collect();
            }
            Wrong::NoMemory => self.real.iter().for_each(|server| {
                assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "1"]), "OK");
            }),
            Wrong::NoMoreClients => self.only_clients = self.real.iter().map(occupied).collect(),
        }
    }

    /// A locker that is not connected yet: a call on it meets the faulty nodes.
    fn locker(&self) -> Redlock {
        let nodes = self.urls.iter().map(|url| node(url));
        nodes.fold(builder(), Builder::node).build().unwrap()
    }

    fn guard(&self, at: usize) -> Guard {
        self.guards[at].lock().unwrap().take().expect("each is taken once")
    }

    fn several(&self, at: usize) -> MultiGuard {
        self.multi_guards[at].lock().unwrap().take().expect("each is taken once")
    }

    fn election(&self) -> Election {
        self.locker().election("e").unwrap()
    }

    fn once_per(&self) -> OncePer {
        self.locker().once_per("o", Period::once_per(2 * TTL)).unwrap()
    }

    fn cached(&self) -> Cached<MemoryCache> {
        Cached::new(self.locker(), MemoryCache::new(1))
    }

    /// The right to refresh a value that every reader takes for old.
    async fn early_refresh(&self) -> Refresh<MemoryCache> {
        let store = MemoryCache::new(1);
        let token = FencingToken::new(1).unwrap();
        store.put(&resource(), &Entry::new([].into(), token, TTL, 1_000 * TTL)).await.unwrap().into_result().unwrap();
        match Cached::new(self.locker(), store).early_refresh(u32::MAX).lookup("r").await.unwrap() {
            Lookup::Early(_, refresh) => refresh,
            other => panic!("{other:?}"),
        }
    }

    fn semaphore(&self) -> Semaphore {
        self.locker().semaphore("s", 3).unwrap()
    }
}

/// Makes a server full: the returned client stays connected, and all others are disconnected.
fn occupied(server: &RedisServer) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.write_all(b"CONFIG SET maxclients 1\r\nCLIENT KILL TYPE normal SKIPME yes\r\n").unwrap();
    let mut answers = BufReader::new(&client).lines();
    assert_eq!(answers.next().unwrap().unwrap(), "+OK");
    assert!(answers.next().unwrap().unwrap().starts_with(':'), "the number of disconnected clients");
    client
}

fn builder() -> Builder {
    Redlock::builder().ttl(TTL).max_hold(Some(HOLD_MAX)).wait_max(WAIT)
}

fn node(url: &str) -> RedisNode {
    RedisNode::open(Address::parse(url).unwrap(), RedisNodeOptions::default()).unwrap()
}

fn resource() -> Resource {
    Resource::new("r").unwrap()
}

fn a_holder() -> Holder {
    holder("somebody", 1)
}

/// Makes one call. Its outcome is for other tests.
async fn call(name: &str, stage: &Stage) {
    let name = name.trim_start_matches("redfence::");
    match name.split("::").next() {
        Some("recipes") => recipes(name, stage).await,
        Some("cached") => single_flight(name, stage).await,
        Some("admin") => operators(name, stage).await,
        Some("verifier") => verifiers(name, stage).await,
        _ => locks(name, stage).await,
    }
}

/// The calls of locks, leases and nodes.
async fn locks(call: &str, stage: &Stage) {
    match call {
        "Builder::connect" => drop(builder().urls(stage.urls.clone()).connect().await),
        "Redlock::connect" => drop(Redlock::connect(stage.urls.clone()).await),
        "Redlock::acquire" => drop(stage.locker().acquire("r").await),
        "Redlock::acquire_within" => drop(stage.locker().acquire_within("r", WAIT).await),
        "Redlock::acquire_with" => drop(stage.locker().acquire_with("r", IfHeld::WaitFor(WAIT)).await),
        "Redlock::try_acquire" => drop(stage.locker().try_acquire("r").await),
        "Redlock::with_lock" => drop(stage.locker().with_lock("r", async |_| ()).await),
        "Redlock::try_acquire_all" => drop(stage.locker().try_acquire_all(["r", "s"]).await),
        "Redlock::acquire_all" => drop(stage.locker().acquire_all(["r", "s"]).await),
        "Redlock::acquire_all_within" => drop(stage.locker().acquire_all_within(["r", "s"], WAIT).await),
        "Redlock::acquire_unless_kept" => drop(stage.locker().acquire_unless_kept(&resource(), WAIT).await),
        "Redlock::owner" => drop(stage.locker().owner("r").await),
        "Redlock::is_locked" => drop(stage.locker().is_locked("r").await),
        "Redlock::resume" => drop(stage.locker().resume(&stage.lease).await),
        "Redlock::doctor" => drop(stage.locker().doctor().await),
        "Redlock::drain" => stage.locker().drain(WAIT).await,
        "Redlock::extend_as" => drop(stage.locker().extend_as(resource(), &a_holder()).await),
        "Redlock::look" => stage.locker().look().await,
        "Redlock::release_as" => drop(stage.locker().release_as("r", &a_holder()).await),
        "Guard::release" => drop(stage.guard(0).release().await),
        "LeaseHandle::extend" => drop(stage.guard(1).handle().extend().await),
        "LeaseHandle::lost" => {
            let _cause = stage.guard(2).handle().lost().await;
        }
        "node::ask" => {
            let request = Request { subject: Arc::new(Subject::new(resource(), a_holder())), verb: Verb::Inspect };
            drop(ask(&node(&stage.urls[0]), request).await);
        }
        "node::contract::check" => drop(contract::check(&node(&stage.urls[0]), "ends").await),
        // The node bounds this call: the trait is for simulations, which have their own networks.
        "node::redis::RedisNode::dialled" | "node::redis::Dial::dial" => drop(node(&stage.urls[0]).dialled().await),
        // Real time cannot be advanced, so this call ends at once.
        "testing::TestClock::advance" => drop(TestNodes::new(1).clock().advance(END * 2).await),
        new => new_call(new),
    }
}

/// The calls of recipes.
async fn recipes(call: &str, stage: &Stage) {
    match call {
        "recipes::MultiGuard::release" => drop(stage.several(0).release().await),
        "recipes::MultiHandle::extend" => drop(stage.several(1).extend().await),
        "recipes::MultiHandle::lost" => drop(stage.several(2).lost().await),
        "recipes::Semaphore::try_acquire" => drop(stage.semaphore().try_acquire().await),
        "recipes::Semaphore::acquire" => drop(stage.semaphore().acquire().await),
        "recipes::Semaphore::acquire_within" => drop(stage.semaphore().acquire_within(WAIT).await),
        "recipes::Election::campaign" => drop(stage.election().campaign().await),
        "recipes::Election::campaign_within" => drop(stage.election().campaign_within(WAIT).await),
        "recipes::Election::leader" => drop(stage.election().leader().await),
        "recipes::Leadership::resign" => {
            let leadership = stage.leadership.lock().unwrap().take().expect("it is taken once");
            drop(leadership.resign().await);
        }
        "recipes::OncePer::acquire" => drop(stage.once_per().acquire().await),
        "recipes::OncePer::acquire_within" => drop(stage.once_per().acquire_within(WAIT).await),
        "recipes::OnceGuard::finish" => {
            let period = Period::once_per(2 * TTL);
            drop(OnceGuard::new(&stage.locker(), stage.guard(3), period).finish(true).await);
        }
        new => new_call(new),
    }
}

/// The calls of single flight.
async fn single_flight(call: &str, stage: &Stage) {
    let token = FencingToken::new(1).unwrap();
    match call {
        "cached::Cached::get_or_compute" => drop(stage.cached().get_or_compute("c", TTL, async || Err("called")).await),
        "cached::Cached::lookup" => drop(stage.cached().lookup("c").await),
        "cached::Refresh::begin" => drop(stage.early_refresh().await.begin().await),
        "cached::Computation::finish" => {
            let lookup = stage.cached().if_unavailable(IfUnavailable::Compute).lookup("c").await.unwrap();
            let Lookup::Miss(computation) = lookup else { panic!("there is no value") };
            drop(computation.finish([].into(), TTL).await);
        }
        "cached::Computation::abandon" => {
            let lookup = stage.cached().if_unavailable(IfUnavailable::Compute).lookup("a").await.unwrap();
            let Lookup::Miss(computation) = lookup else { panic!("there is no value") };
            computation.abandon().await;
        }
        // The stores of this library wait for nothing.
        "cached::CacheStore::get" => drop(MemoryCache::new(1).get(&resource()).await),
        "cached::CacheStore::put" => {
            let entry = Entry::new([].into(), token, TTL, TTL);
            let _ = MemoryCache::new(1).put(&resource(), &entry).await;
        }
        "cached::CacheStore::remove" => drop(MemoryCache::new(1).remove(&resource(), token).await.map(|_| ())),
        "cached::Cached::invalidate" => drop(stage.cached().invalidate("i").await),
        "cached::contract::check" => drop(cached::contract::check(&MemoryCache::new(1_000), "ends").await),
        new => new_call(new),
    }
}

/// The calls of operators.
async fn operators(call: &str, stage: &Stage) {
    match call {
        "admin::Admin::force_release" => drop(stage.locker().admin().force_release("r", &a_holder(), "a test").await),
        "admin::Admin::bootstrap" => drop(stage.locker().admin().bootstrap().await),
        "admin::Admin::inspect" => drop(stage.locker().admin().inspect("r").await),
        "admin::Admin::list" => drop(stage.locker().admin().list("", 10).await),
        "admin::Admin::reset" => drop(stage.locker().admin().reset().await),
        new => new_call(new),
    }
}

/// The calls of verifiers.
async fn verifiers(call: &str, stage: &Stage) {
    let token = FencingToken::new(1).unwrap();
    let store = RedisStore::new(stage.connection.clone());
    match call {
        "verifier::RedisStore::read" => drop(store.read(&resource()).await),
        "verifier::RedisStore::write" => drop(store.write(&resource(), token, Rule::Strict, b"value").await),
        "verifier::TokenStore::admit" => drop(store.admit(&resource(), token, Rule::Strict).await),
        "verifier::Verifier::admit" => drop(Verifier::new(store).admit(&resource(), token).await),
        "verifier::contract::check" => drop(verifier::contract::check(&store, "ends").await),
        new => new_call(new),
    }
}

fn new_call(name: &str) {
    panic!("{name} is new: it needs an arm here, and a row with its bound in docs/bounds.md");
}
