//! `redfence run`: holds the lock while a command runs.

use std::time::Duration;

use redfence::{Clock as _, FencingToken, Guard, Holder, Redlock, Resource, SystemClock};
use serde::Serialize;

use super::group::Group;
use super::supervise::{Ended, supervise};
use super::{hold, ms, release};
use crate::args::{Global, RunArgs};
use crate::connect::{self, DRAIN_MAX};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Acquired { resource: &'a Resource, holder: &'a Holder, token: FencingToken, valid_for_ms: u64 },
    Finished { code: Option<i32>, signal: Option<i32> },
    Lost { resource: &'a Resource, token: FencingToken, reason: &'a str },
    Released { resource: &'a Resource, token: FencingToken },
}

/// Acquires, runs the command, releases.
pub(crate) async fn run(args: &RunArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let builder = connect::to_servers(global)?.max_hold(args.max_hold.0);
    let mut signals = Signals::listen()?;
    let (redlock, guard) = hold::hold(&args.resource, &args.lease, builder, &mut signals, output).await?;
    let (resource, holder, token) = (guard.resource(), guard.holder(), guard.token());
    let valid_for_ms = ms(guard.valid_for().unwrap_or_default());
    output.event(&Event::Acquired { resource, holder, token, valid_for_ms });

    let began = SystemClock.now();
    let ended = match Group::start(&args.command, &guard) {
        Ok(mut group) => supervise(&mut group, &guard, &mut signals, output).await,
        Err(error) => Err(error),
    };
    let held_for = SystemClock.now().since(began);
    match ended {
        Ok(ended) => finish(args, &redlock, guard, ended, held_for, output).await,
        Err(error) => {
            drop(guard.release().await);
            redlock.drain(DRAIN_MAX).await;
            Err(Failure::new(Exit::NotExecutable, format!("the command cannot be run: {error}")))
        }
    }
}

/// Gives the lease back and says how it went.
async fn finish(
    args: &RunArgs,
    redlock: &Redlock,
    guard: Guard,
    ended: Ended,
    held_for: Duration,
    output: Output,
) -> Result<Exit, Failure> {
    use std::os::unix::process::ExitStatusExt as _;
    let (status, token) = (ended.status, guard.token());
    output.event(&Event::Finished { code: status.code(), signal: status.signal() });
    // The command may have ended by itself after the lease, while this program could not look.
    let mut lost = ended.stopped.or(guard.check().err().map(|lost| lost.cause.to_string()));
    let outcome = guard.release().await;
    redlock.drain(DRAIN_MAX).await;
    let overrun = release::failure(&outcome).filter(|failure| failure.exit == Exit::Lost);
    lost = lost.or(overrun.map(|failure| failure.message));
    if let Some(mut reason) = lost {
        if let Some(max_hold) = args.max_hold.0.filter(|max_hold| held_for > *max_hold / 4 * 3) {
            reason += &format!(" (--max-hold is {max_hold:?})");
        }
        output.event(&Event::Lost { resource: &args.resource, token, reason: &reason });
        return Err(Failure::new(
            Exit::Lost,
            format!("the lease of {:?} was lost while the command ran: {reason}", args.resource.as_str()),
        ));
    }
    match release::failure(&outcome) {
        None => output.event(&Event::Released { resource: &args.resource, token }),
        Some(unknown) => output.note(&unknown.message),
    }
    Ok(status.into())
}
