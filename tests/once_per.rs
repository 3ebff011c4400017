//! Work that is done once per period: its lock stays at the nodes, which count the time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::time::Duration;

use redfence::recipes::{OnceOutcome, OncePer, OncePerError, Period};
use redfence::{AcquireError, ExtendError, HandOver, ReleaseOutcome};
use support::fault_node::is_extend;
use support::{Delivery, Stage};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The work as a process of its own sees it.
fn work(stage: &Stage, period: Period) -> OncePer {
    let builder = stage.builder().hand_over(HandOver::Off).ttl(s(2)).max_ttl(s(3_600));
    builder.build().unwrap().once_per("report", period).unwrap()
}

async fn is_left_out(stage: &Stage) -> bool {
    matches!(work(stage, Period::once_per(s(60))).acquire_within(s(0)).await, Err(AcquireError::Contended { .. }))
}

#[tokio::test(start_paused = true)]
async fn work_that_succeeded_is_done_again_only_in_the_next_period() {
    let stage = Stage::of(3);
    let (began, run) = (stage.now(), work(&stage, Period::once_per(s(60))).acquire().await.unwrap());
    tokio::time::sleep(s(5)).await;
    let token = run.token();
    assert!(matches!(run.finish(true).await.unwrap(), OnceOutcome::Kept { rest, .. } if rest > s(54) && rest <= s(55)));
    assert!(is_left_out(&stage).await);
    // A wait that ends before the period is not waited for; one that ends after it is.
    let tried = stage.now();
    assert!(work(&stage, Period::once_per(s(60))).acquire_within(s(20)).await.is_err());
    assert_eq!(stage.now(), tried);
    let next = work(&stage, Period::once_per(s(60))).acquire_within(s(100)).await.unwrap();
    let after = stage.now().since(began);
    assert!(after >= s(60) && after < s(61) && next.token() > token, "{after:?}");
    drop(next);
}

#[tokio::test(start_paused = true)]
async fn work_that_failed_or_crashed_uses_up_no_period() {
    let stage = Stage::of(3);
    let run = work(&stage, Period::once_per(s(60))).acquire().await.unwrap();
    let outcome = run.finish(false).await.unwrap();
    assert!(matches!(outcome, OnceOutcome::Released(ReleaseOutcome::Released { .. })), "{outcome:?}");
    drop(work(&stage, Period::once_per(s(60))).acquire_within(s(0)).await.unwrap().into_guard().into_lease());
    assert!(is_left_out(&stage).await, "a crashed process has it for its time to live");
    tokio::time::sleep(s(3)).await;
    assert!(!is_left_out(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_held_at_least_that_long_however_the_work_ends() {
    let stage = Stage::of(3);
    let period = Period::default().hold_at_least(s(20));
    let run = work(&stage, period).acquire().await.unwrap();
    assert!(matches!(run.finish(false).await.unwrap(), OnceOutcome::Kept { .. }));
    tokio::time::sleep(s(19)).await;
    assert!(is_left_out(&stage).await);
    tokio::time::sleep(s(2)).await;
    drop(work(&stage, period).acquire_within(s(0)).await.unwrap().into_guard().into_lease());
    tokio::time::sleep(s(19)).await;
    assert!(is_left_out(&stage).await, "also after a crash");
}

#[tokio::test(start_paused = true)]
async fn work_that_took_longer_than_its_period_or_outlived_its_lease_keeps_nothing() {
    let stage = Stage::of(3);
    let run = work(&stage, Period::once_per(s(5))).acquire().await.unwrap();
    tokio::time::sleep(s(6)).await;
    assert!(matches!(run.finish(true).await.unwrap(), OnceOutcome::Released(ReleaseOutcome::Released { .. })));
    // So little is left that the lease is held for the rest.
    let (began, run) = (stage.now(), work(&stage, Period::once_per(s(5))).acquire().await.unwrap());
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    assert!(matches!(run.finish(true).await.unwrap(), OnceOutcome::Kept { rest, .. } if rest.is_zero()));
    assert!(stage.now().since(began) >= s(5) && !is_left_out(&stage).await);
    let run = work(&stage, Period::once_per(s(60))).acquire().await.unwrap();
    stage.nodes.iter().for_each(|node| node.delivery_of(is_extend, Delivery::RequestLost));
    run.lost().await;
    assert!(matches!(run.finish(true).await, Err(ExtendError::Lost(_))));
}

#[tokio::test(start_paused = true)]
async fn a_period_that_no_quorum_stores_is_an_error() {
    let stage = Stage::of(3);
    let run = work(&stage, Period::once_per(s(60))).acquire().await.unwrap();
    stage.nodes[0].delivery_of(is_extend, Delivery::RequestLost);
    stage.nodes[1].delivery_of(is_extend, Delivery::RequestLost);
    let began = stage.now();
    let error = run.finish(true).await.unwrap_err();
    assert!(matches!(&error, ExtendError::NoQuorum { votes } if votes.iter().count() == 3), "{error:?}");
    assert!(stage.now().since(began) <= s(3), "it tries while its lease lives");
    // One that is back in time stores it.
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
    tokio::time::sleep(s(61)).await;
    let run = work(&stage, Period::once_per(s(60))).acquire().await.unwrap();
    stage.nodes[0].delivery_of(is_extend, Delivery::RequestLost);
    stage.nodes[1].delivery_of(is_extend, Delivery::RequestLost);
    let (stored, ()) = tokio::join!(run.finish(true), async {
        tokio::time::sleep(s(1)).await;
        stage.nodes[0].delivery(Delivery::Through);
    });
    assert!(matches!(stored.unwrap(), OnceOutcome::Kept { .. }));
    tokio::time::sleep(s(55)).await;
    assert!(is_left_out(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn a_period_that_no_lock_lasts_for_is_refused() {
    let locker = Stage::of(1).builder().max_hold(Some(s(10))).max_ttl(s(600)).build().unwrap();
    for (period, part) in [
        (Period::once_per(s(601)), "max_ttl"),
        (Period::default().hold_at_least(s(601)), "max_ttl"),
        (Period::once_per(s(0)), "above zero"),
    ] {
        let error = locker.once_per("report", period).err().unwrap_or_else(|| panic!("{period:?}"));
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(matches!(locker.once_per("", Period::once_per(s(5))), Err(OncePerError::Resource(_))));
    // The work itself may be bound to less than the period.
    let run = locker.once_per("report", Period::once_per(s(600))).unwrap().acquire().await.unwrap();
    assert!(matches!(run.finish(true).await.unwrap(), OnceOutcome::Kept { rest, .. } if rest > s(590)));
}
