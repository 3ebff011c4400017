//! Dropping an acquire at any await point, over real servers: no key is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::{Redlock, ReleaseOutcome};
use support::polls::{polled, polled_every_turn};
use support::set::{counter_of, over, patiently_over, picture, proxies, through};
use support::{RedisServer, eventually, servers};

const WHILE: Duration = Duration::from_millis(200);
const PROMPT: Duration = Duration::from_secs(10);
/// So long that no test sees a lock end by itself.
const TTL: Duration = Duration::from_secs(30);

#[tokio::test]
async fn l4_acquire_dropped_after_any_number_of_polls_leaves_no_key() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let mut polls = 0;
    while polled(redlock.acquire("r"), polls).await.map(drop).is_none() {
        nothing_is_left(&redlock, &servers, polls).await;
        polls += 1;
    }
    nothing_is_left(&redlock, &servers, polls).await;
    assert!(polls >= 2, "it was ready at poll {polls}");
}

#[tokio::test]
async fn l4_acquire_dropped_between_any_two_steps_of_the_runtime_leaves_no_key() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let mut acquired = 0;
    for turns in 0..120 {
        // Counters that disagree, so that some acquires are dropped in the seal round.
        disagree(&servers, turns);
        acquired += usize::from(polled_every_turn(redlock.acquire("r"), turns).await.map(drop).is_some());
        nothing_is_left(&redlock, &servers, turns).await;
    }
    assert!(acquired < 120);
}

#[tokio::test]
async fn l4_acquire_dropped_while_it_waits_for_another_holder_leaves_that_lock_alone() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let rival = patiently_over(&servers).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    for polls in 0..8 {
        // A waiting future may not be polled often enough: it is dropped after `polls` polls, or after a while.
        let gave_up = tokio::time::timeout(WHILE, polled(rival.acquire("r"), polls)).await;
        assert!(gave_up.ok().flatten().is_none());
    }
    rival.drain(PROMPT).await;
    guard.extend().await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    redlock.drain(PROMPT).await;
    assert_eq!(picture(&servers), "...");
}

#[tokio::test]
async fn l5_a_release_never_overtakes_the_grant_it_undoes() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = through(&proxies).ttl(TTL).connect().await.unwrap();
    for (there, back) in [(40, 0), (0, 40), (30, 30)].map(|(t, b)| (Duration::from_millis(t), Duration::from_millis(b)))
    {
        for proxy in &proxies[1..] {
            proxy.set_delay_to_server(there);
            proxy.set_delay_to_client(back);
        }
        assert!(polled(redlock.acquire("r"), 1).await.is_none());
        for given_up_after in [5, 20, 35].map(Duration::from_millis) {
            drop(tokio::time::timeout(given_up_after, redlock.acquire("r")).await);
        }
        redlock.drain(PROMPT).await;
        assert_eq!(picture(&servers), "...", "{there:?} there and {back:?} back");
    }
}

#[tokio::test]
async fn a_grant_that_reaches_a_server_after_its_connection_was_given_up_is_rolled_back() {
    let servers = servers(1);
    let short = Duration::from_millis(100);
    let builder = over(&servers).ttl(TTL).node_timeout(short).response_timeout(short).dial_timeout(short);
    let redlock = builder.connect().await.unwrap();
    // The server knows the scripts from here on.
    drop(redlock.acquire("r").await.unwrap().release().await);
    let counter = counter_of("r");
    let before = servers[0].command(&["GET", &counter]);
    // The server is frozen: the grant waits in its socket while the connection times out and is dropped.
    servers[0].pause();
    let error = redlock.try_acquire("r").await.unwrap_err();
    assert!(error.to_string().contains("timed out"), "{error}");
    eventually(PROMPT, "the connection is given up", async || {
        redlock.try_acquire("r").await.unwrap_err().to_string().contains("unreachable")
    })
    .await;
    servers[0].resume();
    eventually(PROMPT, "the grant took effect, and was undone", async || {
        servers[0].command(&["GET", &counter]) > before && picture(&servers) == "."
    })
    .await;
    eventually(PROMPT, "the node is in use again", async || redlock.try_acquire("r").await.is_ok()).await;
}

/// Waits until the servers have handled all requests. Then there must be no lock, without any further wait.
async fn nothing_is_left(redlock: &Redlock, servers: &[RedisServer], count: usize) {
    redlock.drain(PROMPT).await;
    assert_eq!(picture(servers), "...", "dropped after {count}");
}

/// Makes one of the counters far greater than the others.
fn disagree(servers: &[RedisServer], count: usize) {
    servers[count % servers.len()].command(&["INCRBY", &counter_of("r"), "1000"]);
}
