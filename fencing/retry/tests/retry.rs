//! The way back after a stale token: a new lease, a new token, the write again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::sync::Mutex;

use redfence::verifier::{MemoryStore, Rule, StaleToken};
use redfence::{EmbeddedNode, FencingToken, Redlock, Resource, WithLockError};
use redfence_retry::{RetryStaleError, retry_stale};

fn redlock() -> Redlock {
    Redlock::builder().node(EmbeddedNode::new()).build().unwrap()
}

fn token(number: u64) -> FencingToken {
    FencingToken::new(number).unwrap()
}

#[derive(Debug, PartialEq)]
enum Failed {
    Stale(FencingToken),
    Unknown,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

const fn highest(failed: &Failed) -> Option<FencingToken> {
    match failed {
        Failed::Stale(highest) => Some(*highest),
        Failed::Unknown => None,
    }
}

/// The first run presents the token of a lease that is over, as a holder does that was paused beyond it.
#[tokio::test]
async fn a_stale_write_runs_again_under_a_new_token() {
    let (redlock, store, ledger) = (redlock(), MemoryStore::new(), Resource::new("ledger").unwrap());
    let paused = redlock.acquire("ledger").await.unwrap();
    let older = paused.token();
    drop(paused.release().await);
    let other = redlock.acquire("ledger").await.unwrap();
    let highest = other.token();
    store.write(&ledger, highest, Rule::AcceptEqual, || ()).unwrap();
    drop(other.release().await);
    let tokens = Mutex::new(vec![older]);
    let written = retry_stale(
        &redlock,
        &ledger,
        2,
        |stale: &StaleToken| Some(stale.highest),
        async |lease| {
            tokens.lock().unwrap().push(lease.token());
            let presented = if tokens.lock().unwrap().len() == 2 { older } else { lease.token() };
            store.write(&ledger, presented, Rule::AcceptEqual, || lease.token())
        },
    );
    let written = written.await.unwrap();
    let tokens = tokens.into_inner().unwrap();
    assert!(tokens.len() == 3 && tokens.is_sorted() && tokens[2] == written && highest < written, "{tokens:?}");
}

#[tokio::test]
async fn it_gives_up_after_as_many_attempts() {
    let redlock = redlock();
    for (attempts, runs) in [(0, 1), (1, 1), (3, 3)] {
        let count = Mutex::new(0);
        let stale = retry_stale(&redlock, "ledger", attempts, highest, async |_| -> Result<(), Failed> {
            *count.lock().unwrap() += 1;
            Err(Failed::Stale(token(1)))
        });
        let stale = stale.await;
        assert!(matches!(stale, Err(RetryStaleError::Write(Failed::Stale(_)))), "{stale:?}");
        assert_eq!(count.into_inner().unwrap(), runs);
    }
    assert!(redlock.try_acquire("ledger").await.is_ok(), "the lock was given back");
}

#[tokio::test]
async fn nothing_but_stale_is_retried() {
    let (redlock, count) = (redlock(), Mutex::new(0));
    let unknown = retry_stale(&redlock, "ledger", 9, highest, async |_| -> Result<(), Failed> {
        *count.lock().unwrap() += 1;
        Err(Failed::Unknown)
    });
    assert!(matches!(unknown.await, Err(RetryStaleError::Write(Failed::Unknown))));
    assert_eq!(count.into_inner().unwrap(), 1);
    let never = async |_| -> Result<(), Failed> { panic!("the body ran without a lease") };
    let named = retry_stale(&redlock, "", 9, highest, never).await;
    assert!(matches!(named, Err(RetryStaleError::Lock(WithLockError::Acquire(_)))), "{named:?}");
}

/// A number that an operator wrote into the fence by hand: no lease will pass for long, and retrying would only take time.
#[tokio::test]
async fn a_fence_ahead_of_the_lock_is_told_at_once() {
    let (redlock, count) = (redlock(), Mutex::new(0));
    let poisoned = retry_stale(&redlock, "ledger", 1_000, highest, async |_| -> Result<(), Failed> {
        *count.lock().unwrap() += 1;
        Err(Failed::Stale(token(FencingToken::MAX)))
    });
    let error = poisoned.await.unwrap_err();
    assert!(matches!(error, RetryStaleError::FenceAhead { .. }), "{error}");
    assert!(error.to_string().contains("9007199254740991"), "{error}");
    assert_eq!(count.into_inner().unwrap(), 1);
}
