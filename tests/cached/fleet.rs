//! Processes that compute the same value.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redfence::cached::{CacheStore, Cached, CachedError, Computation, Lookup, MemoryCache};
use redfence::{Redlock, Resource};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::faulty_cache::FaultyCache;
use crate::support::Stage;

pub const TTL: Duration = Duration::from_secs(60);
/// How long a computation takes here.
pub const COSTLY: Duration = Duration::from_secs(1);
/// Some round trips, and a look into the store.
pub const AT_ONCE: Duration = Duration::from_millis(300);
/// Longer than a lease lasts that is not renewed.
pub const LEASE_ENDS: Duration = Duration::from_secs(11);

/// Processes over the same nodes and the same store. All of them count how often they compute.
pub struct Fleet {
    pub stage: Stage,
    pub store: FaultyCache,
    runs: Arc<AtomicUsize>,
}

pub type Process = Cached<FaultyCache>;

impl Fleet {
    pub fn new() -> Self {
        let stage = Stage::of(3);
        let store = FaultyCache::over(MemoryCache::on(Arc::clone(&stage.clock), 100));
        Self { stage, store, runs: Arc::default() }
    }

    pub fn process(&self) -> Process {
        self.over(self.stage.locker())
    }

    /// A process that does not renew its leases.
    pub fn without_renewal(&self) -> Process {
        self.over(self.stage.builder().renewed(false).build().unwrap())
    }

    /// A process whose lease ends while it computes, as after a long pause.
    pub async fn paused_computation(&self) -> Computation<FaultyCache> {
        let paused = self.without_renewal();
        let computation = miss(&paused).await;
        sleep(LEASE_ENDS).await;
        computation
    }

    fn over(&self, redlock: Redlock) -> Process {
        Cached::new(redlock, self.store.clone())
    }

    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// A task that asks for `k`. Its value is the number of the run that computed it.
    pub fn ask(&self, process: &Process) -> JoinHandle<Result<Arc<[u8]>, CachedError<String>>> {
        self.ask_with(process, |run| Ok(vec![run]))
    }

    pub fn ask_with(
        &self,
        process: &Process,
        outcome: impl FnOnce(u8) -> Result<Vec<u8>, String> + Send + 'static,
    ) -> JoinHandle<Result<Arc<[u8]>, CachedError<String>>> {
        let (process, runs) = (process.clone(), Arc::clone(&self.runs));
        tokio::spawn(async move {
            let compute = move || async move {
                let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
                sleep(COSTLY).await;
                outcome(u8::try_from(run).unwrap())
            };
            process.get_or_compute("k", TTL, compute).await
        })
    }

    /// Lets time go on until some task computes for the `run`th time.
    pub async fn until_run(&self, run: usize) {
        self.stage.until(Duration::from_secs(20), &format!("run {run}"), || self.runs() == run).await;
    }

    pub async fn stored(&self) -> Option<Vec<u8>> {
        self.store.inner.get(&key()).await.unwrap().map(|entry| entry.value.to_vec())
    }

    pub async fn locks_are_gone(&self) {
        self.stage.until(Duration::from_secs(1), "the lock is free", || self.stage.picture("k") == "...").await;
    }
}

pub fn key() -> Resource {
    Resource::new("k").unwrap()
}

pub async fn miss(process: &Process) -> Computation<FaultyCache> {
    match process.lookup("k").await.unwrap() {
        Lookup::Miss(computation) => computation,
        other => panic!("{other:?}"),
    }
}
