//! The lock for programs that block: from threads, inside of runtimes, and after a fork.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use redfence::blocking;
use redfence::{AcquireError, EmbeddedNode, FaultKind, LossCause, Redlock, ReleaseOutcome, SystemClock, Vote};
use support::set::{patiently_over, picture};
use support::{Delivery, FaultNode, servers};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn embedded() -> blocking::Redlock {
    let nodes = (0..3).map(|_| EmbeddedNode::new());
    blocking::Redlock::build(nodes.fold(Redlock::builder(), redfence::Builder::node)).unwrap()
}

#[test]
fn threads_exclude_each_other_and_tokens_grow() {
    let redlock = embedded();
    let (last, turns) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mutex = redlock.mutex("r").unwrap();
                for _ in 0..25 {
                    let guard = mutex.lock().unwrap();
                    // Not one step: it holds because the lock does.
                    let turn = turns.load(Ordering::SeqCst);
                    assert!(guard.token().get() > last.swap(guard.token().get(), Ordering::SeqCst));
                    thread::yield_now();
                    turns.store(turn + 1, Ordering::SeqCst);
                    guard.check().unwrap();
                }
            });
        }
    });
    assert_eq!(turns.into_inner(), 100);
}

#[test]
fn every_async_call_can_be_waited_for_on_a_plain_thread() {
    let redlock = embedded();
    let tasks = redlock.as_async();
    let both = redlock.block_on(tasks.acquire_all(["b", "a"])).unwrap().unwrap();
    assert!(redlock.block_on(tasks.is_locked("a")).unwrap().unwrap());
    assert!(matches!(redlock.mutex("b").unwrap().try_lock(), Err(AcquireError::Contended { .. })));
    let released = redlock.block_on(both.release()).unwrap();
    assert!(released.iter().all(|(_, outcome)| matches!(outcome, ReleaseOutcome::Released { .. })), "{released:?}");
    // It waits on this thread, until another one releases; what it returned is renewed and released in the background.
    let reports = tasks.semaphore("reports", 1).unwrap();
    let permit = redlock.block_on(reports.acquire()).unwrap().unwrap();
    let next = thread::scope(|scope| {
        let waits = scope.spawn(|| redlock.block_on(reports.acquire_within(ms(60_000))).unwrap().unwrap());
        assert!(redlock.block_on(reports.try_acquire()).unwrap().is_err());
        drop(permit);
        waits.join().unwrap()
    });
    assert!(next.check().is_ok());
    let leader = redlock.block_on(tasks.election("scheduler").unwrap().campaign()).unwrap().unwrap();
    assert_eq!(leader.check(), Ok(()));
}

#[test]
fn a_call_that_is_waited_for_inside_of_a_runtime_needs_none_of_its_threads() {
    let redlock = embedded();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // This runtime has no timers, and its only thread is blocked.
    let guard = runtime.block_on(async { redlock.block_on(redlock.as_async().acquire("r")) }).unwrap().unwrap();
    let late = redlock.block_on(redlock.as_async().acquire_within("r", ms(20))).unwrap();
    assert!(matches!(late, Err(AcquireError::Contended { .. })), "{late:?}");
    assert!(guard.check().is_ok());
}

#[test]
fn a_long_call_inside_of_a_runtime_ends() {
    let (done, ended) = channel();
    thread::spawn(move || {
        let redlock = embedded();
        let tasks = redlock.as_async();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // More than a task of tokio may do before it yields. The task of this runtime cannot yield.
        let many = async {
            for _ in 0..500 {
                drop(tasks.acquire("r").await.unwrap().release().await);
            }
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            for number in 0..500 {
                sender.send(number).unwrap();
                assert_eq!(receiver.recv().await, Some(number));
            }
        };
        runtime.block_on(async { redlock.block_on(many) }).unwrap();
        done.send(()).unwrap();
    });
    ended.recv_timeout(ms(60_000)).unwrap();
}

#[test]
fn a_call_that_parks_the_thread_itself_misses_no_wake() {
    let (done, ended) = channel();
    thread::spawn(move || {
        let mut is_second = false;
        let call = std::future::poll_fn(|context| {
            if is_second {
                return Poll::Ready(());
            }
            is_second = true;
            context.waker().wake_by_ref();
            // Returns at once, and uses the wake up, as a blocking call within this one would.
            thread::park();
            Poll::Pending
        });
        embedded().block_on(call).unwrap();
        done.send(()).unwrap();
    });
    ended.recv_timeout(ms(20_000)).unwrap();
}

#[test]
fn a_guard_is_what_an_async_guard_is() {
    let redlock = embedded();
    let mutex = redlock.mutex("r").unwrap();
    let guard = mutex.lock_within(ms(0)).unwrap();
    assert_eq!((guard.resource(), guard.lost(), guard.check()), (mutex.resource(), None, Ok(())));
    let before = guard.valid_for().unwrap();
    guard.extend().unwrap();
    assert!(guard.valid_for().unwrap() > ms(9_000) && before > ms(9_000));
    assert!(matches!(mutex.try_lock(), Err(AcquireError::Contended { .. })));
    assert!(matches!(guard.release(), ReleaseOutcome::Released { .. }));
    drop(mutex.try_lock().unwrap());
    drop(mutex.try_lock().expect("dropped is released"));
    assert!(redlock.mutex("").is_err());
    assert!(blocking::Redlock::build(Redlock::builder()).is_err(), "no nodes");
}

#[test]
fn a_scope_releases_also_when_its_body_panics() {
    let mutex = embedded().mutex("r").unwrap();
    let panics = || {
        mutex.scope(|guard| {
            if guard.check().is_ok() {
                panic!("as it should")
            }
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(mutex.scope(|guard| guard.lost()).unwrap(), None);
}

#[test]
fn a_lease_that_is_not_renewed_is_lost_and_says_so() {
    let nodes: Vec<_> = (0..3).map(|_| FaultNode::on(Arc::new(SystemClock))).collect();
    let builder = nodes.iter().cloned().fold(Redlock::builder(), redfence::Builder::node).ttl(ms(200));
    let redlock = blocking::Redlock::build(builder).unwrap();
    let guard = redlock.mutex("r").unwrap().lock().unwrap();
    nodes.iter().for_each(|node| node.delivery(Delivery::Unreachable));
    let lost = support::deadline::poll_until(ms(20_000), || guard.lost()).unwrap();
    assert_eq!(lost, LossCause::Expired);
    assert!(guard.valid_for().is_none() && guard.check().is_err() && guard.extend().is_err());
}

/// Calls inside of runtimes: the thread blocks, and what it waits for goes on all the same.
#[test]
fn inside_of_a_runtime_a_call_blocks_its_thread_and_deadlocks_nothing() {
    let redlock = embedded();
    let mutex = redlock.mutex("r").unwrap();
    let current_thread = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let worker_threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for runtime in [current_thread, worker_threads] {
        let (asks, asked) = channel();
        let held = mutex.lock().unwrap();
        let releases = thread::spawn(move || {
            asked.recv().unwrap();
            drop(held);
        });
        runtime.block_on(async {
            let mutex = mutex.clone();
            let blocks = tokio::spawn(async move {
                asks.send(()).unwrap();
                let guard = mutex.lock().unwrap();
                guard.extend().unwrap();
                // Drops inside of the runtime, which blocks as well.
                guard.check().is_ok()
            });
            assert!(blocks.await.unwrap());
            // A runtime that is about to end is no matter either.
            drop(redlock.mutex("another").unwrap().lock().unwrap());
        });
        releases.join().unwrap();
        // The locker lives on its own thread, not on this runtime.
        drop(runtime);
        drop(mutex.lock().unwrap());
    }
}

#[test]
fn what_it_waits_for_on_its_own_runtime_ends_with_the_wait() {
    let redlock = embedded();
    let mutex = redlock.mutex("r").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // It cannot be released while the only thread of this runtime blocks.
        let held = redlock.as_async().acquire("r").await.unwrap();
        assert!(matches!(mutex.lock_within(ms(300)), Err(AcquireError::Contended { .. })));
        drop(held.release().await);
        drop(mutex.lock().unwrap());
    });
}

#[test]
fn on_the_background_thread_itself_a_call_fails_instead_of_waiting_for_itself() {
    let node = FaultNode::on(Arc::new(SystemClock));
    let redlock = blocking::Redlock::build(Redlock::builder().node(node.clone())).unwrap();
    let (inner, said) = (redlock.mutex("inner").unwrap(), Arc::new(Mutex::new(None)));
    let notes = Arc::clone(&said);
    // Requests are sent on the background thread.
    node.rule(move |_| {
        let _ = notes.lock().unwrap().get_or_insert_with(|| inner.try_lock().map(drop).unwrap_err().to_string());
        Delivery::Through
    });
    drop(redlock.mutex("r").unwrap().lock().unwrap());
    let said = said.lock().unwrap().take().unwrap();
    assert!(said.contains("call it from another thread"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn all_lockers_of_a_process_share_one_background_thread() {
    let _lockers = [embedded(), embedded(), embedded()];
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default());
    assert_eq!(names.filter(|name| name.trim() == "redfence").count(), 1);
}

#[test]
fn on_servers_it_locks_and_leaves_nothing_behind() {
    let servers = servers(3);
    let redlock = blocking::Redlock::connect_with(patiently_over(&servers)).unwrap();
    let mutex = redlock.mutex("r").unwrap();
    let guard = mutex.lock().unwrap();
    redlock.drain(ms(20_000));
    assert_eq!(picture(&servers), "xxx");
    let rival = blocking::Redlock::connect(servers.iter().map(|server| server.url())).unwrap();
    assert!(rival.mutex("r").unwrap().try_lock().is_err());
    drop(guard);
    redlock.drain(ms(20_000));
    assert_eq!(picture(&servers), "...");
}

#[cfg(unix)]
#[test]
fn a_fork_says_so_leaves_its_parents_lock_alone_and_opens_for_itself() {
    use fork::Fork;
    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

    let servers = servers(3);
    let redlock = blocking::Redlock::connect_with(patiently_over(&servers)).unwrap();
    let mutex = redlock.mutex("r").unwrap();
    let guard = mutex.lock().unwrap();
    redlock.drain(ms(20_000));
    let dir = tempfile::tempdir().unwrap();
    let said = dir.path().join("said");
    let mut guard = Some(guard);
    let child = || {
        let error = mutex.try_lock().unwrap_err();
        let AcquireError::NoQuorum { votes, attempts: 0, .. } = &error else { panic!("{error:?}") };
        let closed = |vote: &Vote| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Closed);
        assert!(votes.iter().all(|(_, vote)| closed(vote)), "{error}");
        let held = guard.as_ref().unwrap();
        assert_eq!((held.lost(), held.valid_for()), (Some(LossCause::Forked), None));
        assert!(held.extend().is_err());
        let unasked = redlock.block_on(redlock.as_async().is_locked("r"));
        assert_eq!(unasked.err(), Some(blocking::BackgroundError::Forked));
        redlock.drain(ms(20_000));
        drop((guard.take(), mutex.clone(), redlock.clone()));
        let own = blocking::Redlock::connect(servers.iter().map(|server| server.url())).unwrap();
        let refused = matches!(own.mutex("r").unwrap().try_lock(), Err(AcquireError::Contended { .. }));
        let guard = own.mutex("another").unwrap().lock().unwrap();
        format!("{refused} {} {error}", matches!(guard.release(), ReleaseOutcome::Released { .. }))
    };
    match fork::fork().unwrap() {
        Fork::Parent(pid) => {
            let pid = Pid::from_raw(pid).unwrap();
            let ended = || waitpid(Some(pid), WaitOptions::NOHANG).unwrap();
            if let Err(limit) = support::deadline::poll_until(ms(20_000), ended) {
                kill_process(pid, Signal::KILL).unwrap();
                panic!("the fork was not done after {limit:?}");
            }
        }
        Fork::Child => {
            let words = catch_unwind(AssertUnwindSafe(child));
            std::fs::write(&said, words.unwrap_or_else(|_| "it panicked".to_owned())).unwrap();
            // Nothing is dropped here that the parent has as well: its servers, above all.
            std::process::exit(0);
        }
    }
    let said = std::fs::read_to_string(&said).unwrap();
    assert!(said.starts_with("true true "), "{said}");
    assert!(said.contains("this process is a fork") && said.contains("open a locker after the fork"), "{said}");
    let guard = guard.unwrap();
    assert_eq!(guard.check(), Ok(()));
    assert!(matches!(guard.release(), ReleaseOutcome::Released { .. }));
}
