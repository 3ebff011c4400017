//! A value that is stale is not stored, and not passed on to tasks that asked later.

use std::convert::Infallible;
use std::sync::Arc;

use redfence::cached::{CacheStore, Cached, Entry, MemoryCache};
use redfence::verifier::Verdict;
use redfence::{FencingToken, Resource};
use tokio::time::sleep;

use crate::fleet::{AT_ONCE, COSTLY, Fleet, LEASE_ENDS, TTL, key, miss};
use crate::support::Stage;

#[tokio::test(start_paused = true)]
async fn a_stale_write_is_refused_and_its_caller_gets_the_newer_value() {
    let fleet = Fleet::new();
    let stale = fleet.paused_computation().await;
    assert_eq!(&*fleet.ask(&fleet.process()).await.unwrap().unwrap(), [1]);
    assert_eq!(&*stale.finish([7].into(), TTL).await.unwrap(), [1]);
    assert_eq!(fleet.stored().await, Some(vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_stale_write_is_refused_also_when_the_newer_value_has_expired() {
    let fleet = Fleet::new();
    let stale = fleet.paused_computation().await;
    assert_eq!(&*fleet.ask(&fleet.process()).await.unwrap().unwrap(), [1]);
    sleep(TTL).await;
    assert_eq!(&*stale.finish([7].into(), TTL).await.unwrap(), [7]);
    assert_eq!(fleet.stored().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_is_not_passed_to_tasks_that_asked_after_an_invalidation() {
    let fleet = Fleet::new();
    let paused = fleet.without_renewal();
    let stale = miss(&paused).await;
    sleep(LEASE_ENDS).await;
    fleet.process().invalidate("k").await.unwrap();
    let waits = fleet.ask(&paused);
    sleep(AT_ONCE).await;
    assert!(!waits.is_finished() && fleet.runs() == 0);
    assert_eq!(&*stale.finish([7].into(), TTL).await.unwrap(), [7]);
    assert_eq!(&*waits.await.unwrap().unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_alone_does_not_waste_the_value() {
    let fleet = Fleet::new();
    let late = fleet.paused_computation().await;
    assert_eq!(&*late.finish([7].into(), TTL).await.unwrap(), [7]);
    assert_eq!(fleet.stored().await, Some(vec![7]));
}

/// A store that takes some time to pass on a value that it has read.
#[derive(Clone)]
struct SlowToPassOn(MemoryCache);

impl CacheStore for SlowToPassOn {
    type Error = Infallible;

    async fn get(&self, key: &Resource) -> Result<Option<Entry>, Infallible> {
        let found = self.0.get(key).await?;
        if found.is_some() {
            sleep(AT_ONCE).await;
        }
        Ok(found)
    }

    async fn put(&self, key: &Resource, entry: &Entry) -> Result<Verdict, Infallible> {
        self.0.put(key, entry).await
    }

    async fn remove(&self, key: &Resource, token: FencingToken) -> Result<Verdict, Infallible> {
        self.0.remove(key, token).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_expired_before_a_task_asked_is_not_passed_to_it() {
    let stage = Stage::of(3);
    let store = MemoryCache::on(Arc::clone(&stage.clock), 100);
    let process = Cached::new(stage.locker(), SlowToPassOn(store.clone()));
    let ask = |value: u8| {
        let process = process.clone();
        let compute = move || async move { Ok::<_, Infallible>(vec![value]) };
        tokio::spawn(async move { process.get_or_compute("k", TTL, compute).await.unwrap() })
    };
    let elsewhere = stage.locker().acquire("k").await.unwrap();
    let first = ask(2);
    sleep(AT_ONCE).await;
    // The first task finds this value at its next look into the store, while the lock is still held elsewhere.
    let short = AT_ONCE / 2;
    store.put(&key(), &Entry::new([1].into(), elsewhere.token(), short, COSTLY)).await.unwrap().into_result().unwrap();
    sleep(short).await;
    assert!(store.get(&key()).await.unwrap().is_none() && !first.is_finished());
    let second = ask(3);
    assert_eq!(*first.await.unwrap(), [1]);
    drop(elsewhere.release().await);
    assert_eq!(*second.await.unwrap(), [3]);
}
