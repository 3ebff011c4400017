//! Redfence and another client of locks add to one counter that nothing else protects. The count must be exact.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mixed_fleet::{Count, Counter};
use redfence::{KeyStyle, NodeId, Redlock};
use rslock::LockManager;
use support::deadline::poll_until;
use support::redis::{RedisServer, servers};
use tempfile::TempDir;

/// For everything that has to come.
const LIMIT: Duration = Duration::from_secs(240);
/// How often redfence adds, and how often each of two processes of the other client does.
const ROUNDS: u64 = 20;
const PROCESSES: u64 = 2;
/// Between two turns, so that the others come in between.
const PAUSE: Duration = Duration::from_millis(2);

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A program of `clients/`, with the packages that scripts/test installs.
fn program(script: &str) -> Command {
    let script_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let (program, script_path): (PathBuf, PathBuf) = match script {
        "counter.py" => (root().join("target/servers/clients/bin/python"), script_path),
        // node looks for packages beside the script.
        _ => ("node".into(), root().join("target/servers/node-clients").join(script)),
    };
    let missing = script_path.display();
    assert!(script_path.exists(), "{missing} is missing: run scripts/test once, which installs the other clients");
    let mut command = Command::new(program);
    command.arg(script_path);
    command
}

fn start(script: &str, client: &str, counter: &Counter, servers: &[RedisServer]) -> Child {
    let mut command = program(script);
    command.arg(client).arg(counter.path()).arg(ROUNDS.to_string()).args(servers.iter().map(RedisServer::url));
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    started.unwrap_or_else(|error| {
        panic!("{command:?} cannot be started ({error}): run scripts/test once, which installs it")
    })
}

fn finish(mut child: Child) {
    let ended = poll_until(LIMIT, || child.try_wait().unwrap());
    let Ok(status) = ended else {
        let _ = child.kill();
        panic!("the other client did not end");
    };
    let mut said = String::new();
    std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert!(status.success(), "{status}: {said}");
}

async fn locker(servers: &[RedisServer], style: KeyStyle) -> Redlock {
    let limit = Duration::from_secs(3);
    let builder = Redlock::builder().urls(servers.iter().map(RedisServer::url)).new_installation(true);
    builder.ttl(Duration::from_secs(30)).node_timeout(limit).key_style(style).connect().await.unwrap()
}

/// Redfence adds, with two tasks, and lets the others in between.
async fn add_by_redfence(redlock: &Redlock, counter: &Counter) {
    let task = || async {
        for _ in 0..ROUNDS / 2 {
            let guard = redlock.acquire_within("counter", LIMIT).await.unwrap();
            tokio::task::block_in_place(|| counter.add("redfence")).unwrap();
            drop(guard.release().await);
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::join!(task(), task());
}

async fn contends(nodes: usize, style: &str, script: &str, client: &str) {
    let (servers, dir) = (servers(nodes), TempDir::new().unwrap());
    let counter = Counter::at(dir.path().join("counter")).unwrap();
    let redlock = locker(&servers, style.parse().unwrap()).await;
    contend(&redlock, &counter, &servers[0], || start(script, client, &counter, &servers)).await;
}

/// Redfence has the lock until the others have asked in vain. Then all of them contend.
async fn contend(redlock: &Redlock, counter: &Counter, server: &RedisServer, start: impl Fn() -> Child) {
    let guard = redlock.acquire("counter").await.unwrap();
    let before = asked(server);
    let others: Vec<Child> = (0..PROCESSES).map(|_| start()).collect();
    let have_asked = || poll_until(LIMIT, || (asked(server) > before + PROCESSES).then_some(()));
    let have_asked = tokio::task::block_in_place(have_asked).is_ok();
    let during = counter.read().unwrap().number;
    tokio::task::block_in_place(|| counter.add("redfence")).unwrap();
    drop(guard.release().await);
    if have_asked {
        add_by_redfence(redlock, counter).await;
    }
    tokio::task::block_in_place(|| others.into_iter().for_each(finish));
    assert!(have_asked, "the other clients never asked");
    assert_eq!(during, 0, "another client got the lock that redfence has");
    exact(counter);
}

/// How often a client has tried to take a lock on a server: each begins with one of these commands.
fn asked(server: &RedisServer) -> u64 {
    let stats = server.command(&["INFO", "commandstats"]);
    let begins = |line: &&str| line.starts_with("cmdstat_set:") || line.starts_with("cmdstat_exists:");
    let calls = |line: &str| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    stats.lines().filter(begins).filter_map(calls).sum()
}

fn exact(counter: &Counter) {
    let Count { number, turns, .. } = counter.read().unwrap();
    assert_eq!(number, 1 + ROUNDS * (1 + PROCESSES), "a number was lost: they did not exclude each other");
    assert!(turns >= 2, "the other clients never added after redfence");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_redlock() {
    contends(3, "plain", "counter.mjs", "node_redlock").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pottery() {
    contends(3, "plain:redlock:", "counter.py", "pottery").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_py_on_one_node() {
    contends(1, "plain", "counter.py", "redis_py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_py_without_a_time_to_live() {
    contends(1, "plain", "counter.py", "redis_py_endless").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_redis_lock_on_one_node() {
    contends(1, "plain:lock:", "counter.py", "python_redis_lock").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn django_redis_on_one_node() {
    contends(1, "plain::1:", "counter.py", "django_redis").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rslock() {
    let (servers, dir) = (servers(3), TempDir::new().unwrap());
    let counter = Counter::at(dir.path().join("counter")).unwrap();
    let redlock = locker(&servers, KeyStyle::PLAIN).await;
    let manager = LockManager::new(servers.iter().map(RedisServer::url).collect());
    let other = || async {
        for _ in 0..ROUNDS {
            let lock = loop {
                match manager.lock(b"counter".as_slice(), Duration::from_secs(10)).await {
                    Ok(lock) => break lock,
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            };
            tokio::task::block_in_place(|| counter.add("rslock")).unwrap();
            manager.unlock(&lock).await;
        }
    };
    let guard = redlock.acquire("counter").await.unwrap();
    assert!(manager.lock(b"counter".as_slice(), Duration::from_secs(10)).await.is_err());
    tokio::task::block_in_place(|| counter.add("redfence")).unwrap();
    drop(guard.release().await);
    let all = async { tokio::join!(add_by_redfence(&redlock, &counter), other(), other()) };
    tokio::time::timeout(LIMIT, all).await.expect("they take turns");
    exact(&counter);
}

/// A one-node client and an anchor: redfence has three nodes, and the other client knows only the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_py_while_the_fleet_grows() {
    let (servers, dir) = (servers(3), TempDir::new().unwrap());
    let counter = Counter::at(dir.path().join("counter")).unwrap();
    let urls = servers.iter().map(RedisServer::url);
    let builder = Redlock::builder().urls(urls).new_installation(true).node_timeout(Duration::from_secs(3));
    let builder = builder.ttl(Duration::from_secs(30)).key_style(KeyStyle::PLAIN).anchor(NodeId::new(0));
    let redlock = builder.connect().await.unwrap();
    contend(&redlock, &counter, &servers[0], || start("counter.py", "redis_py", &counter, &servers[..1])).await;
}
