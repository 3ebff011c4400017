//! The errors that a real server can answer: each has its own message, and none leads to a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use redfence::node::ask;
use redfence::node::redis::{Address, RedisNode, RedisNodeOptions};
use redfence::protocol::{FaultKind, Reply, Request, Subject, Verb, Vote};
use redfence::{AcquireError, ConnectError, ExtendError, Redlock, ReleaseOutcome};
use support::set::{key_of_a_lock, locks, patiently_over, picture};
use support::{Events, RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);
const PASSWORD: &str = "open-sesame";

#[tokio::test]
async fn scripts_that_the_server_was_told_to_forget_are_sent_anew() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    for _ in 0..3 {
        let guard = redlock.acquire("r").await.unwrap();
        forget_scripts(&servers);
        guard.extend().await.unwrap();
        forget_scripts(&servers);
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
        assert!(redlock.admin().inspect("r").await.unwrap().rows.iter().all(|row| row.view.is_ok()));
        forget_scripts(&servers);
    }
    let guard = redlock.acquire("r").await.unwrap();
    forget_scripts(&servers);
    drop(guard);
    redlock.drain(PROMPT).await;
    assert_eq!(picture(&servers), "...", "a release heals, too");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_extends_seals_and_releases_nothing() {
    let server = RedisServer::start();
    let redlock = one(&server).await;
    let guard = redlock.acquire("r").await.unwrap();
    let node = RedisNode::open(Address::parse(&server.url()).unwrap(), RedisNodeOptions::default()).unwrap();
    let subject = Arc::new(Subject::new(guard.resource().clone(), guard.holder().clone()));
    let fault_of =
        async |verb: &Verb| match ask(&node, Request { subject: Arc::clone(&subject), verb: verb.clone() }).await {
            Reply::Failed(fault) => fault.kind,
            other => panic!("{verb:?} was answered {other:?}"),
        };
    let token = guard.token().get() + 1;
    assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "1"]), "OK");
    assert_eq!(fault_of(&Verb::Seal { token }).await, FaultKind::OutOfMemory);
    assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
    // Its master does not exist: the server keeps its data, and takes no writes.
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let ttl = Duration::from_secs(30);
    for verb in [Verb::Seal { token }, Verb::Extend { ttl }, Verb::RELEASE] {
        assert_eq!(fault_of(&verb).await, FaultKind::ReadOnly, "{verb:?}");
    }
    let outcome = guard.extend().await;
    assert!(matches!(outcome, Err(ExtendError::NoQuorum { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_lock_key_of_another_type_is_reported() {
    let server = RedisServer::start();
    let redlock = one(&server).await;
    let key = key_of_a_lock(&redlock, &server).await;
    server.command(&["RPUSH", &key, "not", "a", "lock"]);
    let message = refusal(&redlock, FaultKind::WrongType).await;
    assert!(message.contains("1 of 1 nodes: wrong type of key (WRONGTYPE "), "{message}");
    assert_eq!(server.command(&["TYPE", &key]), "list", "and it is left alone");
}

#[tokio::test]
async fn a_counter_of_another_type_is_reported_and_leaves_no_lock() {
    let server = RedisServer::start();
    let redlock = one(&server).await;
    let key = key_of_a_counter(&redlock, &server).await;
    server.command(&["DEL", &key]);
    server.command(&["SADD", &key, "not a counter"]);
    let message = refusal(&redlock, FaultKind::WrongType).await;
    assert!(message.contains("wrong type of key"), "{message}");
    redlock.drain(PROMPT).await;
    assert_eq!(locks(&server), [""; 0], "the script had taken the lock before it came to the counter");
}

#[tokio::test]
async fn a_counter_that_is_no_number_is_reported_and_leaves_no_lock() {
    let server = RedisServer::start();
    let redlock = one(&server).await;
    let key = key_of_a_counter(&redlock, &server).await;
    for (value, kind) in [("a word", FaultKind::WrongType), ("9007199254740991", FaultKind::Unexpected)] {
        server.command(&["SET", &key, value]);
        refusal(&redlock, kind).await;
        redlock.drain(PROMPT).await;
        assert_eq!(locks(&server), [""; 0], "{value}");
    }
}

#[tokio::test]
async fn a_full_server_is_reported() {
    let server = RedisServer::start();
    let redlock = one(&server).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let message = refusal(&redlock, FaultKind::OutOfMemory).await;
    assert!(message.contains("1 of 1 nodes: out of memory (OOM "), "{message}");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(redlock.try_acquire("r").await.is_ok(), "and it recovers by itself");
}

#[tokio::test]
async fn a_lease_on_servers_that_have_filled_up_can_still_be_released() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    for server in &servers {
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    }
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    redlock.drain(PROMPT).await;
    assert_eq!(picture(&servers), "...");
}

#[tokio::test]
async fn a_read_only_replica_is_reported() {
    let main = RedisServer::start();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &main.port().to_string()]);
    let redlock = one(&replica).await;
    let message = refusal(&redlock, FaultKind::ReadOnly).await;
    assert!(message.contains("1 of 1 nodes: read-only replica (READONLY "), "{message}");
}

#[tokio::test]
async fn a_server_that_cannot_save_is_reported() {
    let server = RedisServer::start();
    let redlock = one(&server).await;
    server.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    if !server.is_redis_7() {
        assert!(redlock.try_acquire("r").await.is_ok(), "Redis 6.2 asks for no replicas when a script writes");
        return;
    }
    let message = refusal(&redlock, FaultKind::WritesRefused).await;
    assert!(message.contains("1 of 1 nodes: refuses writes (NOREPLICAS "), "{message}");
}

#[tokio::test]
async fn a_missing_permission_is_reported() {
    let server = RedisServer::start();
    server.command(&["ACL", "SETUSER", "reader", "on", ">pass", "~*", "+@all", "-evalsha", "-eval"]);
    server.command(&["ACL", "SETUSER", "elsewhere", "on", ">pass", "~other:*", "+@all"]);
    for user in ["reader", "elsewhere"] {
        let url = format!("redis://{user}:pass@127.0.0.1:{}", server.port());
        let redlock = Redlock::connect([url]).await.unwrap();
        let message = refusal(&redlock, FaultKind::NoPermission).await;
        assert!(message.contains("1 of 1 nodes: no permission (NOPERM "), "{user}: {message}");
        assert_eq!(locks(&server), [""; 0]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_reported_and_never_shown() {
    let events = Events::captured();
    let server = RedisServer::with(&["--requirepass", "another"]);
    let urls = [
        format!("redis://:{PASSWORD}@127.0.0.1:{}", server.port()),
        format!("redis://default:{PASSWORD}@127.0.0.1:{}/2", server.port()),
    ];
    for url in urls {
        let builder = Redlock::builder().urls([url]);
        assert!(!format!("{builder:?}").contains(PASSWORD), "{builder:?}");
        let error = builder.connect().await.unwrap_err();
        let ConnectError::NoQuorum { unreachable, .. } = &error else { panic!("{error}") };
        assert_eq!(unreachable[0].1.kind, FaultKind::Authentication, "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("authentication failed (") && !text.contains(PASSWORD), "{text}");
    }
    assert!(events.text().contains("authentication failed") && !events.text().contains(PASSWORD), "{}", events.text());
}

#[tokio::test]
async fn a_missing_password_is_reported() {
    let server = RedisServer::with(&["--requirepass", PASSWORD]);
    let message = match Redlock::connect([server.url()]).await {
        Err(error) => error.to_string(),
        Ok(redlock) => refusal(&redlock, FaultKind::Authentication).await,
    };
    assert!(message.contains("authentication failed (") && message.contains("NOAUTH"), "{message}");
}

#[tokio::test]
async fn a_password_that_is_changed_under_way_is_reported_and_never_shown() {
    let events = Events::captured();
    let server = RedisServer::start();
    server.command(&["ACL", "SETUSER", "app", "on", &format!(">{PASSWORD}"), "~*", "+@all"]);
    let url = format!("redis://app:{PASSWORD}@127.0.0.1:{}", server.port());
    let redlock = Redlock::connect([url]).await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    let shown = format!("{redlock:?} {guard:?} {:?} {:?}", redlock.admin().inspect("r").await, redlock.addresses());
    assert!(!shown.contains(PASSWORD), "{shown}");
    drop(guard.release().await);

    server.command(&["ACL", "SETUSER", "app", "resetpass", ">changed"]);
    server.command(&["CLIENT", "KILL", "USER", "app"]);
    let message = refusal(&redlock, FaultKind::Authentication).await;
    assert!(message.contains("authentication failed") && !message.contains(PASSWORD), "{message}");
    assert!(!events.text().contains(PASSWORD), "{}", events.text());
}

#[tokio::test]
async fn one_broken_server_of_three_is_outvoted() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let key = key_of_a_lock(&redlock, &servers[0]).await;
    servers[0].command(&["RPUSH", &key, "not", "a", "lock"]);
    let guard = redlock.acquire("r").await.unwrap();
    guard.extend().await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { nodes } if nodes.len() == 2));
}

async fn one(server: &RedisServer) -> Redlock {
    patiently_over(std::slice::from_ref(server)).connect().await.unwrap()
}

/// Tries until the server answers with this kind of fault: requests that were under way may still meet the old state.
async fn refusal(redlock: &Redlock, kind: FaultKind) -> String {
    let mut message = String::new();
    eventually(PROMPT, &format!("{kind:?}"), async || {
        let Err(error) = redlock.try_acquire("r").await else { return false };
        message = error.to_string();
        let AcquireError::NoQuorum { votes, .. } = &error else { return false };
        votes.iter().all(|(_, vote)| matches!(vote, Vote::Failed(fault) if fault.kind == kind))
    })
    .await;
    message
}

async fn key_of_a_counter(redlock: &Redlock, server: &RedisServer) -> String {
    key_of_a_lock(redlock, server).await.replace(":lock:r", ":token")
}

fn forget_scripts(servers: &[RedisServer]) {
    for server in servers {
        assert_eq!(server.command(&["SCRIPT", "FLUSH"]), "OK");
    }
}
