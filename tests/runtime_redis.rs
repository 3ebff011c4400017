//! Background tasks of a locker run on the tokio runtime on which it was connected or built.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::poll;
use redfence::node::ask;
use redfence::node::redis::{Address, RedisNode, RedisNodeOptions};
use redfence::protocol::{FaultKind, Reply, Request, Verb};
use redfence::{ConfigError, ConnectError, EmbeddedNode, Redlock, ReleaseOutcome};
use support::deadline::poll_until;
use support::fault_node::{holder, subject};
use support::set::{over, patiently_over};
use support::{RedisServer, servers};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

const PROMPT: Duration = Duration::from_secs(10);
/// A call that takes this long has been retrying.
const LONG: Duration = Duration::from_secs(600);

/// Runs in the background.
fn home() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Runs while it is waited for.
fn away() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn r9_leases_are_renewed_on_the_runtime_of_connect_though_the_one_of_the_acquire_has_ended() {
    let (servers, home) = (servers(3), home());
    let ttl = Duration::from_secs(2);
    let redlock = home.block_on(over(&servers).ttl(ttl).connect()).unwrap();
    let away = away();
    let guard = away.block_on(redlock.acquire("r")).unwrap();
    drop(away);
    let first = guard.lease().valid_until;
    let renewed = || {
        guard.check().unwrap();
        (guard.lease().valid_until > first.after(ttl)).then_some(())
    };
    assert_eq!(poll_until(PROMPT, renewed), Ok(()));
}

#[test]
fn r9_a_runtime_that_has_ended_is_an_error_that_says_so_at_once() {
    let servers = servers(3);
    for embedded in [false, true] {
        let home = home();
        let redlock = home.block_on(async {
            match embedded {
                true => Redlock::builder().node(EmbeddedNode::new()).build().unwrap(),
                false => over(&servers).connect().await.unwrap(),
            }
        });
        drop(home);
        away().block_on(async {
            let error = timeout(PROMPT, redlock.acquire_within("r", LONG)).await.unwrap().unwrap_err();
            assert!(error.to_string().contains("the tokio runtime that it was opened on has ended"), "{error}");
        });
    }
}

#[test]
fn r9_when_a_runtime_ends_its_waiting_calls_end() {
    let (servers, home, elsewhere) = (servers(3), home(), self::home());
    let redlock = home.block_on(patiently_over(&servers).connect()).unwrap();
    let held = elsewhere.block_on(async {
        let rival = patiently_over(&servers).connect().await.unwrap();
        rival.acquire("r").await.unwrap()
    });
    away().block_on(async {
        let waits = tokio::spawn(async move { redlock.acquire_within("r", LONG).await.map(drop) });
        tokio::task::yield_now().await;
        home.shutdown_background();
        let error = timeout(PROMPT, waits).await.unwrap().unwrap().unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error}");
    });
    elsewhere.block_on(async { assert!(matches!(held.release().await, ReleaseOutcome::Released { .. })) });
}

#[test]
fn requests_that_were_sent_before_their_runtime_ended_are_not_called_unsent() {
    let (server, home) = (RedisServer::start(), home());
    let address = Address::parse(&server.url()).unwrap();
    let node = home.block_on(async {
        let node = RedisNode::open(address, RedisNodeOptions::default()).unwrap();
        node.dialled().await.unwrap();
        node
    });
    server.pause();
    let subject = subject("r", &holder("x", 1));
    let inspect = || ask(&node, Request { subject: Arc::clone(&subject), verb: Verb::Inspect });
    // A second batch may follow a single request; the third request waits.
    let answers = away().block_on(async {
        let mut all = pin!(join_all([inspect(), inspect(), inspect()]));
        assert!(poll!(all.as_mut()).is_pending());
        home.shutdown_background();
        timeout(PROMPT, all).await.unwrap()
    });
    let kinds = answers.into_iter().map(|reply| match reply {
        Reply::Failed(fault) => fault.kind,
        other => panic!("{other:?}"),
    });
    let (lost, unsent) = (FaultKind::ConnectionLost, FaultKind::Closed);
    assert_eq!(kinds.collect::<Vec<_>>(), [lost, lost, unsent]);
}

#[tokio::test(start_paused = true)]
async fn r9_connecting_while_the_clock_is_paused_says_so() {
    let servers = servers(3);
    let error = over(&servers).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Config(ConfigError::PausedClock)), "{error}");
    tokio::time::resume();
    drop(over(&servers).connect().await.unwrap());
}

#[tokio::test]
async fn r9_a_clock_that_is_paused_later_is_what_the_error_says() {
    let servers = servers(3);
    let redlock = over(&servers).connect().await.unwrap();
    servers.iter().for_each(|server| server.pause());
    tokio::time::pause();
    let error = redlock.acquire_within("r", LONG).await.unwrap_err();
    assert!(error.to_string().contains("tokio's clock is paused"), "{error}");
}
