//! What operators do, on real servers: list locks, remove a lock, reset.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::time::Duration;

use redfence::admin::{Agreement, ForceOutcome, ResetError, Row};
use redfence::node::redis::Prefix;
use redfence::{AcquireError, Holder, IfHeld, LossCause, NodeCondition, Redlock, Resource};
use support::set::{counter_of, delete_locks, over, patiently_over, picture};
use support::{RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);

async fn connected(servers: &[RedisServer]) -> Redlock {
    let redlock = patiently_over(servers).connect().await.unwrap();
    redlock.drain(PROMPT).await;
    redlock
}

fn names(listing: &redfence::admin::Listing) -> Vec<(&str, usize)> {
    listing.locks.iter().map(|lock| (lock.resource.as_str(), lock.nodes)).collect()
}

#[tokio::test]
async fn a_listing_shows_locks_of_any_name() {
    let servers = servers(3);
    let redlock = connected(&servers).await;
    let mut guards = Vec::new();
    for name in ["plain", "glob*", "glob[a]", "brace}:lock:x", "Köln"] {
        guards.push(redlock.acquire(name).await.unwrap());
    }
    redlock.drain(PROMPT).await;
    // Keys with a longer prefix, without a slot, and of another type.
    let foreign = Prefix::new("redfence:9").unwrap().lock(&Resource::new("foreign").unwrap());
    servers[0].command(&["SET", &foreign, "somebody"]);
    servers[0].command(&["SET", "{redfence:1}:lock:plain", "somebody"]);
    servers[0].command(&["LPUSH", "{redfence:2}:lock:list", "somebody"]);

    let all = redlock.admin().list("", 1_000).await;
    assert!(all.partial.is_none(), "{all:?}");
    assert_eq!(names(&all), [("Köln", 3), ("brace}:lock:x", 3), ("glob*", 3), ("glob[a]", 3), ("plain", 3)]);
    assert!(all.locks.iter().all(|lock| lock.ttl_left.is_some_and(|left| left <= Duration::from_secs(30))));
    assert_eq!(names(&redlock.admin().list("glob*", 1_000).await), [("glob*", 3)]);
    let some = redlock.admin().list("", 2).await;
    assert_eq!((some.locks.len(), some.partial.unwrap().left_off), (2, 3));
    for guard in guards {
        drop(guard.release().await);
    }
}

#[tokio::test]
async fn a_listing_walks_over_more_keys_than_one_step_looks_at_and_says_who_did_not_answer() {
    let mut servers = servers(3);
    let redlock = over(&servers).connect().await.unwrap();
    redlock.drain(PROMPT).await;
    for server in &servers {
        server.command(&["EVAL", "for n = 1, 5000 do redis.call('SET', 'other:' .. n, n) end", "0"]);
    }
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    assert_eq!(names(&redlock.admin().list("", 10).await), [("r", 3)]);
    servers[2].kill();
    let listing = redlock.admin().list("", 10).await;
    let partial = listing.partial.as_ref().expect("a node is missing");
    assert_eq!((names(&listing), partial.unanswered.len()), (vec![("r", 2)], 1));
    assert!(partial.to_string().starts_with("no answer from 127.0.0.1:"), "{partial}");
    drop(guard.release().await);
}

#[tokio::test]
async fn r15_a_node_that_forgot_is_not_free() {
    let mut servers = servers(3);
    servers[2].restart();
    let redlock = connected(&servers).await;
    let seen = redlock.admin().inspect("r").await.unwrap();
    assert_eq!(
        (seen.agreement(), seen.count(Row::is_free), seen.count(Row::may_have_forgotten)),
        (Agreement::Free, 2, 1)
    );
    assert!(redlock.admin().list("", 9).await.has_quorum());
    servers[1].command(&["FLUSHALL"]);
    let seen = redlock.admin().inspect("r").await.unwrap();
    assert_eq!((seen.agreement(), seen.count(Row::is_free)), (Agreement::Indeterminate, 1), "{seen:?}");
}

#[tokio::test]
async fn a_locker_that_waits_sees_its_place_in_the_queue() {
    let servers = servers(3);
    let guard = connected(&servers).await.acquire("r").await.unwrap();
    let mut waiting = Vec::new();
    for place in 0..2 {
        let locker = connected(&servers).await;
        let task = locker.clone();
        waiting.push(tokio::spawn(async move { task.acquire("r").await.unwrap().release().await }));
        let has_joined = async || locker.admin().inspect("r").await.unwrap().place() == Some(place);
        eventually(PROMPT, "it is in the queues", has_joined).await;
    }
    let inspection = connected(&servers).await.admin().inspect("r").await.unwrap();
    assert_eq!((inspection.place(), inspection.rows[0].view.as_ref().unwrap().waiting), (None, 2));
    drop(guard.release().await);
    for task in waiting {
        drop(task.await.unwrap());
    }
}

#[tokio::test]
async fn what_is_done_while_another_has_it_is_one_word() {
    let mut servers = servers(3);
    let (one, other) = (connected(&servers).await, connected(&servers).await);
    let guard = one.acquire_with("r", IfHeld::Fail).await.unwrap().unwrap();
    assert!(other.acquire_with("r", IfHeld::Skip).await.unwrap().is_none());
    for if_held in [IfHeld::Fail, IfHeld::WaitFor(Duration::from_millis(50))] {
        let error = other.acquire_with("r", if_held).await.unwrap_err();
        assert!(matches!(error, AcquireError::Contended { .. }), "{if_held:?}: {error}");
    }
    let waiting = tokio::spawn(async move { other.acquire_with("r", IfHeld::Wait).await.unwrap().unwrap() });
    let has_joined = async || one.admin().inspect("r").await.unwrap().rows.iter().all(waits);
    eventually(PROMPT, "it waits", has_joined).await;
    drop(guard.release().await);
    drop(waiting.await.unwrap().release().await);
    servers[0].kill();
    servers[1].kill();
    let error = one.acquire_with("r", IfHeld::Skip).await.unwrap_err();
    assert!(matches!(error, AcquireError::NoQuorum { .. }), "unknown is not held: {error}");
}

fn waits(row: &Row) -> bool {
    row.view.as_ref().is_ok_and(|view| view.waiting == 1)
}

#[tokio::test]
async fn a_holder_that_is_forced_out_loses_the_lease_and_is_fenced() {
    let servers = servers(3);
    let redlock = connected(&servers).await;
    let victim = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    // The lock has expired already, but the counter must still be raised.
    delete_locks(&servers[0]);
    let before: Vec<u64> = servers.iter().map(|s| s.command(&["GET", &counter_of("r")]).parse().unwrap()).collect();

    let forced = redlock.admin().force_release("r", victim.holder(), "a test").await.unwrap();
    assert_eq!(forced.outcome(), ForceOutcome::Released, "{forced:?}");
    assert_eq!(picture(&servers), "...");
    for (server, before) in servers.iter().zip(before) {
        assert_eq!(server.command(&["GET", &counter_of("r")]), (before + 1).to_string());
    }
    let next = redlock.acquire("r").await.unwrap();
    assert!(next.token().get() > victim.token().get() + 1, "{} {}", next.token(), victim.token());
    assert!(victim.extend().await.is_err());
    assert!(matches!(victim.lost().await, LossCause::Taken));

    let again = redlock.admin().force_release("r", victim.holder(), "a test").await.unwrap();
    assert_eq!(again.outcome(), ForceOutcome::HeldBy(next.holder().clone().into()), "no other holder loses its lock");
    assert!(next.extend().await.is_ok());
    let holder: Holder = next.holder().clone();
    drop(next.release().await);
    redlock.drain(PROMPT).await;
    assert_eq!(redlock.admin().force_release("r", &holder, "a test").await.unwrap().outcome(), ForceOutcome::NotHeld);
}

#[tokio::test]
async fn force_needs_a_quorum_to_be_sure() {
    let mut servers = servers(3);
    let redlock = over(&servers).connect().await.unwrap();
    let victim = redlock.acquire("r").await.unwrap();
    servers[0].kill();
    servers[1].kill();
    let forced = redlock.admin().force_release("r", victim.holder(), "a test").await.unwrap();
    assert_eq!(forced.outcome(), ForceOutcome::NoQuorum, "{forced:?}");
}

#[tokio::test]
async fn a_reset_leaves_no_lock_and_no_rest() {
    let mut servers = servers(3);
    let redlock = over(&servers).connect().await.unwrap();
    let before = redlock.acquire("held over the disaster").await.unwrap();
    redlock.drain(PROMPT).await;
    servers[0].restart();
    servers[1].restart();
    let token = before.token();
    drop(before.into_lease());

    let anew = over(&servers).connect().await.unwrap();
    assert!(anew.try_acquire("r").await.is_err(), "two of three rest");
    let reset = anew.admin().reset().await.unwrap();
    assert_eq!(reset.removed.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [0, 0, 1]);
    assert!(anew.nodes().iter().all(|node| node.condition == NodeCondition::Ready), "{:?}", anew.nodes());
    assert_eq!(picture(&servers), "...");
    let after = anew.try_acquire("held over the disaster").await.unwrap();
    assert!(after.token() > token);
    drop(after.release().await);
    anew.admin().reset().await.expect("a reset may be repeated");
}

#[tokio::test]
async fn a_reset_fixes_counters_that_were_written_by_hand() {
    let servers = servers(3);
    let redlock = over(&servers).connect().await.unwrap();
    let before = redlock.acquire("r").await.unwrap();
    let token = before.token();
    drop(before.release().await);
    for written in ["9007199254740000", "2e15", "nan", " 1800000000000000"] {
        servers.iter().for_each(|server| drop(server.command(&["SET", &counter_of("r"), written])));
        assert!(redlock.try_acquire("r").await.is_err(), "no grant draws from {written}");
        redlock.admin().reset().await.unwrap();
        let after = redlock.try_acquire("r").await.unwrap();
        assert!(after.token() > token, "{written}");
        drop(after.release().await);
    }
}

#[tokio::test]
async fn a_reset_does_nothing_while_a_node_cannot_be_asked() {
    let mut servers = servers(3);
    let redlock = over(&servers).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    servers[2].kill();
    let refused = redlock.admin().reset().await.unwrap_err();
    assert!(matches!(refused, ResetError::Unseen { .. }), "{refused}");
    assert_eq!(picture(&servers[..2]), "xx");
    assert!(guard.check().is_ok());
    drop(guard.release().await);
}
