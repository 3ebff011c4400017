//! `redfence release`: releases a lease that `acquire` printed.

use redfence::{Holder, Occupant, ReleaseOutcome, Resource};
use serde::Serialize;

use super::{degraded, holder};
use crate::args::{Global, ReleaseArgs};
use crate::connect::{self, DRAIN_MAX};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{GOOD, Output};

#[derive(Serialize)]
struct Released<'a> {
    resource: &'a Resource,
    holder: &'a Holder,
    released: bool,
}

/// Releases the lease. Fails if no quorum had it.
pub(crate) async fn release(args: &ReleaseArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let resource = &args.resource;
    let redlock = connect::to_servers(global)?.connect().await?;
    let holder = holder::whole(&args.holder, resource, &redlock, || not_held(None)).await?;
    let outcome = redlock.release_as(resource, &holder).await?;
    redlock.drain(DRAIN_MAX).await;
    match &outcome {
        ReleaseOutcome::AlreadyExpired => return Err(not_held(None)),
        ReleaseOutcome::TakenByOther { occupant } => return Err(not_held(Some(occupant))),
        _ => failure(&outcome).map_or(Ok(()), Err)?,
    }
    degraded::note(&redlock, output);
    let human = format!("{GOOD}released{GOOD:#} {resource}");
    // The lease is released, even if no one reads the result.
    let _ = output.result(&human, &Released { resource, holder: &holder, released: true });
    Ok(Exit::Done)
}

/// The nodes cannot tell a lease that was released from one that expired.
fn not_held(by_other: Option<&Occupant>) -> Failure {
    let other = by_other.map(|other| format!("; another has it: {other}")).unwrap_or_default();
    Failure::new(Exit::NotHeld, format!("not held (released before, or expired){other}"))
}

/// Why there was no lease to release at the end of `run`; `None` if it was released.
pub(super) fn failure(outcome: &ReleaseOutcome) -> Option<Failure> {
    match outcome {
        ReleaseOutcome::Released { .. } => None,
        ReleaseOutcome::AlreadyExpired => {
            Some(Failure::new(Exit::Lost, "the lease had ended before its release: no majority had it any more"))
        }
        ReleaseOutcome::TakenByOther { occupant } => {
            let message = format!("the lease had ended before its release and another has it: {occupant}");
            Some(Failure::new(Exit::Lost, message))
        }
        _ => {
            let message = "no quorum: too few nodes answered to say whether the lease was still there; \
                 if it was not released, it ends with its time to live";
            Some(Failure::new(Exit::NoQuorum, message))
        }
    }
}
