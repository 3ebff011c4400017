//! Copies of a process share no holder ids, and a child does not touch connections and leases of its parent.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::path::Path;
use std::time::Duration;

use fork::Fork;
use redfence::{AcquireError, LossCause, Redlock, ReleaseOutcome};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use support::deadline::poll_until;
use support::servers;
use support::set::{over, patiently_over, picture};
use tokio::runtime::{Builder, Runtime};

const PROMPT: Duration = Duration::from_secs(20);
/// No test sees a lock end by itself.
const TTL: Duration = Duration::from_secs(30);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs `child` in a fork of this process, and returns what it says.
fn in_a_fork(child: impl FnOnce() -> String) -> String {
    let dir = tempfile::tempdir().unwrap();
    let said = dir.path().join("said");
    let pid = start(&said, child);
    wait(pid);
    std::fs::read_to_string(&said).unwrap()
}

fn start(said: &Path, child: impl FnOnce() -> String) -> Pid {
    match fork::fork().unwrap() {
        Fork::Parent(pid) => Pid::from_raw(pid).unwrap(),
        Fork::Child => {
            let words = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            std::fs::write(said, words.unwrap_or_else(|_| "it panicked".to_owned())).unwrap();
            // Nothing may be dropped here that the parent also has: above all its servers.
            std::process::exit(0);
        }
    }
}

fn wait(pid: Pid) {
    let ended = || waitpid(Some(pid), WaitOptions::NOHANG).unwrap();
    if let Err(limit) = poll_until(PROMPT, ended) {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("the fork was not done after {limit:?}");
    }
}

#[test]
fn r1_a_fork_never_shares_a_holder_id() {
    let servers = servers(3);
    // Like a server that forks its workers: the shared parts are made before.
    let builder = over(&servers).label("web").ttl(TTL);
    let holders = || {
        let builder = builder.clone();
        runtime().block_on(async {
            let redlock = builder.connect().await.unwrap();
            let mut holders = String::new();
            for _ in 0..10 {
                let guard = redlock.acquire("r").await.unwrap();
                holders += &format!("{}\n", guard.holder().id());
                drop(guard.release().await);
            }
            holders
        })
    };
    let said: Vec<String> = vec![in_a_fork(holders), in_a_fork(holders), holders()];
    let mut all: Vec<&str> = said.iter().flat_map(|holders| holders.lines()).collect();
    assert_eq!(all.len(), 30, "{said:?}");
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 30, "shared: {said:?}");
}

#[test]
fn r1_a_fork_leaves_the_connections_and_the_leases_of_its_parent_alone() {
    let (servers, runtime) = (servers(3), runtime());
    let (redlock, guard) = runtime.block_on(async {
        let redlock = patiently_over(&servers).renewed(false).connect().await.unwrap();
        redlock.drain(PROMPT).await;
        let guard = redlock.acquire("r").await.unwrap();
        redlock.drain(PROMPT).await;
        (redlock, guard)
    });
    assert_eq!(picture(&servers), "xxx");
    let mut guard = Some(guard);
    let said = in_a_fork(|| {
        // Without the parent's runtime, whose threads it does not have.
        self::runtime().block_on(async {
            let guard = guard.take().unwrap();
            let check = guard.check().map_err(|lost| lost.cause);
            drop(guard.release().await);
            let error = redlock.acquire_within("another", TTL).await.unwrap_err();
            assert!(matches!(error, AcquireError::NoQuorum { attempts: 1, .. }), "{error}");
            format!("{check:?}; {error}")
        })
    });
    assert!(said.starts_with(&format!("{:?}; ", Err::<(), _>(LossCause::Forked))), "{said}");
    assert!(said.contains("this process is a fork") && said.contains("connect after the fork"), "{said}");
    assert_eq!(picture(&servers), "xxx", "a fork released what its parent holds");
    let guard = guard.unwrap();
    assert_eq!(guard.check(), Ok(()));
    runtime.block_on(async {
        guard.extend().await.unwrap();
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
        drop(redlock.acquire("another").await.unwrap().release().await);
    });
}

#[test]
fn r1_a_fork_opens_its_own_connections() {
    let (servers, runtime) = (servers(3), runtime());
    let held = runtime.block_on(async {
        let redlock = patiently_over(&servers).connect().await.unwrap();
        redlock.acquire("r").await.unwrap()
    });
    let said = in_a_fork(|| {
        self::runtime().block_on(async {
            let redlock = Redlock::connect(servers.iter().map(|server| server.url())).await.unwrap();
            let refused = matches!(redlock.try_acquire("r").await, Err(AcquireError::Contended { .. }));
            let guard = redlock.acquire("another").await.unwrap();
            format!("{refused} {}", matches!(guard.release().await, ReleaseOutcome::Released { .. }))
        })
    });
    assert_eq!(said, "true true");
    runtime.block_on(async { drop(held.release().await) });
}
