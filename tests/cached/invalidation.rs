//! After an invalidation no task gets a value that another task had begun to compute before.

use std::time::Duration;

use redfence::AcquireError;
use redfence::cached::{CacheStore, CachedError, Entry};
use tokio::time::sleep;

use crate::faulty_cache::CacheFault;
use crate::fleet::{AT_ONCE, COSTLY, Fleet, TTL, key};

#[tokio::test(start_paused = true)]
async fn an_invalidation_waits_for_the_computation_that_runs_and_removes_its_value() {
    let fleet = Fleet::new();
    let (one, other) = (fleet.process(), fleet.process());
    let first = fleet.ask(&one);
    fleet.until_run(1).await;
    for process in [&one, &other] {
        process.invalidate("k").await.unwrap();
        assert_eq!(fleet.stored().await, None);
        fleet.locks_are_gone().await;
    }
    assert_eq!(&*first.await.unwrap().unwrap(), [1]);
    assert_eq!(&*fleet.ask(&other).await.unwrap().unwrap(), [2]);
}

#[tokio::test(start_paused = true)]
async fn no_value_comes_back_that_a_task_began_to_compute_before_the_invalidation() {
    let fleet = Fleet::new();
    let stale = fleet.paused_computation().await;
    fleet.process().invalidate("k").await.unwrap();
    assert_eq!(&*stale.finish([7].into(), TTL).await.unwrap(), [7]);
    assert_eq!(fleet.stored().await, None);
    assert_eq!(&*fleet.ask(&fleet.process()).await.unwrap().unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_asks_after_an_invalidation_gets_no_value_that_another_task_read_before() {
    let fleet = Fleet::new();
    let (process, operator) = (fleet.process(), fleet.process());
    let holder = fleet.stage.locker().acquire("k").await.unwrap();
    // The queue of the lock: first the invalidation, then a holder that takes its time, then the task that reads.
    let invalidates = tokio::spawn(async move { operator.invalidate("k").await.unwrap() });
    sleep(Duration::from_millis(20)).await;
    let next = fleet.stage.locker();
    let next = tokio::spawn(async move { next.acquire("k").await.unwrap() });
    sleep(Duration::from_millis(20)).await;
    let reads = fleet.ask(&process);
    sleep(Duration::from_millis(20)).await;
    let entry = Entry::new([9].into(), holder.token(), TTL, COSTLY);
    fleet.store.put(&key(), &entry).await.unwrap().into_result().unwrap();
    // The answer with the value is on its way while the value is removed.
    fleet.store.set(CacheFault::SlowAnswers(COSTLY / 2));
    sleep(Duration::from_millis(150)).await;
    fleet.store.set(CacheFault::Works);
    drop(holder.release().await);
    invalidates.await.unwrap();
    assert_eq!(fleet.stored().await, None);
    assert!(!reads.is_finished());
    let asks = fleet.ask(&process);
    assert_eq!(&*reads.await.unwrap().unwrap(), [9]);
    drop(next.await.unwrap().release().await);
    assert_eq!(&*asks.await.unwrap().unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_cannot_be_made_is_an_error() {
    let fleet = Fleet::new();
    let process = fleet.process().wait_max(AT_ONCE);
    assert!(matches!(process.invalidate("").await, Err(CachedError::Key(_))));
    let held = fleet.stage.locker().acquire("k").await.unwrap();
    assert!(matches!(process.invalidate("k").await, Err(CachedError::Acquire(AcquireError::Contended { .. }))));
    drop(held.release().await);
    for fault in [CacheFault::Hangs, CacheFault::WritesFail] {
        fleet.store.set(fault);
        assert!(matches!(process.invalidate("k").await, Err(CachedError::Store(_))));
        fleet.locks_are_gone().await;
    }
}
