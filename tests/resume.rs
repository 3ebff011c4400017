//! A lease passes from process to process: the same holder and token, no gap, and a quorum that vouches for it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::time::Duration;

use redfence::{AcquireError, ExtendError, FaultKind, Lease, LossCause, Redlock, ReleaseOutcome, ResumeError, Vote};
use support::set::{locks, patiently_over};
use support::{Delivery, Stage, eventually, servers};

const PROMPT: Duration = Duration::from_secs(20);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The lease as another process reads it.
fn passed_on(lease: &Lease) -> Lease {
    serde_json::from_str(&serde_json::to_string(lease).unwrap()).unwrap()
}

fn lost(error: &ResumeError) -> Option<&LossCause> {
    match error {
        ResumeError::Extend(ExtendError::Lost(lost)) => Some(&lost.cause),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_goes_on_with_the_same_holder_and_token() {
    let stage = Stage::of(3);
    let (one, other, rival) = (stage.locker(), stage.locker(), stage.locker());
    let guard = one.acquire("r").await.unwrap();
    let (handle, token, holder) = (guard.handle(), guard.token(), guard.holder().clone());
    let lease = guard.into_lease();
    assert_eq!(handle.check().unwrap_err().cause, LossCause::Released);
    let read = passed_on(&lease);
    assert_eq!((&read.resource, &read.holder, read.token, read.ttl), (&lease.resource, &holder, token, lease.ttl));
    assert_eq!(read.valid_for(stage.now()), None, "the clocks of two machines have nothing in common");
    tokio::time::sleep(ms(5_000)).await;
    let guard = other.resume(&read).await.unwrap();
    assert_eq!((guard.token(), guard.holder()), (token, &holder));
    assert!(guard.valid_for().unwrap() > ms(9_000));
    // It is renewed here, and held against others.
    tokio::time::sleep(ms(25_000)).await;
    assert!(guard.check().is_ok());
    assert!(matches!(rival.try_acquire("r").await, Err(AcquireError::Contended { .. })));
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    assert!(rival.try_acquire("r").await.unwrap().token() > token);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_is_woken_when_a_resumed_lease_is_released() {
    let stage = Stage::of(3);
    let lease = stage.locker().acquire("r").await.unwrap().into_lease();
    let guard = stage.locker().resume(&lease).await.unwrap();
    let waits = support::stage::waiter(&stage.locker()).await;
    let began = stage.now();
    drop(guard.release().await);
    drop(waits.await.unwrap());
    assert!(stage.now().since(began) < ms(50), "{:?}", stage.now().since(began));
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_meanwhile_is_not_resumed() {
    let stage = Stage::of(3);
    let (one, other) = (stage.locker(), stage.locker());
    let lease = passed_on(&one.acquire("r").await.unwrap().into_lease());
    tokio::time::sleep(ms(10_100)).await;
    let error = other.resume(&lease).await.unwrap_err();
    assert_eq!(lost(&error), Some(&LossCause::Taken), "expired: {error}");
    let next = one.try_acquire("r").await.unwrap();
    let error = other.resume(&lease).await.unwrap_err();
    assert_eq!(lost(&error), Some(&LossCause::Taken), "another has it: {error}");
    assert!(next.check().is_ok());
    assert_eq!(stage.picture("r"), "xxx", "what was tried took nothing from the next");
}

#[tokio::test(start_paused = true)]
async fn without_a_quorum_another_try_may_succeed() {
    let stage = Stage::of(3);
    let lease = stage.locker().acquire("r").await.unwrap().into_lease();
    stage.nodes.iter().take(2).for_each(|node| node.delivery(Delivery::Unreachable));
    let other = stage.locker();
    let error = other.resume(&lease).await.unwrap_err();
    assert!(matches!(error, ResumeError::Extend(ExtendError::NoQuorum { .. })), "{error:?}");
    stage.nodes[0].delivery(Delivery::Through);
    drop(other.resume(&lease).await.unwrap().release().await);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_other_nodes_is_refused() {
    let (three, five) = (Stage::of(3), Stage::of(5));
    let lease = three.locker().acquire("r").await.unwrap().into_lease();
    let error = five.locker().resume(&lease).await.unwrap_err();
    assert!(matches!(error, ResumeError::OtherNodes), "{error:?}");
    assert!(error.to_string().contains("in the same order"), "{error}");
}

/// As for the guard that was handed over: a node that lost the lock and got it anew says nothing about the time between.
#[tokio::test(start_paused = true)]
async fn s19_a_grant_that_lands_after_another_lease_does_not_vouch_for_a_lease_that_is_resumed() {
    let stage = Stage::of(3);
    let guard = stage.lease_that_one_of_two_nodes_granted_anew("r").await;
    let lease = passed_on(&guard.into_lease());
    let error = stage.locker().resume(&lease).await.unwrap_err();
    assert_eq!(lost(&error), Some(&LossCause::Taken), "{error}");
}

#[test]
fn what_a_lease_reads_like_and_what_is_none() {
    let good = r#"{"resource":"r","holder":"000000000000000000000000000000ab x","token":"7","ttl_ms":10000,"voters":{"bits":7,"set":1}}"#;
    let lease: Lease = serde_json::from_str(good).unwrap();
    assert_eq!((lease.resource.as_str(), lease.ttl, lease.token.get()), ("r", ms(10_000), 7));
    assert_eq!(serde_json::to_string(&lease).unwrap(), good);
    for (what, by) in [("\"r\"", "\"\""), ("ab x", "ab"), ("\"7\"", "\"0\""), ("10000", "-1"), ("\"bits\":7,", "")] {
        assert!(serde_json::from_str::<Lease>(&good.replace(what, by)).is_err(), "{what} -> {by}");
    }
}

#[test]
fn a_locker_whose_runtime_has_ended_resumes_nothing() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let nodes = redfence::EmbeddedNode::new();
    let locker = || Redlock::builder().node(nodes.clone()).build().unwrap();
    let ended = runtime();
    let (gone, lease) = ended.block_on(async { (locker(), locker().acquire("r").await.unwrap().into_lease()) });
    drop(ended);
    let error = runtime().block_on(async { gone.resume(&lease).await.unwrap_err() });
    let ResumeError::Extend(ExtendError::NoQuorum { votes }) = &error else { panic!("{error:?}") };
    assert!(votes.iter().all(|(_, vote)| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Closed)));
}

#[tokio::test]
async fn on_servers_a_lease_passes_from_one_connection_to_another() {
    let servers = servers(3);
    let connect = async || patiently_over(&servers).connect().await.unwrap();
    let (one, other) = (connect().await, connect().await);
    let guard = one.acquire("r").await.unwrap();
    one.drain(PROMPT).await;
    let lease = passed_on(&guard.into_lease());
    let guard = other.resume(&lease).await.unwrap();
    assert_eq!((guard.token(), guard.holder()), (lease.token, &lease.holder));
    assert!(one.try_acquire("r").await.is_err());
    guard.extend().await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    eventually(PROMPT, "all locks are gone", async || servers.iter().all(|server| locks(server).is_empty())).await;
    assert_eq!(lost(&other.resume(&lease).await.unwrap_err()), Some(&LossCause::Taken), "released is over");
}
