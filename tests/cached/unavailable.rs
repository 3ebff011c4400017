//! Without the lock or the store, a call ends in time: with an error, or with a value that it computed itself.

use std::time::Duration;

use futures::future::join_all;
use redfence::AcquireError;
use redfence::cached::{CachedError, IfUnavailable};
use tokio::time::sleep;

use crate::faulty_cache::CacheFault;
use crate::fleet::{AT_ONCE, COSTLY, Fleet, TTL};
use crate::support::Delivery;

#[tokio::test(start_paused = true)]
async fn a_wait_ends_and_says_for_what_it_waited() {
    let fleet = Fleet::new();
    let wait = COSTLY / 2;
    let one = fleet.process().wait_max(wait);
    let first = fleet.ask(&one);
    fleet.until_run(1).await;
    let began = fleet.stage.now();
    let error = fleet.ask(&one).await.unwrap().unwrap_err();
    assert!(matches!(error, CachedError::Waited { .. }), "{error:?}");
    let waited = fleet.stage.now().since(began);
    assert!(waited >= wait && waited < wait + AT_ONCE, "{waited:?}");
    let _first = first.await.unwrap().unwrap();

    sleep(TTL).await;
    let held = fleet.stage.locker().acquire("k").await.unwrap();
    let error = fleet.ask(&fleet.process().wait_max(wait)).await.unwrap().unwrap_err();
    assert!(matches!(error, CachedError::Acquire(AcquireError::Contended { .. })), "{error:?}");
    drop(held.release().await);
}

#[tokio::test(start_paused = true)]
async fn without_a_quorum_it_fails_or_computes_without_the_lock() {
    let fleet = Fleet::new();
    fleet.stage.nodes.iter().take(2).for_each(|node| node.delivery(Delivery::Unreachable));
    let error = fleet.ask(&fleet.process().wait_max(AT_ONCE)).await.unwrap().unwrap_err();
    assert!(matches!(error, CachedError::Acquire(AcquireError::NoQuorum { .. })), "{error:?}");
    assert_eq!(fleet.runs(), 0);

    let process = fleet.process().if_unavailable(IfUnavailable::Compute);
    let began = fleet.stage.now();
    for value in join_all((0..64).map(|_| fleet.ask(&process))).await {
        assert_eq!(&*value.unwrap().unwrap(), [1]);
    }
    assert!(fleet.stage.now().since(began) < COSTLY + AT_ONCE, "{:?}", fleet.stage.now().since(began));
    assert_eq!((fleet.runs(), fleet.stored().await), (1, None));
}

#[tokio::test(start_paused = true)]
async fn if_another_process_computes_it_waits_also_when_it_may_compute_without_the_lock() {
    let fleet = Fleet::new();
    let first = fleet.ask(&fleet.process());
    fleet.until_run(1).await;
    let process = fleet.process().if_unavailable(IfUnavailable::Compute);
    assert_eq!(&*fleet.ask(&process).await.unwrap().unwrap(), [1]);
    assert_eq!((&*first.await.unwrap().unwrap(), fleet.runs()), ([1].as_slice(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_another_program_holds_without_end_is_not_unavailable() {
    let fleet = Fleet::new();
    fleet.stage.nodes.iter().for_each(|node| node.occupy_without_end("k", b"another program"));
    let process = fleet.process().if_unavailable(IfUnavailable::Compute).wait_max(AT_ONCE);
    let error = fleet.ask(&process).await.unwrap().unwrap_err();
    assert!(matches!(error, CachedError::Acquire(AcquireError::HeldWithoutTtl { .. })), "{error:?}");
    assert_eq!(fleet.runs(), 0, "the other program may compute");
}

#[tokio::test(start_paused = true)]
async fn if_the_store_fails_or_hangs_it_fails_or_computes() {
    for fault in [CacheFault::Fails, CacheFault::Hangs, CacheFault::WritesFail] {
        let fleet = Fleet::new();
        fleet.store.set(fault);
        let began = fleet.stage.now();
        let error = fleet.ask(&fleet.process()).await.unwrap().unwrap_err();
        assert!(matches!(error, CachedError::Store(_)), "{fault:?}: {error:?}");
        assert!(fleet.stage.now().since(began) < Duration::from_secs(3));
        fleet.locks_are_gone().await;

        let runs = fleet.runs();
        let process = fleet.process().if_unavailable(IfUnavailable::Compute);
        for value in join_all((0..64).map(|_| fleet.ask(&process))).await {
            assert_eq!(usize::from(value.unwrap().unwrap()[0]), runs + 1, "{fault:?}");
        }
        assert_eq!((fleet.runs(), fleet.stored().await), (runs + 1, None), "{fault:?}");
        fleet.locks_are_gone().await;
    }
}
