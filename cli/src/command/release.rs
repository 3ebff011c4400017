//! `redfence release`: gives back a lease that `acquire` printed.

use redfence::{Holder, ReleaseOutcome, Resource};
use serde::Serialize;

use super::holder;
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

/// Releases, and fails if there was nothing left to release.
pub(crate) async fn release(args: &ReleaseArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let resource = &args.resource;
    let redlock = connect::to_servers(global)?.connect().await?;
    let holder = holder::whole(&args.holder, resource, &redlock).await?;
    let outcome = redlock.release_as(resource, &holder).await?;
    redlock.drain(DRAIN_MAX).await;
    if let Some(failure) = failure(&outcome) {
        return Err(failure);
    }
    let human = format!("{GOOD}released{GOOD:#} {resource}");
    // It was released whether or not somebody reads it.
    let _ = output.result(&human, &Released { resource, holder: &holder, released: true });
    Ok(Exit::Done)
}

/// Why a lease was not there to be released; `None` when it was.
pub(super) fn failure(outcome: &ReleaseOutcome) -> Option<Failure> {
    match outcome {
        ReleaseOutcome::Released { .. } => None,
        ReleaseOutcome::AlreadyExpired => {
            Some(Failure::new(Exit::Lost, "the lease had ended before its release: no majority had it any more"))
        }
        ReleaseOutcome::TakenByOther { holder } => {
            // Any program may have written it: escaped, and not longer than a line.
            let other = holder.parse::<Holder>().map_or_else(|_| format!("{holder:?}"), |holder| format!("{holder:?}"));
            let message = format!("the lease had ended before its release and another has it: {other}");
            Some(Failure::new(Exit::Lost, message))
        }
        _ => {
            let message = "no quorum: too few nodes answered to say whether the lease was still there; \
                 where it was not released it ends with its time to live";
            Some(Failure::new(Exit::NoQuorum, message))
        }
    }
}
