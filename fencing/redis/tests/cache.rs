//! Cached values in Redis: the contract, keys of other programs, and processes that compute once, also if one is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use redfence::cached::{CacheStore, Cached, Entry, Lookup, contract};
use redfence::verifier::Verdict;
use redfence::{FencingToken, Redlock, Resource};
use redfence_redis::RedisCache;
use redis::aio::MultiplexedConnection;
use redis::{Script, ScriptInvocation};
use support::server::servers;
use support::{RedisServer, connection, token};

const TTL: Duration = Duration::from_secs(600);
/// Longer than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn cache(server: &RedisServer) -> RedisCache<MultiplexedConnection> {
    RedisCache::new(connection(&server.url()).await)
}

fn key() -> Resource {
    Resource::new("k").unwrap()
}

fn entry(number: u64, value: &[u8]) -> Entry {
    Entry::new(value.into(), token(number), TTL, Duration::from_millis(5))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_the_contract() {
    let server = RedisServer::start();
    contract::check(&cache(&server).await, "contract").await.unwrap();
}

/// The library's script with a fault in it.
struct Mutant {
    right: RedisCache<MultiplexedConnection>,
    put: Script,
    url: String,
}

impl CacheStore for Mutant {
    type Error = redis::RedisError;

    async fn get(&self, key: &Resource) -> Result<Option<Entry>, redis::RedisError> {
        Ok(self.right.get(key).await.unwrap())
    }

    async fn put(&self, key: &Resource, entry: &Entry) -> Result<Verdict, redis::RedisError> {
        self.call(key, entry.token, |call| {
            call.arg(u64::try_from(entry.ttl.as_millis()).unwrap()).arg(u64::try_from(entry.took.as_micros()).unwrap());
            call.arg(&entry.value[..]);
        })
        .await
    }

    async fn remove(&self, key: &Resource, token: FencingToken) -> Result<Verdict, redis::RedisError> {
        self.call(key, token, |_| ()).await
    }
}

impl Mutant {
    async fn call(
        &self,
        key: &Resource,
        token: FencingToken,
        more: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<Verdict, redis::RedisError> {
        let value = self.right.key(key);
        let mut call = self.put.key(value.replace(&format!("}}:value:{key}"), "}:fences"));
        call.key(value).arg(token.get()).arg(key.as_str()).arg(128);
        more(&mut call);
        let answer: Vec<u64> = call.invoke_async(&mut connection(&self.url).await).await?;
        Ok(match answer[..] {
            [1] => Verdict::Admitted,
            [0, highest] => Verdict::Stale { highest: FencingToken::new(highest).unwrap() },
            _ => panic!("{answer:?}"),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_catches_wrong_scripts() {
    let server = RedisServer::start();
    for (number, (right, wrong, rule)) in (0..).zip([
        ("", "", None),
        ("if highest and", "if false and", Some("lower tokens are refused")),
        ("redis.call('PERSIST', fences)", "redis.call('PEXPIRE', fences, ttl)", Some("outlives the value")),
        ("redis.call('ZADD', fences, lowest[2], '')", "", Some("after many other keys")),
        ("redis.call('PEXPIRE', entry, ttl)", "redis.call('PEXPIRE', entry, 600000)", Some("a value expires")),
        ("redis.call('HDEL', entry,", "redis.call('HEXISTS', entry, 'token') -- ", Some("a removed value is gone")),
        ("'took_us', took", "'took_us', 1", Some("come back as they were put")),
    ]) {
        let lua = redfence_redis::lua::CACHE_PUT;
        assert!(lua.contains(right), "{right}");
        let put = Script::new(&lua.replacen(right, wrong, 1));
        let right = RedisCache::with_prefix(connection(&server.url()).await, format!("mutant-{number}"));
        let mutant = Mutant { right, put, url: server.url() };
        let outcome = contract::check(&mutant, "mutant").await.map_err(|error| error.to_string());
        match rule {
            None => outcome.unwrap(),
            Some(rule) => assert!(outcome.as_ref().is_err_and(|error| error.contains(rule)), "{wrong}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn values_live_as_long_as_they_should_and_fences_without_end() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    cache.put(&key(), &entry(7, b"value")).await.unwrap().into_result().unwrap();
    let value = cache.key(&key());
    assert_eq!(value, format!("{{redfence:cache:{}}}:value:k", key().slot()));
    let fences = value.replace(":value:k", ":fences");
    let keys: Vec<_> = server.keys().into_iter().filter(|key| key.contains("cache")).collect();
    assert_eq!(keys, [fences.clone(), value.clone()]);
    let left: u64 = server.command(&["PTTL", &value]).parse().unwrap();
    assert!(left <= 600_000 && left > 300_000, "{left}");
    assert_eq!(server.command(&["PTTL", &fences]), "-1");
    // As another program may have done.
    server.command(&["PEXPIRE", &fences, "100000"]);
    cache.put(&key(), &entry(7, b"value")).await.unwrap().into_result().unwrap();
    assert_eq!(server.command(&["PTTL", &fences]), "-1");
    // Tokens as they are: 16 digits.
    for number in [1_882_557_276_749_825, 1_880_000_000_000_000, FencingToken::MAX] {
        let name = Resource::new(number.to_string()).unwrap();
        cache.put(&name, &entry(number, b"")).await.unwrap().into_result().unwrap();
        let stale = cache.put(&name, &entry(number - 1, b"")).await.unwrap();
        assert_eq!(stale, Verdict::Stale { highest: token(number) });
        assert_eq!(cache.get(&name).await.unwrap().unwrap().token, token(number));
    }
}

#[tokio::test]
async fn what_another_program_left_at_a_key_is_an_error_and_stays() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    let value = cache.key(&key());
    for (command, named) in [
        (["SET", &value, "text"].as_slice(), "WRONGTYPE"),
        (&["HSET", &value, "value", "x", "token", "1", "took_us", "1"], "no time to live"),
        (&["HSET", &value, "other", "x"], "fields of a value"),
    ] {
        server.command(command);
        if named.starts_with("fields") {
            server.command(&["PEXPIRE", &value, "100000"]);
        }
        let error = cache.get(&key()).await.unwrap_err().to_string();
        assert!(error.contains(named) && error.contains(" k:"), "{error}");
        if named == "WRONGTYPE" {
            let error = cache.put(&key(), &entry(1, b"")).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert_eq!(server.command(&["GET", &value]), "text");
        }
        server.command(&["DEL", &value]);
    }
    server.command(&["HSET", &value, "token", "1", "took_us", "1", "value", &"x".repeat(100)]);
    server.command(&["PEXPIRE", &value, "100000"]);
    let _longer: u64 = server.command(&["SETRANGE", "long", &(Entry::LEN_MAX + 10).to_string(), "x"]).parse().unwrap();
    let copy = "return redis.call('HSET', KEYS[2], 'value', redis.call('GET', KEYS[1]))";
    server.command(&["EVAL", copy, "2", "long", &value]);
    let error = cache.get(&key()).await.unwrap_err().to_string();
    assert!(error.contains("too long"), "{error}");
}

/// For how long others wait after a crash. A busy machine renews in time.
const LEASE: Duration = Duration::from_secs(6);

/// As a process of its own has it.
async fn cached(nodes: &[String], store: &str) -> Cached<RedisCache<MultiplexedConnection>> {
    let builder = Redlock::builder().urls(nodes.to_vec()).ttl(LEASE).node_timeout(LEASE / 4).wait_max(PATIENCE);
    let redlock = builder.connect().await.unwrap();
    Cached::new(redlock, RedisCache::new(connection(store).await)).store_timeout(PATIENCE)
}

fn urls(servers: &[RedisServer]) -> Vec<String> {
    servers.iter().map(RedisServer::url).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_of_each_of_three_lockers_compute_once() {
    let (nodes, store) = (servers(3), RedisServer::start());
    let runs = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let cached = cached(&urls(&nodes), &store.url()).await;
        for _ in 0..64 {
            let (cached, runs) = (cached.clone(), Arc::clone(&runs));
            tasks.push(tokio::spawn(async move {
                let compute = move || async move {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok::<_, Infallible>(vec![u8::try_from(runs.fetch_add(1, Ordering::SeqCst)).unwrap()])
                };
                cached.get_or_compute("k", TTL, compute).await.unwrap()
            }));
        }
    }
    for value in join_all(tasks).await {
        assert_eq!(&*value.unwrap(), [0]);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_value_is_refused_and_its_caller_gets_the_newer_one() {
    let (nodes, store) = (servers(3), RedisServer::start());
    let one = cached(&urls(&nodes), &store.url()).await;
    let Lookup::Miss(stale) = one.lookup("k").await.unwrap() else { panic!("there is no value") };
    // As if the process had been paused for longer than its lease lives.
    nodes.iter().for_each(|node| drop(node.command(&["EVAL", DROP_LOCKS, "0"])));
    let other = cached(&urls(&nodes), &store.url()).await;
    let newer = other.get_or_compute("k", TTL, || async { Ok::<_, Infallible>(b"newer".to_vec()) }).await.unwrap();
    assert_eq!(&*newer, b"newer");
    assert_eq!(&*stale.finish(b"stale".as_slice().into(), TTL).await.unwrap(), b"newer");
    assert_eq!(&*one.get_or_compute("k", TTL, || async { Err("was called") }).await.unwrap(), b"newer");
}

const DROP_LOCKS: &str = "for _, key in ipairs(redis.call('KEYS', '*:lock:*')) do redis.call('DEL', key) end return 0";

/// The variables that tell this program to be a process that asks for a value.
const NODES: &str = "REDFENCE_TEST_NODES";
const STORE: &str = "REDFENCE_TEST_STORE";
/// How long it computes, in ms.
const COMPUTES: &str = "REDFENCE_TEST_COMPUTES";

/// Not a real test: asks for a value, and prints when it begins to compute and what it got.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_asks() {
    let (Ok(nodes), Ok(store), Ok(ms)) = (std::env::var(NODES), std::env::var(STORE), std::env::var(COMPUTES)) else {
        return;
    };
    let nodes: Vec<String> = nodes.split(',').map(str::to_owned).collect();
    let cached = cached(&nodes, &store).await;
    let compute = move || async move {
        println!("\ncomputes");
        tokio::time::sleep(Duration::from_millis(ms.parse().unwrap())).await;
        Ok::<_, Infallible>(std::process::id().to_string().into_bytes())
    };
    let value = cached.get_or_compute("k", TTL, compute).await.unwrap();
    println!("\nvalue {}", String::from_utf8_lossy(&value));
}

/// A process that asks; it is killed when the test drops it.
struct Asks(Child, Mutex<Lines<BufReader<ChildStdout>>>);

impl Asks {
    fn start(nodes: &[RedisServer], store: &RedisServer, computes: Duration) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_process_that_asks", "--nocapture", "--test-threads=1"]);
        command.env(NODES, urls(nodes).join(",")).env(STORE, store.url());
        command.env(COMPUTES, computes.as_millis().to_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self(child, Mutex::new(lines))
    }

    /// Waits for its next line that begins with `word`; `None` if it ends before.
    fn says(&self, word: &str) -> Option<String> {
        let mut lines = self.1.lock().unwrap();
        lines.by_ref().map_while(Result::ok).find(|line| line.starts_with(word))
    }

    fn says_until_its_end(&self) -> Vec<String> {
        self.1.lock().unwrap().by_ref().map_while(Result::ok).collect()
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn processes_compute_once() {
    let (nodes, store) = (servers(3), RedisServer::start());
    let processes: Vec<_> = (0..4).map(|_| Asks::start(&nodes, &store, Duration::from_millis(300))).collect();
    let said: Vec<Vec<_>> = processes.iter().map(Asks::says_until_its_end).collect();
    let lines = |word: &str| said.iter().flatten().filter(|line| line.starts_with(word)).collect::<Vec<_>>();
    let values = lines("value");
    assert!(values.len() == processes.len() && values.iter().all(|value| value == &values[0]), "{said:?}");
    assert_eq!(lines("computes").len(), 1, "{said:?}");
}

#[test]
fn after_a_process_was_killed_another_one_computes() {
    let (nodes, store) = (servers(3), RedisServer::start());
    let mut first = Asks::start(&nodes, &store, PATIENCE);
    assert!(first.says("computes").is_some());
    let others: Vec<_> = (0..2).map(|_| Asks::start(&nodes, &store, Duration::from_millis(100))).collect();
    // Both of them wait for the lock.
    support::deadline::poll_until(PATIENCE, || {
        let waits = |node: &RedisServer| node.keys().iter().any(|key| key.contains(":queue:"));
        nodes.iter().all(waits).then_some(())
    })
    .unwrap();
    first.kill();
    let values: Vec<_> = others.iter().map(|other| other.says("value").unwrap()).collect();
    assert_eq!(values[0], values[1]);
    assert!(others.iter().any(|other| values[0] == format!("value {}", other.0.id())), "{values:?}");
}
