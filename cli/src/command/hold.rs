//! Waiting for a lease, as long as no signal says otherwise.

use redfence::{Builder, Guard, Redlock, Resource};

use crate::args::LeaseArgs;
use crate::connect::DRAIN_MAX;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;

/// Connects and acquires. A signal ends the wait and rolls back what was asked for.
pub(super) async fn hold(
    resource: &Resource,
    lease: &LeaseArgs,
    builder: Builder,
    signals: &mut Signals,
) -> Result<(Redlock, Guard), Failure> {
    let builder = builder.ttl(lease.ttl).wait_max(lease.wait);
    let builder = match &lease.label {
        Some(label) => builder.label(label),
        None => builder,
    };
    let redlock = tokio::select! {
        redlock = builder.connect() => redlock?,
        signal = signals.ending() => return Err(interrupted(resource, signal)),
    };
    let acquired = tokio::select! {
        biased;
        acquired = redlock.acquire(resource) => Ok(acquired),
        signal = signals.ending() => Err(interrupted(resource, signal)),
    };
    match acquired {
        Ok(Ok(guard)) => Ok((redlock, guard)),
        Ok(Err(error)) => {
            redlock.drain(DRAIN_MAX).await;
            Err(Failure::acquire(&error, &redlock))
        }
        Err(interrupted) => {
            redlock.drain(DRAIN_MAX).await;
            Err(interrupted)
        }
    }
}

fn interrupted(resource: &Resource, signal: rustix::process::Signal) -> Failure {
    Failure::new(Exit::from(signal), format!("ended by a signal while waiting for {:?}", resource.as_str()))
}
