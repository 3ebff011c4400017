//! Locks under plain names: redfence and other programs that lock by `SET NX` exclude each other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::admin::Agreement;
use redfence::cached::{Cached, CachedError, IfUnavailable, MemoryCache};
use redfence::doctor::Outcome;
use redfence::node::redis::Prefix;
use redfence::{AcquireError, ExtendError, IfHeld, KeyStyle, NodeId, Occupant, Redlock, Resource};
use support::set::{over, patiently_over};
use support::{RedisServer, eventually, servers};

const LIMIT: Duration = Duration::from_secs(20);

async fn plain(servers: &[RedisServer], style: &str) -> Redlock {
    patiently_over(servers).key_style(style.parse().unwrap()).connect().await.unwrap()
}

/// Another client takes the lock on some servers, as `SET NX` does.
fn take(servers: &[RedisServer], key: &str, terms: &[&str]) -> usize {
    let words = [&["SET", key, "8a6e0804-2bd0-4672-b79d-d97027f9071a", "NX"], terms].concat();
    servers.iter().filter(|server| server.command(&words) == "OK").count()
}

#[tokio::test]
async fn a_plain_lock_is_the_key_that_other_clients_use() {
    let servers = servers(3);
    let redlock = plain(&servers, "plain:app:{}:lock").await;
    let guard = redlock.acquire("invoice").await.unwrap();
    redlock.drain(LIMIT).await;
    assert_eq!(take(&servers, "app:invoice:lock", &["PX", "10000"]), 0, "no other client gets the lock");
    assert_eq!(take(&servers, "invoice", &["PX", "10000"]), 3, "another key is another lock");
    drop(guard.release().await);
    redlock.drain(LIMIT).await;
    assert_eq!(take(&servers, "app:invoice:lock", &["PX", "10000"]), 3, "a release frees the key");
    let error = redlock.try_acquire("invoice").await.unwrap_err();
    let AcquireError::Contended { votes, .. } = &error else { panic!("{error}") };
    assert!(matches!(votes.occupant(), Some((Occupant::Foreign(_), Some(_)))), "{votes:?}");
    let message = error.to_string();
    assert!(message.contains("held by a foreign client (\"8a6e0804-2bd0-4672-b79d-d97027f9071a\") for"), "{message}");
    // The native style has another key: its lockers and these do not exclude each other.
    let native = patiently_over(&servers).connect().await.unwrap();
    drop(native.acquire("invoice").await.unwrap().release().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_release_is_noticed_although_it_wakes_no_waiter() {
    let servers = servers(3);
    let redlock = plain(&servers, "plain").await;
    assert_eq!(take(&servers, "r", &["PX", "600000"]), 3);
    let waiter = tokio::spawn({
        let redlock = redlock.clone();
        async move { redlock.acquire_within("r", LIMIT).await }
    });
    let queue = Prefix::default().queue(&Resource::new("r").unwrap());
    eventually(LIMIT, "it waits", async || servers.iter().all(|server| server.command(&["ZCARD", &queue]) == "1"))
        .await;
    servers.iter().for_each(|server| drop(server.command(&["DEL", "r"])));
    let guard = waiter.await.unwrap().expect("polled, long before the foreign lock would have ended");
    drop(guard.release().await);
}

#[tokio::test]
async fn a_waiter_of_redfence_is_woken_under_plain_names_as_well() {
    let servers = servers(1);
    let (holder, waiter) = (plain(&servers, "plain").await, plain(&servers, "plain").await);
    let guard = holder.acquire("r").await.unwrap();
    let task = tokio::spawn(async move { waiter.acquire_within("r", LIMIT).await });
    let queue = Prefix::default().queue(&Resource::new("r").unwrap());
    eventually(LIMIT, "it waits", async || servers[0].command(&["ZCARD", &queue]) == "1").await;
    drop(guard.release().await);
    // The lock of 30 s was not waited for, and nothing else ends the sleep of a waiter that is in the queue.
    drop(task.await.unwrap().unwrap().release().await);
}

#[tokio::test]
async fn a_foreign_lock_without_a_time_to_live_is_an_error_of_its_own() {
    let servers = servers(3);
    let redlock = plain(&servers, "plain").await;
    assert_eq!(take(&servers[..2], "r", &[]), 2);
    for wait in [Duration::ZERO, Duration::from_millis(300)] {
        let error = redlock.acquire_within("r", wait).await.unwrap_err();
        assert!(matches!(&error, AcquireError::HeldWithoutTtl { occupant, .. } if occupant.is_foreign()), "{error:?}");
        let message = error.to_string();
        assert!(message.starts_with("held without a time to live by a foreign client (\"8a6e"), "{message}");
        assert!(message.contains("it never ends by itself") && message.contains("delete the lock's key"), "{message}");
    }
    // It is held all the same: it is skipped, and no value is computed as if there were no lock.
    assert!(redlock.acquire_with("r", IfHeld::Skip).await.unwrap().is_none());
    let cached = Cached::new(redlock.clone(), MemoryCache::new(8)).if_unavailable(IfUnavailable::Compute);
    let found = cached.wait_max(Duration::from_millis(50)).lookup("r").await;
    assert!(matches!(found.err(), Some(CachedError::Acquire(AcquireError::HeldWithoutTtl { .. }))));
    // One node alone does not stop a quorum.
    servers[0].command(&["DEL", "r"]);
    drop(redlock.acquire("r").await.unwrap().release().await);
}

#[tokio::test]
async fn a_hash_at_the_key_is_named() {
    let servers = servers(1);
    let redlock = plain(&servers, "plain").await;
    servers[0].command(&["HSET", "r", "8743c9c0-0795-4907-87fd-6c719a6b4586:1", "1"]);
    let error = redlock.try_acquire("r").await.unwrap_err().to_string();
    assert!(
        error.contains("the key of the lock holds no string: a client such as Redisson locks by a hash"),
        "{error}"
    );
    let seen = redlock.admin().inspect("r").await.unwrap();
    let fault = seen.rows[0].view.as_ref().unwrap_err().to_string();
    assert!(fault.contains("a client such as Redisson"), "{fault}");
    assert_eq!(servers[0].command(&["HLEN", "r"]), "1", "it is left alone");
}

#[tokio::test]
async fn list_and_reset_touch_no_key_of_another_program() {
    let servers = servers(1);
    for style in ["plain", "plain:app:"] {
        let redlock = plain(&servers, style).await;
        let guard = redlock.acquire("mine").await.unwrap();
        let foreign = ["theirs", "app:theirs", "app:0123"];
        for key in foreign {
            servers[0].command(&["SET", key, "0123456789abcdef0123456789ABCDEF"]);
        }
        servers[0].command(&["HSET", "app:hash", "f", "1"]);
        let listing = redlock.admin().list("", 10).await;
        let names: Vec<_> = listing.locks.iter().map(|lock| lock.resource.as_str()).collect();
        assert_eq!(names, ["mine"], "{style}");
        let _ = guard.into_lease();
        let reset = redlock.admin().reset().await.unwrap();
        assert_eq!(reset.removed[0].1, 1, "{style}: only its own lock");
        for key in foreign.into_iter().chain(["app:hash"]) {
            assert_eq!(servers[0].command(&["EXISTS", key]), "1", "{style}: {key}");
        }
    }
}

#[tokio::test]
async fn a_member_of_a_cluster_refuses_plain_names() {
    let server = RedisServer::bare_with(&["--cluster-enabled", "yes"]);
    let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
    let words: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    server.command(&words);
    eventually(LIMIT, "the cluster is up", async || server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        .await;
    let servers = [server];
    let builder = over(&servers).key_style(KeyStyle::PLAIN);
    let refusal = match builder.connect().await {
        Ok(redlock) => redlock.try_acquire("r").await.unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(refusal.contains("cluster"), "{refusal}");
}

#[tokio::test]
async fn the_doctor_names_foreign_locks_without_a_time_to_live() {
    let servers = servers(1);
    let redlock = plain(&servers, "plain:app:").await;
    let verdict = async |redlock: &Redlock| {
        let report = redlock.doctor().await;
        report.findings.into_iter().find(|finding| finding.check == "foreign").map(|finding| finding.outcome)
    };
    assert!(matches!(verdict(&redlock).await, Some(Outcome::Ok(_))));
    servers[0].command(&["SET", "app:job", "value of another client"]);
    servers[0].command(&["SET", "job", "no lock"]);
    let Some(Outcome::Bad { what, .. }) = verdict(&redlock).await else { panic!("not found") };
    assert_eq!(what, "1 lock of other clients without a time to live, such as \"app:job\"");
    assert!(matches!(verdict(&plain(&servers, "plain").await).await, Some(Outcome::Unknown { .. })));
    assert_eq!(verdict(&over(&servers).connect().await.unwrap()).await, None, "the native style has no such locks");
}

#[tokio::test]
async fn an_anchor_must_grant_and_extend() {
    let servers = servers(3);
    let urls = || patiently_over(&servers).key_style(KeyStyle::PLAIN);
    let anchored = urls().anchor(NodeId::new(0)).connect().await.unwrap();
    let guard = anchored.acquire("r").await.unwrap();
    assert_eq!(take(&servers[..1], "r", &["PX", "60000"]), 0, "a client of one node is excluded");
    guard.extend().await.unwrap();
    // The lock on the anchor alone is gone, and another program takes it: the others are no quorum.
    servers[0].command(&["DEL", "r"]);
    assert_eq!(take(&servers[..1], "r", &["PX", "60000"]), 1);
    assert!(matches!(guard.extend().await, Err(ExtendError::Lost(_))));
    assert!(guard.check().is_err());
    drop(guard.release().await);
    let error = anchored.try_acquire("r").await.unwrap_err();
    assert!(matches!(error, AcquireError::Contended { .. }), "{error}");
    let seen = anchored.admin().inspect("r").await.unwrap();
    assert!(matches!(seen.agreement(), Agreement::HeldBy(Occupant::Foreign(_))), "{seen:?}");
    // Without the anchor, two of three nodes are a quorum.
    let free = urls().connect().await.unwrap();
    drop(free.acquire("r").await.unwrap().release().await);
    let error = urls().anchor(NodeId::new(3)).connect().await.unwrap_err().to_string();
    assert!(error.contains("node 4 cannot be the anchor, because there are 3 nodes"), "{error}");
}
