//! A value is computed once for all tasks of all processes, whatever becomes of the one that computes it.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, and only this test uses these modules"
)]

#[path = "support/faulty_cache.rs"]
mod faulty_cache;
mod support;

#[path = "cached/bounds.rs"]
mod bounds;
#[path = "cached/fleet.rs"]
mod fleet;
#[path = "cached/invalidation.rs"]
mod invalidation;
#[path = "cached/stale.rs"]
mod stale;
#[path = "cached/unavailable.rs"]
mod unavailable;

use std::sync::Arc;
use std::time::Duration;

use fleet::{AT_ONCE, COSTLY, Fleet, TTL, key};
use futures::future::join_all;
use redfence::cached::{CacheStore, CachedError, Entry};
use tokio::task::JoinHandle;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn sixty_four_tasks_in_each_of_three_processes_compute_once() {
    let fleet = Fleet::new();
    let processes = [fleet.process(), fleet.process(), fleet.process()];
    let began = fleet.stage.now();
    let tasks = processes.iter().flat_map(|process| (0..64).map(|_| fleet.ask(process)));
    for value in join_all(tasks.collect::<Vec<_>>()).await {
        assert_eq!(&*value.unwrap().unwrap(), [1]);
    }
    assert_eq!(fleet.runs(), 1);
    // All of them were woken, and did not come back after a pause.
    assert!(fleet.stage.now().since(began) < COSTLY + AT_ONCE, "{:?}", fleet.stage.now().since(began));
    fleet.locks_are_gone().await;
    // From now on they read.
    assert_eq!(&*fleet.ask(&processes[0]).await.unwrap().unwrap(), [1]);
    sleep(TTL).await;
    assert_eq!(&*fleet.ask(&processes[0]).await.unwrap().unwrap(), [2]);
}

/// Asks in three processes while the first one computes; when `ends` has ended that, the next computes at once.
async fn the_next_computes_at_once(
    first: impl FnOnce(u8) -> Result<Vec<u8>, String> + Send + 'static,
    ends: impl AsyncFnOnce(JoinHandle<Result<Arc<[u8]>, CachedError<String>>>),
) {
    let fleet = Fleet::new();
    let (one, other) = (fleet.process(), fleet.process());
    let first = fleet.ask_with(&one, first);
    fleet.until_run(1).await;
    let others: Vec<_> = [&one, &one, &other, &other].map(|process| fleet.ask(process)).into();
    sleep(AT_ONCE).await;
    ends(first).await;
    let ended = fleet.stage.now();
    fleet.until_run(2).await;
    assert!(fleet.stage.now().since(ended) < AT_ONCE, "{:?}", fleet.stage.now().since(ended));
    for value in join_all(others).await {
        assert_eq!(&*value.unwrap().unwrap(), [2]);
    }
    assert_eq!(fleet.runs(), 2);
    fleet.locks_are_gone().await;
}

#[tokio::test(start_paused = true)]
async fn after_an_error_the_next_caller_computes_at_once() {
    the_next_computes_at_once(
        |_| Err("the database is down".to_owned()),
        async |first| {
            let error = first.await.unwrap().unwrap_err();
            assert!(matches!(&error, CachedError::Compute(text) if text == "the database is down"), "{error:?}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_the_next_caller_computes_at_once() {
    the_next_computes_at_once(
        |_| panic!("as this test wants"),
        async |first| assert!(first.await.unwrap_err().is_panic()),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_future_is_dropped_the_next_caller_computes_at_once() {
    the_next_computes_at_once(
        |run| Ok(vec![run]),
        async |first| {
            first.abort();
            assert!(first.await.unwrap_err().is_cancelled());
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_the_time_for_a_computation_the_next_caller_computes() {
    let fleet = Fleet::new();
    let process = fleet.process().compute_max(COSTLY / 2);
    let error = fleet.ask(&process).await.unwrap().unwrap_err();
    assert!(matches!(error, CachedError::TimedOut { after } if after == COSTLY / 2), "{error:?}");
    assert_eq!(&*fleet.ask(&fleet.process()).await.unwrap().unwrap(), [2]);
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_the_others_compute_when_the_lease_ends() {
    let fleet = Fleet::new();
    // All that is left of a process that was killed while it computed.
    drop(fleet.stage.locker().acquire("k").await.unwrap().into_lease());
    let began = fleet.stage.now();
    assert_eq!(&*fleet.ask(&fleet.process()).await.unwrap().unwrap(), [1]);
    let waited = fleet.stage.now().since(began);
    assert!((Duration::from_millis(9_500)..Duration::from_millis(10_600) + COSTLY).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_value_of_a_process_that_crashed_before_its_release_is_there_at_once() {
    let fleet = Fleet::new();
    let crashed = fleet.stage.locker().acquire("k").await.unwrap().into_lease();
    let waits = [fleet.ask(&fleet.process()), fleet.ask(&fleet.process())];
    sleep(AT_ONCE).await;
    let entry = Entry::new([9].into(), crashed.token, TTL, COSTLY);
    fleet.store.put(&key(), &entry).await.unwrap().into_result().unwrap();
    let began = fleet.stage.now();
    for value in join_all(waits).await {
        assert_eq!(&*value.unwrap().unwrap(), [9]);
    }
    assert!(fleet.stage.now().since(began) < AT_ONCE, "{:?}", fleet.stage.now().since(began));
    assert_eq!(fleet.runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_early_refresh_blocks_no_reader_and_runs_once() {
    let fleet = Fleet::new();
    // Every reader takes the value for old.
    let processes = [fleet.process(), fleet.process()].map(|process| process.early_refresh(u32::MAX));
    assert_eq!(&*fleet.ask(&processes[0]).await.unwrap().unwrap(), [1]);
    let began = fleet.stage.now();
    for _ in 0..10 {
        for process in processes.iter().cycle().take(8) {
            assert_eq!(&*fleet.ask(process).await.unwrap().unwrap(), [1]);
        }
        sleep(COSTLY / 20).await;
    }
    assert!(fleet.stage.now().since(began) < COSTLY, "{:?}", fleet.stage.now().since(began));
    assert_eq!(fleet.runs(), 2);
    fleet.stage.until(COSTLY, "the new value is stored", || fleet.store.puts() == 2).await;
    assert_eq!(fleet.stored().await, Some(vec![2]));
    fleet.locks_are_gone().await;
    sleep(AT_ONCE).await;
    assert_eq!(fleet.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_early_refresh_that_fails_leaves_the_old_value_and_the_next_reader_tries_again() {
    let fleet = Fleet::new();
    let process = fleet.process().early_refresh(u32::MAX);
    assert_eq!(&*fleet.ask(&process).await.unwrap().unwrap(), [1]);
    let failing = fleet.ask_with(&process, |_| Err("the database is down".to_owned()));
    assert_eq!(&*failing.await.unwrap().unwrap(), [1]);
    fleet.until_run(2).await;
    sleep(COSTLY + AT_ONCE).await;
    assert_eq!(&*fleet.ask(&process).await.unwrap().unwrap(), [1]);
    fleet.until_run(3).await;
    fleet.stage.until(2 * COSTLY, "the new value is stored", || fleet.store.puts() == 2).await;
    assert_eq!(fleet.stored().await, Some(vec![3]));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_miss_during_an_early_refresh_wait_for_its_value() {
    let fleet = Fleet::new();
    let process = fleet.process().early_refresh(u32::MAX);
    assert_eq!(&*fleet.ask(&process).await.unwrap().unwrap(), [1]);
    sleep(TTL - COSTLY / 2 - AT_ONCE).await;
    assert_eq!(&*fleet.ask(&process).await.unwrap().unwrap(), [1]);
    fleet.until_run(2).await;
    sleep(COSTLY / 2 + AT_ONCE).await;
    assert_eq!(fleet.stored().await, None);
    assert_eq!(&*fleet.ask(&process).await.unwrap().unwrap(), [2]);
    assert_eq!(fleet.runs(), 2);
}
