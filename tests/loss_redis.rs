//! Losing a lease over real servers: the signal comes at the right moment, whatever the network does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::{Clock as _, ExtendError, LossCause, Moment, ReleaseOutcome, SystemClock, WithLockError};
use support::set::{delete_locks, over, picture};
use support::{RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);
const TTL: Duration = Duration::from_millis(1_000);
/// How late the signal may be.
const LATE_MAX: Duration = Duration::from_millis(50);

#[tokio::test]
async fn with_all_nodes_stopped_the_loss_signal_fires_at_the_end_of_the_validity_and_not_before() {
    let servers = servers(5);
    let guard = over(&servers).ttl(TTL).connect().await.unwrap().acquire("r").await.unwrap();
    servers.iter().for_each(RedisServer::pause);
    let valid_until = guard.lease().valid_until;

    let canary = tokio::spawn(lateness_of_a_plain_timer(valid_until));
    let cause = guard.lost().await;
    let fired = SystemClock.now();
    assert_eq!((cause, guard.lease().valid_until), (LossCause::Expired, valid_until));
    assert!(guard.check().is_err());
    let late = fired.checked_since(valid_until).expect("not before the validity has ended");
    // On a busy machine every timer is late: the lateness of a plain timer is subtracted.
    let allowed = LATE_MAX + canary.await.unwrap();
    assert!(late <= allowed, "the signal came {late:?} late, and {allowed:?} were allowed");
}

#[tokio::test]
async fn with_all_nodes_stopped_a_protected_body_is_cancelled() {
    let servers = servers(3);
    let redlock = over(&servers).ttl(TTL).connect().await.unwrap();
    let mut valid_until = Moment::default();
    let body = async |lease: redfence::LeaseHandle, valid_until: &mut Moment| {
        servers.iter().for_each(RedisServer::pause);
        *valid_until = lease.lease().valid_until;
        std::future::pending::<()>().await;
    };
    let outcome = redlock.with_lock("r", |lease| body(lease, &mut valid_until)).await;
    assert!(matches!(&outcome, Err(WithLockError::Lost(lost)) if lost.cause == LossCause::Expired), "{outcome:?}");
    assert!(SystemClock.now() >= valid_until);
}

#[tokio::test]
async fn s17_a_renewal_that_finds_the_lock_gone_signals_the_loss() {
    let servers = servers(3);
    let redlock = over(&servers).ttl(TTL * 10).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    servers[..2].iter().for_each(delete_locks);
    assert_eq!(guard.lost().await, LossCause::Taken);
    let left = guard.lease().valid_until.checked_since(SystemClock.now());
    assert!(left.is_some(), "the renewal signals it, long before the validity would have ended");
    assert!(guard.check().is_err());
}

#[tokio::test]
async fn a_lease_that_the_nodes_forgot_is_lost_and_never_comes_back() {
    let mut servers = servers(3);
    let redlock = over(&servers).ttl(TTL * 10).renewed(false).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    servers[1..].iter_mut().for_each(RedisServer::restart);
    let mut outcome = guard.extend().await;
    // First the locker must notice that connections to restarted servers are lost, and dial again.
    eventually(PROMPT, "the nodes can be asked again", async || {
        if matches!(outcome, Err(ExtendError::NoQuorum { .. })) {
            outcome = guard.extend().await;
        }
        !matches!(outcome, Err(ExtendError::NoQuorum { .. }))
    })
    .await;
    assert!(matches!(&outcome, Err(ExtendError::Lost(lost)) if lost.cause == LossCause::Taken), "{outcome:?}");
    assert_eq!(picture(&servers), "x..", "an extension creates nothing");
    assert_eq!(guard.release().await, ReleaseOutcome::AlreadyExpired);
    redlock.drain(PROMPT).await;
    assert_eq!(picture(&servers), "...");
}

/// How late a timer of the runtime is, set for the same moment.
async fn lateness_of_a_plain_timer(at: Moment) -> Duration {
    tokio::time::sleep(at.since(SystemClock.now())).await;
    SystemClock.now().since(at)
}
