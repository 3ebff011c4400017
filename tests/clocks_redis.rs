//! Real servers on machines whose clock was never set.
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic, and the disasters use the rest of their clocks"
)]

mod support;

#[path = "disasters/clockwork.rs"]
mod clockwork;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redfence::admin::BootstrapError;
use redfence::{Clock, Moment, NodeCondition, Reason, SystemClock, WallTime};
use support::RedisServer;
use support::deadline::eventually;
use support::set::over;

const MAX_TTL: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(20);
/// Two minutes after a machine without a battery was switched on, some time before September 2001.
const AFTER_POWER_UP: WallTime = WallTime::from_unix_us(120_000_000);

/// This machine's wall clock, as soon as it is set.
#[derive(Debug, Default)]
struct Settable {
    is_set: AtomicBool,
}

impl Clock for Settable {
    fn now(&self) -> Moment {
        SystemClock.now()
    }

    fn wall(&self) -> WallTime {
        if self.is_set.load(Ordering::Relaxed) { SystemClock.wall() } else { AFTER_POWER_UP }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r5_real_servers_without_a_clock_are_named_and_heal_when_it_is_set() {
    let ahead = i64::try_from(AFTER_POWER_UP.unix_us() / 1_000_000).unwrap()
        - i64::try_from(SystemClock.wall().unix_us() / 1_000_000).unwrap();
    let servers: Vec<RedisServer> = (0..3).map(|_| clockwork::bare_server_ahead(ahead)).collect();
    let clock = Arc::new(Settable::default());
    let builder = over(&servers).clock(Arc::clone(&clock) as Arc<dyn Clock>).ttl(MAX_TTL).max_ttl(MAX_TTL);
    let redlock = builder.connect().await.unwrap();

    let story = "its clock shows the year 1970 and this machine's the year 1970: set both right";
    let error = redlock.admin().bootstrap().await.unwrap_err();
    assert!(matches!(error, BootstrapError::ClockUnset { .. }) && error.to_string().contains(story), "{error}");
    let error = redlock.acquire_within("r", MAX_TTL * 3).await.unwrap_err();
    assert!(error.to_string().contains(story), "{error}");
    let of_the_clock = |node: &redfence::NodeStatus| {
        node.condition == NodeCondition::Resting && node.rests_because == Some(Reason::ClockUnset)
    };
    assert!(redlock.nodes().iter().all(of_the_clock), "{:?}", redlock.nodes());
    let counters = servers.iter().map(|server| server.command(&["KEYS", "*counter*"]));
    assert_eq!(counters.collect::<String>().trim(), "", "a counter was created from a clock that is not set");

    servers.iter().for_each(|server| clockwork::step_clock(server, 0));
    clock.is_set.store(true, Ordering::Relaxed);
    eventually(LIMIT, "the nodes take part", async || match redlock.acquire_within("r", MAX_TTL).await {
        Ok(guard) => guard.token().get() > 1_700_000_000_000_000,
        Err(_) => false,
    })
    .await;
}
