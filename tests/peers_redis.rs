//! Faults of other lock systems that involve the server, numbered as they were collected, and shown not to happen here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::{ExtendError, Holder, Label, LossCause, Lost, ReleaseOutcome, SystemClock};
use support::set::{delete_locks, levelled, lock_left, locks, over, patiently_over, picture};
use support::{Hands, RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);
const TTL: Duration = Duration::from_secs(30);
const DAY_MS: i64 = 24 * 3_600_000;

#[tokio::test]
async fn s4_a_client_whose_wall_clock_is_a_day_off_gets_a_lock_that_lives_as_long_as_any() {
    let servers = servers(3);
    for ahead_ms in [-DAY_MS, DAY_MS] {
        let hands = Hands::over(SystemClock);
        hands.set_wall_ahead_ms(ahead_ms);
        let redlock = patiently_over(&servers).clock(hands).connect().await.unwrap();
        let guard = redlock.acquire("r").await.unwrap();
        guard.extend().await.unwrap();
        redlock.drain(PROMPT).await;
        for server in &servers {
            let left = lock_left(server).expect("a lock");
            assert!(left > TTL / 2 && left <= TTL, "{left:?} with a clock {ahead_ms} ms ahead");
        }
        assert!(guard.valid_for().is_some_and(|left| left > TTL / 2 && left < TTL));
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
        redlock.drain(PROMPT).await;
    }
}

#[tokio::test]
async fn s6_an_extension_never_takes_a_lock_again_that_is_gone() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).renewed(false).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    servers[1..].iter().for_each(delete_locks);
    // Another holder may have acquired and released in between: that the lock is free now proves nothing.
    let rival = redlock.try_acquire("r").await.unwrap();
    assert!(rival.token() > guard.token());
    drop(rival.release().await);
    redlock.drain(PROMPT).await;

    let outcome = guard.extend().await;
    assert!(matches!(outcome, Err(ExtendError::Lost(Lost { cause: LossCause::Taken, .. }))), "{outcome:?}");
    redlock.drain(PROMPT).await;
    assert_eq!(picture(&servers), "x..", "and nothing was created");
    assert!(guard.check().is_err());
}

#[tokio::test]
async fn l7b_one_stopped_server_of_three_delays_no_call() {
    let servers = servers(3);
    let redlock = over(&servers).ttl(TTL).connect().await.unwrap();
    servers[1].pause();
    let guard = redlock.acquire("r").await.unwrap();
    guard.extend().await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { nodes } if nodes.len() == 2));
    redlock.with_lock("r", |lease| async move { lease.check() }).await.unwrap().unwrap();
    assert_eq!(redlock.admin().inspect("r").await.unwrap().rows.iter().filter(|row| row.view.is_err()).count(), 1);
    servers[1].resume();
    eventually(PROMPT, "nothing is left", async || picture(&servers) == "...").await;
}

#[tokio::test]
async fn s12_counters_have_no_end_survive_the_release_and_grow_after_a_restart() {
    let mut servers = servers(3);
    let first = {
        let redlock = levelled(patiently_over(&servers), "r").await;
        let guard = redlock.acquire("r").await.unwrap();
        let token = guard.token();
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
        redlock.drain(PROMPT).await;
        token
    };
    for server in &servers {
        let keys = server.keys();
        let counter = keys.iter().find(|key| key.ends_with(":token")).expect("a counter");
        assert_eq!(server.command(&["TTL", counter]), "-1", "{counter}");
    }
    // All memory is lost: the servers are empty and the locker is new.
    servers.iter_mut().for_each(RedisServer::restart);
    assert!(servers.iter().all(|server| server.keys().is_empty()));
    let second = Duration::from_secs(1);
    let builder = patiently_over(&servers).ttl(second).max_ttl(second).node_timeout(second / 4);
    let guard = builder.connect().await.unwrap().acquire("r").await.unwrap();
    assert!(guard.token() > first, "{} after {first}", guard.token());
}

#[tokio::test]
async fn s13_l15_every_lock_ends_by_itself_after_the_time_that_was_asked_for() {
    let servers = servers(1);
    for seconds in [1, 7, 29] {
        let ttl = Duration::from_secs(seconds);
        let redlock = over(&servers).ttl(ttl).renewed(false).connect().await.unwrap();
        let guard = redlock.acquire("r").await.unwrap();
        let left = lock_left(&servers[0]).expect("a lock that ends");
        assert!(left <= ttl && left > ttl.saturating_sub(Duration::from_millis(900)), "{left:?} of {ttl:?}");
        drop(guard.release().await);
    }
}

#[tokio::test]
async fn s20_a_holder_that_begins_like_another_is_not_the_holder() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).label("foobar").connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    let id = guard.holder().id();
    for label in ["foo", "foobarbaz", "", "Foobar"] {
        let alike = Holder::new(id, Label::new(label).unwrap());
        let outcome = redlock.release_as("r", &alike).await.unwrap();
        let ReleaseOutcome::TakenByOther { occupant } = outcome else { panic!("{label:?} released: {outcome:?}") };
        assert_eq!(occupant.holder(), Some(guard.holder()));
        let outcome = redlock.extend_as(guard.resource(), &alike).await;
        assert!(matches!(outcome, Err(ExtendError::Lost(_))), "{label:?}: {outcome:?}");
    }
    assert_eq!(picture(&servers), "xxx");
    guard.extend().await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
}

#[tokio::test]
async fn s21_a_stale_holder_does_not_release_the_lock_of_another() {
    let servers = servers(3);
    let [ttl, node_timeout] = [1_000, 900].map(Duration::from_millis);
    let redlock = over(&servers).ttl(ttl).node_timeout(node_timeout).renewed(false).connect().await.unwrap();
    let stale = redlock.acquire("r").await.unwrap();
    eventually(PROMPT, "its locks have ended", async || picture(&servers) == "...").await;
    let other = redlock.with_ttl(TTL).unwrap().acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    let outcome = stale.release().await;
    assert!(matches!(&outcome, ReleaseOutcome::TakenByOther { occupant } if occupant.holder() == Some(other.holder())));
    redlock.drain(PROMPT).await;
    assert_eq!(picture(&servers), "xxx");
    assert!(matches!(other.release().await, ReleaseOutcome::Released { .. }));
}

#[tokio::test]
async fn l14_a_lock_and_its_counter_lie_in_one_slot_of_a_redis_cluster() {
    let servers = servers(1);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    // Names that try to choose a slot themselves.
    for name in ["plain", "{tag}name", "a}b{c", "{}", "ünïcode"] {
        let guard = redlock.acquire(name).await.unwrap();
        let keys = servers[0].keys();
        let lock = locks(&servers[0]).pop().unwrap();
        let tag = hash_tag(&lock);
        assert!(keys.iter().any(|key| key.ends_with(":token") && hash_tag(key) == tag), "{name}: {keys:?}");
        drop(guard.release().await);
        redlock.drain(PROMPT).await;
    }
}

/// The part of a key that Redis Cluster hashes: the text between the first `{` and the next `}`.
fn hash_tag(key: &str) -> &str {
    let (_, after) = key.split_once('{').expect("a tag");
    let (tag, _) = after.split_once('}').expect("a closed tag");
    assert!(!tag.is_empty());
    tag
}
