//! Nodes that rest, on embedded nodes and in virtual time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use redfence::admin::BootstrapError;
use redfence::node::NodeState;
use redfence::protocol::{Reason, RunId, Verb};
use redfence::{AcquireError, Builder, Clock, EmbeddedNode, NodeCondition, Redlock, Resource, TokioClock, WallTime};
use support::stage::WALL_AT_START;
use support::{Hands, Stage};

const MAX_TTL: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;

#[tokio::test(start_paused = true)]
async fn a_stepped_clock_does_not_end_the_rest_for_lockers_that_saw_the_step() {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(WALL_AT_START));
    let hands = Hands::over(TokioClock::starting_at(WALL_AT_START));
    let nodes = [
        EmbeddedNode::on(Arc::clone(&clock)),
        EmbeddedNode::on(Arc::clone(&clock)),
        EmbeddedNode::on(Arc::clone(&hands) as Arc<dyn Clock>),
    ];
    let builder = Redlock::builder().clock(clock).max_ttl(MAX_TTL);
    let redlock = nodes.iter().cloned().fold(builder, Builder::node).build().unwrap();
    let condition = || redlock.nodes()[2].condition;
    // The node loses a counter. A grant notices it, and the node rests.
    nodes[2].with_state(|state| state.set_counter(Resource::new("r").unwrap().slot(), 0));
    drop(redlock.acquire("r").await.unwrap().release().await);
    redlock.look().await;
    assert_eq!(condition(), NodeCondition::Resting);
    // By the node's own clock the rest is over now.
    hands.set_wall_ahead_ms(HOUR_MS);
    redlock.look().await;
    tokio::time::sleep(MAX_TTL / 2).await;
    redlock.look().await;
    assert_eq!(condition(), NodeCondition::Resting, "activated by a locker that saw the step");
    let counter = nodes[2].with_state(|state| state.counter(0));
    assert_eq!(counter, 0, "its counters were created");
    tokio::time::sleep(MAX_TTL).await;
    redlock.look().await;
    assert_eq!(condition(), NodeCondition::Ready);
}

#[tokio::test(start_paused = true)]
async fn if_too_many_nodes_rest_no_node_is_asked_and_nothing_is_released() {
    let stage = Stage::of(3);
    let redlock = stage.locker();
    drop(redlock.acquire("r").await.unwrap().release().await);
    for node in &stage.nodes[..2] {
        node.set_counter("r", 0);
    }
    // Grants notice that the counters are gone, and the nodes rest.
    drop(redlock.try_acquire("r").await);
    redlock.look().await;
    let resting = redlock.nodes().iter().filter(|node| node.condition == NodeCondition::Resting).count();
    assert_eq!(resting, 2);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = || {
        let of_lock = |verb: &Verb| matches!(verb, Verb::Grant { .. } | Verb::Release { .. });
        stage.nodes.iter().map(|node| node.count_sent(of_lock)).sum::<usize>()
    };
    let before = asked();
    for _ in 0..20 {
        assert!(matches!(redlock.try_acquire("r").await, Err(AcquireError::NoQuorum { .. })));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(asked(), before, "a grant that was never sent is released repeatedly");
}

#[tokio::test(start_paused = true)]
async fn r5_clocks_before_2001_are_named_and_heal_when_they_are_set() {
    // Boards without a battery, two minutes after they were switched on.
    let hands = Hands::over(TokioClock::starting_at(WallTime::from_unix_ms(120_000)));
    let clock = || Arc::clone(&hands) as Arc<dyn Clock>;
    let builder = Redlock::builder().clock(clock()).max_ttl(MAX_TTL);
    let node = |run: u8| EmbeddedNode::with(NodeState::started(RunId::from_bytes([run; 20]), clock().wall()), clock());
    let redlock = [node(1), node(2), node(3)].into_iter().fold(builder, Builder::node).build().unwrap();
    let story = "its clock shows the year 1970 and this machine's the year 1970: set both right";
    let error = redlock.admin().bootstrap().await.unwrap_err();
    assert!(matches!(error, BootstrapError::ClockUnset { .. }) && error.to_string().contains(story), "{error}");
    let error = redlock.acquire_within("r", MAX_TTL * 3).await.unwrap_err();
    assert!(error.to_string().contains(story), "{error}");
    assert!(redlock.nodes().iter().all(|node| node.rests_because == Some(Reason::ClockUnset)), "{:?}", redlock.nodes());
    hands.set_wall_ahead_ms(WALL_AT_START.unix_ms().try_into().unwrap());
    let guard = redlock.acquire_within("r", MAX_TTL * 3).await.unwrap();
    assert!(guard.token().get() > WALL_AT_START.unix_us());
}
