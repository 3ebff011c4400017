//! Waits for a lease until a signal ends the wait.

use std::time::Duration;

use redfence::node::redis::RedisNodeOptions;
use redfence::protocol::Backoff;
use redfence::{Builder, Clock as _, ConnectError, Entropy, Guard, Redlock, Resource, SystemClock};

use super::degraded;
use crate::args::LeaseArgs;
use crate::connect::DRAIN_MAX;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

/// Connects and acquires. A signal ends the wait and rolls the attempt back.
pub(super) async fn hold(
    resource: &Resource,
    lease: &LeaseArgs,
    builder: Builder,
    signals: &mut Signals,
    output: Output,
) -> Result<(Redlock, Guard), Failure> {
    let builder = builder.ttl(lease.ttl).wait_max(lease.wait);
    let builder = match &lease.label {
        Some(label) => builder.label(label),
        None => builder,
    };
    let began = SystemClock.now();
    let redlock = tokio::select! {
        redlock = connect(builder, lease.wait) => redlock?,
        signal = signals.ending() => return Err(interrupted(resource, signal)),
    };
    let has_told = !lease.wait.is_zero() && degraded::note_rest(&redlock, output);
    // The time of connecting counts as part of the wait, but one attempt follows in any case.
    let wait_left = lease.wait.saturating_sub(SystemClock.now().since(began));
    let acquired = tokio::select! {
        biased;
        acquired = redlock.acquire_within(resource, wait_left) => Ok(acquired),
        signal = signals.ending() => Err(interrupted(resource, signal)),
    };
    match acquired {
        Ok(Ok(guard)) => {
            if !has_told {
                degraded::note(&redlock, output);
            }
            Ok((redlock, guard))
        }
        Ok(Err(error)) => {
            redlock.drain(DRAIN_MAX).await;
            Err(Failure::acquire(&error, &redlock, has_told))
        }
        Err(interrupted) => {
            redlock.drain(DRAIN_MAX).await;
            Err(interrupted)
        }
    }
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
