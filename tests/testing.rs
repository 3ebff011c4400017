//! The nodes, faults and clock that programs use in their own tests (`redfence::testing`).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use redfence::testing::{Memory, Network, NotPaused, TestNodes};
use redfence::verifier::{MemoryStore, Rule};
use redfence::{AcquireError, Builder, LossCause, Redlock, blocking};

const TTL: Duration = Duration::from_secs(10);
const A_MOMENT: Duration = Duration::from_millis(50);

fn process_of(nodes: &TestNodes) -> Redlock {
    terms(nodes.builder()).build().unwrap()
}

fn terms(builder: Builder) -> Builder {
    builder.ttl(TTL).max_ttl(TTL).node_timeout(Duration::from_millis(100))
}

fn set_all(nodes: &TestNodes, count: usize, network: Network) {
    nodes.iter().take(count).for_each(|node| node.set_network(network));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_expires_when_the_test_lets_time_pass() {
    let nodes = TestNodes::new(3);
    let (ours, theirs) = (terms(nodes.builder()).renewed(false).build().unwrap(), process_of(&nodes));
    let guard = ours.acquire("r").await.unwrap();
    nodes.clock().advance(TTL / 2).await.unwrap();
    assert!(guard.check().is_ok());
    assert!(matches!(theirs.try_acquire("r").await, Err(AcquireError::Contended { .. })));
    nodes.clock().advance(TTL / 2 + A_MOMENT).await.unwrap();
    assert_eq!(guard.check().unwrap_err().cause, LossCause::Expired);
    let next = theirs.try_acquire("r").await.unwrap();
    assert!(next.token() > guard.token());
}

#[tokio::test(start_paused = true)]
async fn a_renewed_lease_outlives_its_ttl_and_ends_when_a_quorum_is_away() {
    let nodes = TestNodes::new(3);
    let guard = process_of(&nodes).acquire("r").await.unwrap();
    nodes.clock().advance(TTL * 20).await.unwrap();
    assert!(guard.check().is_ok());
    set_all(&nodes, 1, Network::Away);
    nodes.clock().advance(TTL * 20).await.unwrap();
    assert!(guard.check().is_ok(), "two of three nodes renew it");
    set_all(&nodes, 2, Network::Away);
    // Time passes by itself while the test waits for it.
    assert_eq!(guard.lost().await, LossCause::Expired);
    assert!(guard.check().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_finds_its_lease_lost_at_once() {
    let nodes = TestNodes::new(3);
    let (ours, theirs) = (process_of(&nodes), process_of(&nodes));
    let guard = ours.acquire("r").await.unwrap();
    nodes.clock().jump(TTL + A_MOMENT);
    assert_eq!(guard.check().unwrap_err().cause, LossCause::Expired);
    assert!(theirs.try_acquire("r").await.unwrap().token() > guard.token());
}

#[tokio::test(start_paused = true)]
async fn a_quorum_that_is_away_or_silent_refuses_and_one_that_comes_back_grants() {
    for network in [Network::Away, Network::Silent, Network::LosesRequests] {
        let nodes = TestNodes::new(3);
        let redlock = process_of(&nodes);
        drop(redlock.acquire("r").await.unwrap().release().await);
        set_all(&nodes, 2, network);
        let refused = redlock.try_acquire("r").await.unwrap_err();
        assert!(
            matches!(refused, AcquireError::NoQuorum { .. } | AcquireError::Overloaded { .. }),
            "{network:?}: {refused}"
        );
        set_all(&nodes, 2, Network::Good);
        drop(redlock.acquire_within("r", TTL).await.unwrap().release().await);
    }
}

#[tokio::test(start_paused = true)]
async fn grants_whose_replies_are_lost_are_rolled_back() {
    let nodes = TestNodes::new(3);
    let (ours, theirs) = (process_of(&nodes), process_of(&nodes));
    let before = theirs.acquire("r").await.unwrap();
    let earlier = before.token();
    drop(before.release().await);
    drop(ours.acquire("another").await.unwrap().release().await);
    set_all(&nodes, 2, Network::LosesReplies);
    // All three nodes grant, and the locker learns of one grant only.
    let refused = ours.try_acquire("r").await.unwrap_err();
    assert!(matches!(refused, AcquireError::NoQuorum { .. }), "{refused}");
    set_all(&nodes, 2, Network::Good);
    nodes.clock().advance(A_MOMENT).await.unwrap();
    assert!(!theirs.is_locked("r").await.unwrap());
    let guard = theirs.try_acquire("r").await.unwrap();
    assert!(guard.token().get() > earlier.get() + 1, "a token between them was drawn, and never used");
}

#[tokio::test(start_paused = true)]
async fn late_grants_of_slow_nodes_are_rolled_back_too() {
    let nodes = TestNodes::new(3);
    let (ours, theirs) = (process_of(&nodes), process_of(&nodes));
    drop(ours.acquire("r").await.unwrap().release().await);
    let by = Duration::from_secs(1);
    set_all(&nodes, 2, Network::Slow(by));
    let refused = ours.try_acquire("r").await.unwrap_err();
    assert!(matches!(refused, AcquireError::NoQuorum { .. } | AcquireError::Overloaded { .. }), "{refused}");
    set_all(&nodes, 2, Network::Good);
    // Grant and release are still on their way, in this order.
    nodes.clock().advance(by * 2).await.unwrap();
    assert!(!theirs.is_locked("r").await.unwrap());
    drop(theirs.try_acquire("r").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn slow_nodes_within_the_time_out_only_cost_time() {
    let nodes = TestNodes::new(3);
    let redlock = process_of(&nodes);
    set_all(&nodes, 3, Network::Slow(A_MOMENT));
    let guard = redlock.acquire("r").await.unwrap();
    let left = guard.valid_for().unwrap();
    assert!(left <= TTL - A_MOMENT, "validity counts from before the requests: {left:?}");
    drop(guard.release().await);
}

#[tokio::test(start_paused = true)]
async fn clocks_of_nodes_that_jump_let_two_hold_the_lock_and_the_token_protects_the_data() {
    let nodes = TestNodes::new(3);
    let (ours, theirs) = (process_of(&nodes), process_of(&nodes));
    let old = ours.acquire("r").await.unwrap();
    nodes.iter().take(2).for_each(|node| node.step_clock_forward(TTL + A_MOMENT));
    let new = theirs.try_acquire("r").await.unwrap();
    assert!(old.check().is_ok(), "the old holder cannot know");
    let (store, resource) = (MemoryStore::new(), new.resource());
    assert!(store.write(resource, new.token(), Rule::AcceptEqual, || ()).is_ok());
    assert!(store.write(resource, old.token(), Rule::AcceptEqual, || ()).is_err());
    // A clock that is set back looks like a restart: the nodes rest, and the lock lives on meanwhile.
    drop(new.release().await);
    drop(theirs.acquire("s").await.unwrap().into_lease());
    nodes.iter().for_each(|node| node.step_clock_back(TTL));
    nodes.clock().advance(TTL).await.unwrap();
    assert!(ours.try_acquire("s").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn nodes_that_crash_and_lose_their_memory_rest_so_that_no_second_holder_gets_the_lock() {
    let nodes = TestNodes::new(3);
    let (ours, theirs) = (process_of(&nodes), process_of(&nodes));
    let guard = ours.acquire("r").await.unwrap();
    drop(theirs.acquire("another").await.unwrap().release().await);
    nodes.iter().for_each(redfence::testing::TestNode::crash);
    assert!(matches!(theirs.try_acquire("r").await, Err(AcquireError::NoQuorum { .. })));
    nodes.iter().for_each(|node| node.restart(Memory::Lost));
    while guard.check().is_ok() {
        assert!(theirs.try_acquire("r").await.is_err(), "while the holder believes");
        nodes.clock().advance(Duration::from_millis(500)).await.unwrap();
    }
    // The rest ends, and the token is greater although the counters were lost.
    let next = theirs.acquire_within("r", TTL * 2).await.unwrap();
    assert!(next.token() > guard.token());
}

#[tokio::test(start_paused = true)]
async fn one_node_that_restarts_with_its_data_or_is_flushed_disturbs_no_holder() {
    let nodes = TestNodes::new(3);
    let (ours, theirs) = (process_of(&nodes), process_of(&nodes));
    let guard = ours.acquire("r").await.unwrap();
    let first = nodes.iter().next().unwrap();
    first.restart(Memory::Kept);
    nodes.clock().advance(TTL * 3).await.unwrap();
    first.flush();
    nodes.clock().advance(TTL * 3).await.unwrap();
    assert!(guard.check().is_ok());
    assert!(matches!(theirs.try_acquire("r").await, Err(AcquireError::Contended { .. })));
    drop(guard.release().await);
    drop(theirs.try_acquire("r").await.unwrap());
}

// The example of docs/without-servers.md.

/// Works until its lease is lost.
async fn worker(redlock: Redlock) -> Result<LossCause, AcquireError> {
    let guard = redlock.acquire("invoice:42").await?;
    while guard.check().is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await; // one step of the work
    }
    Ok(guard.lost().await)
}

#[tokio::test(start_paused = true)]
async fn the_worker_stops_when_its_lease_is_lost() {
    let nodes = TestNodes::new(3);
    let redlock = nodes.builder().ttl(Duration::from_secs(10)).build().unwrap();
    let worker = tokio::spawn(worker(redlock));

    nodes.clock().advance(Duration::from_secs(60)).await.unwrap();
    assert!(!worker.is_finished());

    nodes.iter().take(2).for_each(|node| node.set_network(Network::Away));
    nodes.clock().advance(Duration::from_secs(11)).await.unwrap();
    assert!(worker.is_finished());
    assert_eq!(worker.await.unwrap().unwrap(), LossCause::Expired);
}

#[tokio::test]
async fn time_that_runs_cannot_be_advanced_and_says_so() {
    let nodes = TestNodes::new(1);
    assert_eq!(nodes.clock().advance(TTL).await, Err(NotPaused));
    assert!(NotPaused.to_string().contains("#[tokio::test(start_paused = true)]"));
}

#[test]
fn programs_that_block_use_the_same_nodes_and_a_clock_that_jumps() {
    let nodes = TestNodes::new(3);
    let redlock = blocking::Redlock::build(terms(nodes.builder())).unwrap();
    let guard = redlock.mutex("r").unwrap().lock().unwrap();
    assert!(guard.check().is_ok());
    nodes.clock().jump(TTL);
    assert!(guard.check().is_err());
    drop(guard);
    set_all(&nodes, 2, Network::Away);
    assert!(redlock.mutex("r").unwrap().try_lock().is_err());
    // Outside of a runtime no time can be advanced.
    let outside = futures::executor::block_on(nodes.clock().advance(TTL));
    assert_eq!(outside, Err(NotPaused));
}

#[test]
fn numbers_of_nodes_that_cannot_be_used_are_refused() {
    for count in [0, 33, u8::MAX] {
        assert!(TestNodes::new(count).builder().build().is_err(), "{count}");
        assert!(Redlock::embedded(count).is_err(), "{count}");
    }
}

#[tokio::test]
async fn embedded_nodes_exclude_the_tasks_of_one_locker_and_no_other_locker() {
    let (redlock, other) = (Redlock::embedded(3).unwrap(), Redlock::embedded(3).unwrap());
    let guard = redlock.acquire("r").await.unwrap();
    assert!(redlock.clone().try_acquire("r").await.is_err());
    drop(other.try_acquire("r").await.unwrap());
    drop(guard.release().await);
}
