//! `redfence run`: holds the lock while a command runs.

use redfence::Resource;
use serde::Serialize;

use super::hold::{self, Wish};
use super::job::Job;
use super::period;
use crate::args::{Global, IfHeld, RunArgs};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

#[derive(Serialize)]
struct Skipped<'a> {
    event: &'static str,
    resource: &'a Resource,
    reason: &'a str,
}

/// Acquires the lock, runs the command, releases the lock.
pub(crate) async fn run(args: &RunArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let own = |failure: Failure| Failure { exit: args.exit_codes.of(failure.exit), ..failure };
    while_held(args, global, output).await.map_err(own)
}

async fn while_held(args: &RunArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let (if_held, wait) = args.if_held().map_err(|reason| Failure::new(Exit::Usage, reason))?;
    let period = period::of(args, global)?;
    let builder = period::settings(connect::to_servers(global)?.max_hold(args.max_hold.0), args);
    let mut signals = Signals::listen()?;
    let (resource, ttl) = (&args.resource, period::ttl(args));
    let gives_up_early = args.once_per.is_some() && if_held == IfHeld::Skip;
    let wish = Wish { resource, ttl, label: args.lease.label.as_deref(), wait, gives_up_early };
    let (redlock, guard) = match hold::hold(&wish, builder, &mut signals, output).await {
        Err(held) if held.exit == Exit::Contended && if_held == IfHeld::Skip => {
            output.event(&Skipped { event: "skipped", resource, reason: &held.message });
            output.note(&format!("skipped: {:?} is {}", resource.as_str(), held.message));
            return Ok(Exit::Done);
        }
        outcome => outcome?,
    };
    let (command, forward, max_hold) = (&*args.command, args.forward_signals, args.max_hold.0);
    Job { command, forward, ttl, max_hold, period, output }.run(&redlock, guard, &mut signals).await
}
