//! Five real servers, of which some are killed, stopped, or not started yet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::protocol::{FaultKind, Vote};
use redfence::{AcquireError, Clock as _, ConnectError, Redlock, ReleaseOutcome, SystemClock};
use support::set::{levelled, over, patiently_over, picture, proxies, through};
use support::{RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn with_two_of_five_killed_acquires_go_on() {
    let mut servers = servers(5);
    let redlock = levelled(patiently_over(&servers), "r").await;
    let before = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    servers[..2].iter_mut().for_each(RedisServer::kill);
    before.extend().await.unwrap();
    assert!(matches!(before.release().await, ReleaseOutcome::Released { nodes } if nodes.len() == 3));

    for _ in 0..20 {
        let guard = redlock.acquire("r").await.unwrap();
        guard.extend().await.unwrap();
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    }
    assert_eq!(picture(&servers[2..]), "...");
}

#[tokio::test]
async fn with_three_of_five_killed_there_is_no_quorum_and_every_node_says_why() {
    let mut servers = servers(5);
    let redlock = over(&servers).connect().await.unwrap();
    drop(redlock.acquire("r").await.unwrap().release().await);
    servers[1..4].iter_mut().for_each(RedisServer::kill);

    let mut error = redlock.try_acquire("r").await.unwrap_err();
    // The first attempts may use connections that are not yet known to be dead.
    eventually(PROMPT, "every dead server is known to be unreachable", async || {
        error = redlock.try_acquire("r").await.unwrap_err();
        let votes = error.votes().unwrap();
        votes.iter().filter(|(_, vote)| is_failure(vote, FaultKind::Unreachable)).count() == 3
    })
    .await;
    let AcquireError::NoQuorum { votes, .. } = &error else { panic!("{error}") };
    let dead: Vec<_> = votes.iter().filter(|(_, vote)| !is_well(vote)).map(|(node, _)| node.index()).collect();
    assert_eq!(dead, [1, 2, 3]);
    assert!(error.to_string().contains("3 of 5 nodes: unreachable (Connection refused"), "{error}");
    assert!(format!("{votes:?}").contains("n2: unreachable (Connection refused"), "{votes:?}");
    redlock.drain(PROMPT).await;
    assert_eq!((picture(&servers[..1]), picture(&servers[4..])), (".".into(), ".".into()), "nothing is left behind");
}

#[tokio::test]
async fn one_of_five_stopped_costs_acquire_extend_and_release_nothing() {
    let servers = servers(5);
    // A call that waited for the stopped node would take this long, and show.
    let node_timeout = Duration::from_secs(2);
    let redlock = over(&servers).ttl(Duration::from_secs(30)).node_timeout(node_timeout).connect().await.unwrap();
    let healthy = medians(&redlock).await;
    servers[3].pause();
    let stopped = medians(&redlock).await;
    for (verb, (healthy, stopped)) in ["acquire", "extend", "release"].iter().zip(healthy.into_iter().zip(stopped)) {
        let bound = healthy * 4 + node_timeout / 100;
        assert!(stopped <= bound, "{verb}: {healthy:?} with five, {stopped:?} with one of them stopped");
    }
    servers[3].resume();
    redlock.drain(PROMPT).await;
    eventually(PROMPT, "the stopped node lets go of what it was late to grant", async || picture(&servers) == ".....")
        .await;
}

#[tokio::test]
async fn nodes_that_were_down_at_the_start_are_taken_in_when_they_come_up() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    proxies[0].refuse(true);
    let redlock = through(&proxies).connect().await.unwrap();
    drop(redlock.acquire("r").await.unwrap().release().await);

    proxies[0].refuse(false);
    eventually(PROMPT, "the third node has votes", async || {
        let guard = redlock.acquire("r").await.unwrap();
        redlock.drain(PROMPT).await;
        let voted = picture(&servers) == "xxx";
        drop(guard.release().await);
        voted
    })
    .await;
    proxies[2].refuse(true);
    proxies[2].reset_all();
    drop(redlock.acquire("r").await.unwrap().release().await);
}

#[tokio::test]
async fn starting_without_a_quorum_names_every_server_that_is_missing() {
    let mut servers = servers(3);
    servers[1..].iter_mut().for_each(RedisServer::kill);
    let error = over(&servers).connect().await.unwrap_err();
    let ConnectError::NoQuorum { reached: 1, nodes: 3, needed: 2, anchor: None, unreachable } = &error else {
        panic!("{error}")
    };
    let mut missing: Vec<_> = unreachable.iter().map(|(address, _)| address.clone()).collect();
    missing.sort_unstable();
    let mut expected: Vec<_> = servers[1..].iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
    expected.sort_unstable();
    assert_eq!(missing, expected);
    let text = error.to_string();
    assert!(text.starts_with("no quorum: 1 of 3 nodes could be reached, 2 are needed; 127.0.0.1:"), "{text}");
    assert_eq!(text.matches("unreachable (Connection refused").count(), 2, "{text}");
}

#[tokio::test]
async fn s1_a_quorum_behind_a_slow_network_is_too_late_and_leaves_nothing() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    let [ttl, delay] = [500, 300].map(Duration::from_millis);
    let redlock = through(&proxies).ttl(ttl).node_timeout(Duration::from_millis(450)).connect().await.unwrap();
    proxies.iter().for_each(|proxy| proxy.set_delay_to_client(delay));
    let error = redlock.try_acquire("r").await.unwrap_err();
    match &error {
        AcquireError::TooSlow { took, left, .. } => assert!(*took >= delay && *left < ttl - delay, "{error}"),
        // On a busy machine the round may be over earlier.
        AcquireError::NoQuorum { .. } => {}
        other => panic!("{other}"),
    }
    proxies.iter().for_each(|proxy| proxy.set_delay_to_client(Duration::ZERO));
    redlock.drain(PROMPT).await;
    assert_eq!(picture(&servers), "...");
}

/// The medians of acquire, extend and release.
async fn medians(redlock: &Redlock) -> [Duration; 3] {
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..51 {
        let began = SystemClock.now();
        let guard = redlock.acquire("measured").await.unwrap();
        let acquired = SystemClock.now();
        guard.extend().await.unwrap();
        let extended = SystemClock.now();
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
        let released = SystemClock.now();
        times[0].push(acquired.since(began));
        times[1].push(extended.since(acquired));
        times[2].push(released.since(extended));
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

fn is_well(vote: &Vote) -> bool {
    matches!(vote, Vote::Granted | Vote::Pending)
}

fn is_failure(vote: &Vote, kind: FaultKind) -> bool {
    matches!(vote, Vote::Failed(fault) if fault.kind == kind)
}
