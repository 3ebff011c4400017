//! One contract, many implementations: every node and every token store passes the same suite.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use redfence::cached::{self, CacheStore, Entry, MemoryCache};
use redfence::node::redis::{Address, RedisNode, RedisNodeOptions};
use redfence::node::{EmbeddedNode, Node, Responder, WakeListener, contract};
use redfence::protocol::{Next, Reply, Request, Verb};
use redfence::verifier::{self, MemoryStore, RedisStore, Rule, TokenStore, Verdict};
use redfence::{Clock as _, FencingToken, LockerId, Moment, NodeId, Resource, SystemClock, TokioClock, WallTime};
use support::{RedisServer, TestCa};

#[tokio::test]
async fn an_embedded_node_keeps_the_contract() {
    contract::check(&EmbeddedNode::new(), "embedded").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract() {
    let server = RedisServer::start();
    let node = open(&server.url(), RedisNodeOptions::default()).await;
    contract::check(&node, "tcp").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract_over_a_unix_socket() {
    let server = RedisServer::with_unix_socket();
    let node = open(&server.unix_url(), RedisNodeOptions::default()).await;
    contract::check(&node, "unix").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract_over_tls() {
    let ca = TestCa::new();
    let server = RedisServer::start_tls(&ca);
    let options = RedisNodeOptions { ca_file: Some(ca.ca_path()), ..RedisNodeOptions::default() };
    let node = open(&server.tls_url(), options).await;
    contract::check(&node, "tls").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract_behind_a_password_and_in_another_database() {
    let server = RedisServer::with(&["--requirepass", "open sesame"]);
    let url = format!("redis://:open%20sesame@127.0.0.1:{}/3", server.port());
    let node = open(&url, RedisNodeOptions::default()).await;
    contract::check(&node, "password").await.unwrap();
    assert!(!format!("{node:?}").contains("sesame"));
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    verifier::contract::check(&MemoryStore::new(), "memory").await.unwrap();
}

#[tokio::test]
async fn the_redis_store_keeps_the_contract() {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let store = RedisStore::new(client.get_multiplexed_async_connection().await.unwrap());
    verifier::contract::check(&store, "redis").await.unwrap();
}

/// A store that reads the highest token in one step and stores it in another.
#[derive(Default)]
struct InTwoSteps(Mutex<HashMap<Resource, FencingToken>>);

impl TokenStore for InTwoSteps {
    type Error = Infallible;

    async fn admit(&self, resource: &Resource, token: FencingToken, rule: Rule) -> Result<Verdict, Infallible> {
        let highest = self.0.lock().unwrap().get(resource).copied();
        tokio::task::yield_now().await;
        let verdict = rule.judge(token, highest);
        if verdict == Verdict::Admitted {
            self.0.lock().unwrap().insert(resource.clone(), token);
        }
        Ok(verdict)
    }
}

#[tokio::test]
async fn the_contract_finds_a_store_that_checks_and_stores_in_two_steps() {
    let broken = verifier::contract::check(&InTwoSteps::default(), "two steps").await.unwrap_err().to_string();
    assert!(broken.contains("check and store are one step"), "{broken}");
}

/// How a wrong node changes each request.
type Distortion = fn(&mut Request);

/// A node that does one thing wrong.
struct Wrong {
    node: EmbeddedNode,
    distort: Distortion,
}

impl Node for Wrong {
    fn send(&self, mut request: Request, answer: Responder) {
        (self.distort)(&mut request);
        self.node.send(request, answer);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.node.listen(id, locker, listener);
    }

    fn admit(&self, session: u64) {
        self.node.admit(session);
    }

    fn address(&self) -> String {
        self.node.address()
    }
}

#[tokio::test(start_paused = true)]
async fn the_contract_finds_a_node_that_does_one_thing_wrong() {
    let wrongs: [(&str, Distortion); 6] = [
        ("draws as many numbers", |request| {
            if let Verb::Grant { block, .. } = &mut request.verb {
                *block = 1;
            }
        }),
        ("reaches its floor", |request| {
            if let Verb::Grant { floor, .. } = &mut request.verb {
                *floor = 0;
            }
        }),
        ("rests", |request| {
            if let Verb::Initialize(update) = &mut request.verb {
                update.rest = Duration::ZERO;
            }
        }),
        ("in the queue", |request| {
            if let Verb::Grant { waits, .. } = &mut request.verb {
                *waits = None;
            }
        }),
        ("wakes", |request| {
            if let Verb::Release { next: next @ Next::Queue(_) } = &mut request.verb {
                *next = Next::NoWaiter;
            }
        }),
        ("no grant is behind it", |request| {
            if let Verb::Release { next: next @ Next::Grant } = &mut request.verb {
                *next = Next::NoWaiter;
            }
        }),
    ];
    for (rule, distort) in wrongs {
        let node = Wrong {
            node: EmbeddedNode::on(Arc::new(TokioClock::starting_at(WallTime::from_unix_ms(1_800_000_000_000)))),
            distort,
        };
        let broken = contract::check(&node, "wrong").await.expect_err(rule);
        assert!(broken.to_string().contains(rule), "{rule}: {broken}");
    }
}

/// How a wrong node changes each reply.
type ReplyDistortion = fn(&mut Reply);

/// A node that replies one thing wrong, or that takes two requests sent together in the wrong order.
struct Misreports {
    node: EmbeddedNode,
    distort: ReplyDistortion,
    reverses_pairs: bool,
}

impl Misreports {
    fn new(distort: ReplyDistortion, reverses_pairs: bool) -> Self {
        let clock = TokioClock::starting_at(WallTime::from_unix_ms(1_800_000_000_000));
        Self { node: EmbeddedNode::on(Arc::new(clock)), distort, reverses_pairs }
    }
}

impl Node for Misreports {
    fn send(&self, request: Request, answer: Responder) {
        let mut reply = self.node.apply(&request);
        (self.distort)(&mut reply);
        answer.reply(reply);
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        let (first, second) = if self.reverses_pairs { (second, first) } else { (first, second) };
        let replies = self.node.apply_batch(&[first.0, second.0]);
        [first.1, second.1].into_iter().zip(replies).for_each(|(answer, reply)| answer.reply(reply));
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.node.listen(id, locker, listener);
    }

    fn admit(&self, session: u64) {
        self.node.admit(session);
    }

    fn address(&self) -> String {
        self.node.address()
    }
}

#[tokio::test(start_paused = true)]
async fn the_contract_finds_a_node_that_misreports() {
    let always_one_number: ReplyDistortion = |reply| {
        if let Reply::Granted { counter } = reply {
            *counter = 1_800_000_000_000_000;
        }
    };
    for (rule, distort, reverses_pairs) in [
        ("above all that it drew", always_one_number, false),
        ("is kept for the grant behind its release", |_| {}, true),
    ] {
        let broken = contract::check(&Misreports::new(distort, reverses_pairs), "wrong").await.expect_err(rule);
        assert!(broken.to_string().contains(rule), "{rule}: {broken}");
    }
    contract::check(&Misreports::new(|_| {}, false), "right").await.unwrap();
}

/// Another program may have written any value there; Lua would read some of them as numbers.
#[tokio::test]
async fn a_foreign_value_in_a_fence_is_never_read_as_a_low_token() {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let store = RedisStore::new(client.get_multiplexed_async_connection().await.unwrap());
    let resource = Resource::new("r").unwrap();
    for foreign in ["nan", "-nan", "inf", "0x1", "1e3", " 1", "-5", ""] {
        server.command(&["HSET", &store.key(&resource), "token", foreign]);
        let verdict = store.admit(&resource, FencingToken::new(7).unwrap(), Rule::AcceptEqual).await;
        assert!(verdict.is_err(), "{foreign:?}: {verdict:?}");
    }
}

async fn open(url: &str, options: RedisNodeOptions) -> RedisNode {
    let node = RedisNode::open(Address::parse(url).unwrap(), options).unwrap();
    node.dialled().await.unwrap();
    node
}

#[tokio::test]
async fn the_memory_cache_keeps_the_contract() {
    cached::contract::check(&MemoryCache::new(1_000), "memory").await.unwrap();
}

/// Ways to keep values: a right one, which keeps all it was given, and wrong ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Rightly,
    /// It never judges a token.
    WithoutFence,
    /// The fence is gone when the value has expired.
    FenceUntilExpiry,
    /// It checks in one step and writes in another.
    CheckedApart,
    /// A fence that makes room for others leaves nothing behind.
    WithoutFloor,
    /// A removal removes the fence, too.
    RemovedWithFence,
    /// A value stays when it has expired.
    WithoutEnd,
}

struct SimpleCache(Keeps, Mutex<HashMap<Resource, (Entry, Moment)>>);

impl SimpleCache {
    fn judge(&self, key: &Resource, token: FencingToken) -> Verdict {
        let all = self.1.lock().unwrap();
        let own = all.get(key).filter(|(_, expires)| match self.0 {
            Keeps::WithoutFence => false,
            Keeps::FenceUntilExpiry => *expires > SystemClock.now(),
            _ => true,
        });
        Rule::AcceptEqual.judge(token, own.map(|(own, _)| own.token))
    }
}

impl CacheStore for SimpleCache {
    type Error = Infallible;

    async fn get(&self, key: &Resource) -> Result<Option<Entry>, Infallible> {
        let all = self.1.lock().unwrap();
        let found = all.get(key).filter(|(_, expires)| self.0 == Keeps::WithoutEnd || *expires > SystemClock.now());
        Ok(found.map(|(entry, _)| entry.clone()))
    }

    async fn put(&self, key: &Resource, entry: &Entry) -> Result<Verdict, Infallible> {
        let verdict = self.judge(key, entry.token);
        if self.0 == Keeps::CheckedApart {
            tokio::task::yield_now().await;
        }
        if verdict == Verdict::Admitted {
            let mut all = self.1.lock().unwrap();
            all.insert(key.clone(), (entry.clone(), SystemClock.now().after(entry.ttl)));
            let lowest = all.iter().min_by_key(|(_, (entry, _))| entry.token).map(|(key, _)| key.clone());
            if let (Keeps::WithoutFloor, 101.., Some(lowest)) = (self.0, all.len(), lowest) {
                all.remove(&lowest);
            }
        }
        Ok(verdict)
    }

    async fn remove(&self, key: &Resource, token: FencingToken) -> Result<Verdict, Infallible> {
        let verdict = self.judge(key, token);
        if verdict == Verdict::Admitted {
            let mut all = self.1.lock().unwrap();
            match self.0 {
                Keeps::RemovedWithFence => drop(all.remove(key)),
                // What is left of it has expired.
                _ => drop(all.insert(
                    key.clone(),
                    (Entry::new([].into(), token, Duration::ZERO, Duration::ZERO), Moment::default()),
                )),
            }
        }
        Ok(verdict)
    }
}

#[tokio::test]
async fn the_suite_catches_wrong_caches() {
    for (keeps, broken) in [
        (Keeps::Rightly, None),
        (Keeps::WithoutFence, Some("lower tokens are refused")),
        (Keeps::FenceUntilExpiry, Some("outlives the value")),
        (Keeps::CheckedApart, Some("one step")),
        (Keeps::WithoutFloor, Some("after many other keys")),
        (Keeps::RemovedWithFence, Some("the token of a removal is kept")),
        (Keeps::WithoutEnd, Some("a value expires")),
    ] {
        let cache = SimpleCache(keeps, Mutex::default());
        let outcome = cached::contract::check(&cache, "simple").await.map_err(|error| error.to_string());
        match broken {
            None => outcome.unwrap(),
            Some(rule) => assert!(outcome.as_ref().is_err_and(|error| error.contains(rule)), "{keeps:?}: {outcome:?}"),
        }
    }
}
