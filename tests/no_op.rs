//! A lock that does nothing: the same calls, no exclusion, and it says so.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use redfence::verifier::{MemoryStore, Rule};
use redfence::{ConfigError, ConnectError, EmbeddedNode, Guard, Redlock, ReleaseOutcome, blocking};
use support::Events;

fn no_op() -> Redlock {
    Redlock::builder().no_op().build().unwrap()
}

/// On paused time a millisecond passes only while the call waits.
async fn at_once(redlock: &Redlock) -> Guard {
    tokio::time::timeout(Duration::from_millis(1), redlock.acquire("r")).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_acquire_succeeds_at_once_and_guards_are_extended_and_released() {
    let (one, other) = (no_op(), no_op());
    // Tasks of one locker do not wait for each other either.
    let (first, second) = (at_once(&one).await, at_once(&one).await);
    let (third, fourth) = (other.try_acquire("r").await.unwrap(), other.acquire("another").await.unwrap());
    let tokens = [first.token(), second.token(), third.token(), fourth.token()];
    assert!(tokens.is_sorted_by(|token, next| token < next), "{tokens:?}");
    first.extend().await.unwrap();
    // They are renewed, as the guards of other lockers are.
    tokio::time::sleep(Duration::from_secs(100)).await;
    for guard in [first, second, third, fourth] {
        assert!(guard.check().is_ok());
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    }
}

#[tokio::test]
async fn recipes_and_hand_over_between_processes_run_over_it_too() {
    let (one, other) = (no_op(), no_op());
    let all = one.acquire_all(["a", "b"]).await.unwrap();
    let same = other.acquire_all(["b", "a"]).await.unwrap();
    drop((all.release().await, same.release().await));
    let lease = one.acquire("r").await.unwrap().into_lease();
    let token = lease.token;
    let resumed = other.resume(&lease).await.unwrap();
    assert_eq!(resumed.token(), token);
    drop(resumed.release().await);
    assert!(!one.is_locked("r").await.unwrap());
    let done = one.with_lock("r", async |guard| guard.check().is_ok()).await.unwrap();
    assert!(done);
    let permits = one.semaphore("s", 1).unwrap();
    let (permit, beyond) = (permits.acquire().await.unwrap(), permits.acquire().await.unwrap());
    drop((permit.release().await, beyond.release().await));
    let (leader, rival) = (one.election("e").unwrap().campaign().await, other.election("e").unwrap().campaign().await);
    drop((leader.unwrap().resign().await, rival.unwrap().resign().await));
}

#[tokio::test]
async fn it_says_so_when_asked_and_once_in_the_log() {
    let events = Events::captured();
    let redlock = no_op();
    assert_eq!(events.lines_with("this lock does nothing").len(), 1, "{}", events.text());
    assert!(!redlock.is_exclusive() && !redlock.with_ttl(Duration::from_secs(5)).unwrap().is_exclusive());
    drop(redlock.acquire("r").await.unwrap().release().await);
    assert_eq!(redlock.nodes()[0].address, "no-op: keeps no other holder out");
    let debug = format!("{redlock:?}");
    assert!(debug.contains("exclusive: false") && debug.contains("keeps no other holder out"), "{debug}");
    assert_eq!(events.lines_with("this lock does nothing").len(), 1, "once");
    assert!(Redlock::embedded(1).unwrap().is_exclusive());
}

#[tokio::test]
async fn its_tokens_are_stale_where_a_real_lease_wrote_and_never_above_one() {
    let real = Redlock::embedded(3).unwrap().acquire("r").await.unwrap();
    // A semaphore inspects nodes, and so sees counters.
    let inspecting = no_op();
    drop(inspecting.semaphore("s", 1).unwrap().acquire().await.unwrap().release().await);
    drop(inspecting.acquire("s").await.unwrap().release().await);
    let (early, late) = (no_op().acquire("r").await.unwrap(), no_op().acquire("r").await.unwrap());
    let (store, resource) = (MemoryStore::new(), real.resource());
    let write = |token| store.write(resource, token, Rule::AcceptEqual, || ()).is_ok();
    // In development the store sees only such tokens, and refuses the older.
    assert!(write(late.token()) && !write(early.token()));
    assert!(write(real.token()), "a real lease is never refused because of them");
    assert!(!write(no_op().acquire("r").await.unwrap().token()), "the data of real leases is safe from them");
}

#[tokio::test]
async fn it_is_never_mixed_with_nodes() {
    let with_node = Redlock::builder().node(EmbeddedNode::new()).no_op().build();
    assert!(matches!(with_node, Err(ConfigError::NoOpWithNodes)));
    let with_url = Redlock::builder().urls(["redis://127.0.0.1:1"]).no_op();
    assert!(matches!(with_url.clone().build(), Err(ConfigError::NoOpWithNodes)));
    assert!(matches!(with_url.connect().await, Err(ConnectError::Config(ConfigError::NoOpWithNodes))));
    assert!(ConfigError::NoOpWithNodes.to_string().contains("leave out no_op()"));
}

#[test]
fn programs_that_block_have_it_too() {
    let redlock = blocking::Redlock::build(Redlock::builder().no_op()).unwrap();
    let mutex = redlock.mutex("r").unwrap();
    let (first, second) = (mutex.lock().unwrap(), mutex.try_lock().unwrap());
    assert!(first.token() < second.token() && !redlock.as_async().is_exclusive());
}
