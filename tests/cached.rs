//! A value is computed once for all tasks of all processes, whatever becomes of the one that computes it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "support/faulty_cache.rs"]
mod faulty_cache;
mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use faulty_cache::{CacheFault, FaultyCache};
use futures::future::join_all;
use redfence::cached::{CacheStore, Cached, CachedError, Computation, Entry, IfUnavailable, Lookup, MemoryCache};
use redfence::verifier::Verdict;
use redfence::{AcquireError, FencingToken, Redlock, Resource};
use support::{Fate, Stage};
use tokio::task::JoinHandle;
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(60);
/// How long a computation takes here.
const COSTLY: Duration = Duration::from_secs(1);
/// Some round trips, and a look into the store.
const AT_ONCE: Duration = Duration::from_millis(300);

/// Processes over the same nodes and the same store. All of them count how often they compute.
struct Fleet {
    stage: Stage,
    store: FaultyCache,
    runs: Arc<AtomicUsize>,
}

type Process = Cached<FaultyCache>;

impl Fleet {
    fn new() -> Self {
        let stage = Stage::of(3);
        let store = FaultyCache::over(MemoryCache::on(Arc::clone(&stage.clock), 100));
        Self { stage, store, runs: Arc::default() }
    }

    fn process(&self) -> Process {
        self.over(self.stage.locker())
    }

    fn over(&self, redlock: Redlock) -> Process {
        Cached::new(redlock, self.store.clone())
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// A task that asks for `k`. Its value is the number of the run that computed it.
    fn ask(&self, process: &Process) -> JoinHandle<Result<Arc<[u8]>, CachedError<String>>> {
        self.ask_with(process, |run| Ok(vec![run]))
    }

    fn ask_with(
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
    async fn until_run(&self, run: usize) {
        self.stage.until(Duration::from_secs(20), &format!("run {run}"), || self.runs() == run).await;
    }

    async fn stored(&self) -> Option<Vec<u8>> {
        self.store.inner.get(&key()).await.unwrap().map(|entry| entry.value.to_vec())
    }

    async fn locks_are_gone(&self) {
        self.stage.until(Duration::from_secs(1), "the lock is free", || self.stage.picture("k") == "...").await;
    }
}

fn key() -> Resource {
    Resource::new("k").unwrap()
}

async fn miss(process: &Process) -> Computation<FaultyCache> {
    match process.lookup("k").await.unwrap() {
        Lookup::Miss(computation) => computation,
        other => panic!("{other:?}"),
    }
}

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

/// A process whose lease ends while it computes, as after a long pause.
async fn paused_computation(fleet: &Fleet) -> Computation<FaultyCache> {
    let paused = fleet.over(fleet.stage.builder().renewed(false).build().unwrap());
    let computation = miss(&paused).await;
    sleep(Duration::from_secs(11)).await;
    computation
}

#[tokio::test(start_paused = true)]
async fn a_stale_write_is_refused_and_its_caller_gets_the_newer_value() {
    let fleet = Fleet::new();
    let stale = paused_computation(&fleet).await;
    assert_eq!(&*fleet.ask(&fleet.process()).await.unwrap().unwrap(), [1]);
    assert_eq!(&*stale.finish([7].into(), TTL).await.unwrap(), [1]);
    assert_eq!(fleet.stored().await, Some(vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_stale_write_is_refused_also_when_the_newer_value_has_expired() {
    let fleet = Fleet::new();
    let stale = paused_computation(&fleet).await;
    assert_eq!(&*fleet.ask(&fleet.process()).await.unwrap().unwrap(), [1]);
    sleep(TTL).await;
    assert_eq!(&*stale.finish([7].into(), TTL).await.unwrap(), [7]);
    assert_eq!(fleet.stored().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_is_not_passed_to_tasks_that_asked_after_an_invalidation() {
    let fleet = Fleet::new();
    let paused = fleet.over(fleet.stage.builder().renewed(false).build().unwrap());
    let stale = miss(&paused).await;
    sleep(Duration::from_secs(11)).await;
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
    let late = paused_computation(&fleet).await;
    assert_eq!(&*late.finish([7].into(), TTL).await.unwrap(), [7]);
    assert_eq!(fleet.stored().await, Some(vec![7]));
}

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
    let stale = paused_computation(&fleet).await;
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
    fleet.stage.nodes.iter().take(2).for_each(|node| node.fate(Fate::Unreachable));
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

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_refused() {
    let process = Fleet::new().process();
    let never = || async { Err::<Vec<u8>, _>("was called") };
    for ttl in [Duration::ZERO, Duration::from_micros(999), Entry::TTL_MAX + Duration::from_millis(1)] {
        let error = process.get_or_compute("k", ttl, never).await.unwrap_err();
        assert!(matches!(error, CachedError::Ttl { ttl: given } if given == ttl), "{error:?}");
    }
    assert!(matches!(process.get_or_compute("", TTL, never).await.unwrap_err(), CachedError::Key(_)));
    let long = || async { Ok::<_, Infallible>(vec![0; Entry::LEN_MAX + 1]) };
    let error = process.get_or_compute("k", TTL, long).await.unwrap_err();
    assert!(matches!(error, CachedError::TooLong { len } if len == Entry::LEN_MAX + 1), "{error:?}");
    let longest = || async { Ok::<_, Infallible>(vec![0; Entry::LEN_MAX]) };
    assert_eq!(process.get_or_compute("k", Entry::TTL_MAX, longest).await.unwrap().len(), Entry::LEN_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_memory_cache_is_bounded_and_what_expires_first_makes_room() {
    let stage = Stage::of(1);
    let cache = MemoryCache::on(Arc::clone(&stage.clock), 10);
    let names: Vec<_> = (1..=1_000_u64).map(|number| Resource::new(number.to_string()).unwrap()).collect();
    for (number, name) in (1..).zip(&names) {
        let entry = Entry::new([].into(), FencingToken::new(number).unwrap(), Duration::from_secs(number), COSTLY);
        cache.put(name, &entry).await.unwrap().into_result().unwrap();
    }
    let found: Vec<_> = join_all(names.iter().map(|name| cache.get(name))).await;
    let found: Vec<_> = names.iter().zip(found).filter(|(_, found)| found.as_ref().unwrap().is_some()).collect();
    assert_eq!(
        found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "),
        "991 992 993 994 995 996 997 998 999 1000"
    );
}
