//! Waits for a lease until a signal ends the wait.

use std::time::Duration;

use redfence::node::redis::RedisNodeOptions;
use redfence::protocol::Backoff;
use redfence::{AcquireError, Builder, Clock as _, ConnectError, Entropy, Guard, Redlock, Resource, SystemClock};

use super::{degraded, waiting};
use crate::connect::DRAIN_MAX;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

/// What is wanted, and for how long to try.
pub(super) struct Wish<'a> {
    pub(super) resource: &'a Resource,
    pub(super) ttl: Duration,
    pub(super) label: Option<&'a str>,
    pub(super) wait: Duration,
    /// Whether not to wait for a lock that stays until after the wait unless it is released.
    pub(super) gives_up_early: bool,
}

/// Connects and acquires. A signal ends the wait and rolls the attempt back.
pub(super) async fn hold(
    wish: &Wish<'_>,
    builder: Builder,
    signals: &mut Signals,
    output: Output,
) -> Result<(Redlock, Guard), Failure> {
    let began = SystemClock.now();
    let redlock = connected(wish, wish.wait, builder, signals).await?;
    // The time of connecting counts as part of the wait, but one attempt follows in any case.
    let wait_left = wish.wait.saturating_sub(SystemClock.now().since(began));
    let guard = acquired(wish, wait_left, &redlock, signals, output).await?;
    Ok((redlock, guard))
}

/// Connects, until a signal comes. If servers are slow, it tries for `wait`.
pub(super) async fn connected(
    wish: &Wish<'_>,
    wait: Duration,
    builder: Builder,
    signals: &mut Signals,
) -> Result<Redlock, Failure> {
    let builder = builder.ttl(wish.ttl).wait_max(wish.wait);
    let builder = match wish.label {
        Some(label) => builder.label(label),
        None => builder,
    };
    tokio::select! {
        redlock = connect(builder, wait) => Ok(redlock?),
        signal = signals.ending() => Err(interrupted(wish.resource, signal)),
    }
}

/// Acquires within `wait`, or until a signal comes.
pub(super) async fn acquired(
    wish: &Wish<'_>,
    wait: Duration,
    redlock: &Redlock,
    signals: &mut Signals,
    output: Output,
) -> Result<Guard, Failure> {
    let has_told = !wish.wait.is_zero() && degraded::note_rest(redlock, wait, output);
    let acquired = tokio::select! {
        biased;
        acquired = acquire(wish, wait, redlock) => Ok(acquired),
        _ = waiting::show(redlock, wish.resource, output) => std::future::pending().await,
        signal = signals.ending() => Err(interrupted(wish.resource, signal)),
    };
    match acquired {
        Ok(Ok(guard)) => {
            if !has_told {
                degraded::note(redlock, output);
            }
            Ok(guard)
        }
        Ok(Err(error)) => {
            redlock.drain(DRAIN_MAX).await;
            Err(Failure::acquire(&error, redlock, has_told))
        }
        Err(interrupted) => {
            redlock.drain(DRAIN_MAX).await;
            Err(interrupted)
        }
    }
}

async fn acquire(wish: &Wish<'_>, wait: Duration, redlock: &Redlock) -> Result<Guard, AcquireError> {
    if wish.gives_up_early {
        return redlock.acquire_unless_kept(wish.resource, wait).await;
    }
    redlock.acquire_within(wish.resource, wait).await
}

/// Connects. If servers are too slow to dial in time, because many processes start at once, it tries again until the
/// wait is over.
async fn connect(builder: Builder, wait: Duration) -> Result<Redlock, ConnectError> {
    let (began, dial_timeout) = (SystemClock.now(), RedisNodeOptions::default().dial_timeout);
    let entropy = Entropy::from_system();
    let mut pauses = Backoff::new(PAUSES.0, PAUSES.1, || entropy.u32());
    loop {
        let tried = SystemClock.now();
        let outcome = builder.clone().connect().await;
        let now = SystemClock.now();
        let is_slow = now.since(tried) >= dial_timeout;
        match (&outcome, pauses.next()) {
            (Err(ConnectError::NoQuorum { .. }), Some(pause)) if is_slow && now.since(began) + pause < wait => {
                tokio::time::sleep(pause).await;
            }
            _ => return outcome,
        }
    }
}

/// The first and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

fn interrupted(resource: &Resource, signal: rustix::process::Signal) -> Failure {
    Failure::new(Exit::from(signal), format!("ended by a signal while waiting for {:?}", resource.as_str()))
}
