//! `redfence run`: holds the lock while a command runs.

use std::time::Duration;

use redfence::{Clock as _, FencingToken, Guard, Holder, Redlock, Resource, SystemClock};
use serde::Serialize;

use super::group::Group;
use super::supervise::{Ended, supervise};
use super::{hold, release};
use crate::args::{Global, RunArgs};
use crate::connect::{self, DRAIN_MAX};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::limits;
use crate::monitor::{Left, Processes};
use crate::output::Output;
use crate::signals::Signals;
use crate::words::ms;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Acquired {
        resource: &'a Resource,
        holder: &'a Holder,
        token: FencingToken,
        valid_for_ms: u64,
    },
    Finished {
        code: Option<i32>,
        signal: Option<i32>,
    },
    Lost {
        resource: &'a Resource,
        token: FencingToken,
        reason: &'a str,
    },
    Released {
        resource: &'a Resource,
        token: FencingToken,
    },
    Survived {
        resource: &'a Resource,
        token: FencingToken,
        #[serde(flatten)]
        processes: &'a Processes,
    },
}

/// Acquires the lock, runs the command, releases the lock.
pub(crate) async fn run(args: &RunArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let own = |failure: Failure| Failure { exit: args.exit_codes.of(failure.exit), ..failure };
    while_held(args, global, output).await.map_err(own)
}

async fn while_held(args: &RunArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let builder = connect::to_servers(global)?.max_hold(args.max_hold.0);
    let mut signals = Signals::listen()?;
    let (redlock, guard) = hold::hold(&args.resource, &args.lease, builder, &mut signals, output).await?;
    let (resource, holder, token) = (guard.resource(), guard.holder(), guard.token());
    let valid_for_ms = ms(guard.valid_for().unwrap_or_default());
    output.event(&Event::Acquired { resource, holder, token, valid_for_ms });

    let began = SystemClock.now();
    let variables = [
        ("REDFENCE_TOKEN", token.to_string()),
        ("REDFENCE_RESOURCE", resource.as_str().to_owned()),
        ("REDFENCE_HOLDER", holder.to_string()),
    ];
    let ended = match Group::start(&args.command, &variables) {
        Ok(group) => supervise(group, &*guard, &mut signals, args.forward_signals, output).await,
        Err(error) => {
            let reason =
                format!("redfence cannot start the process that watches the command: {}", limits::explained(&error));
            Ended { not_started: Some((false, reason)), ..Ended::default() }
        }
    };
    let held_for = SystemClock.now().since(began);
    let finish = Finish { args, redlock: &redlock, held_for, output };
    match ended {
        Ended { not_started: Some((is_missing, message)), .. } => {
            drop(guard.release().await);
            redlock.drain(DRAIN_MAX).await;
            Err(Failure::new(if is_missing { Exit::NotFound } else { Exit::NotExecutable }, message))
        }
        Ended { survivors: Some(left), stopped, .. } => finish.with_survivors(guard, &left, stopped),
        ended => finish.released(guard, ended).await,
    }
}

/// What is needed to end a lease after its command.
struct Finish<'a> {
    args: &'a RunArgs,
    redlock: &'a Redlock,
    held_for: Duration,
    output: Output,
}

impl Finish<'_> {
    /// A process of the command runs on. The lock is not released, so no other holder has it before its time to live
    /// is over.
    fn with_survivors(&self, guard: Guard, left: &Left, stopped: Option<String>) -> Result<Exit, Failure> {
        let (names, token) = (&left.processes, guard.token());
        let exit = if stopped.is_some() { Exit::Lost } else { Exit::Survived };
        drop(guard.into_lease());
        let why = stopped.map(|why| format!(" (the lease was lost: {why})")).unwrap_or_default();
        self.output.event(&Event::Survived { resource: &self.args.resource, token, processes: &left.processes });
        let message = format!(
            "what the command started cannot be stopped and runs on: {names}{why}; the lock of {:?} was not released and \
             ends with its time to live ({:?}); end it by hand as its user or as root, or let it carry the token",
            self.args.resource.as_str(),
            self.args.lease.ttl
        );
        Err(Failure::new(exit, message))
    }

    /// Releases the lease and reports the outcome.
    async fn released(&self, guard: Guard, ended: Ended) -> Result<Exit, Failure> {
        let (code, signal, token) = (ended.code, ended.signal, guard.token());
        self.output.event(&Event::Finished { code, signal });
        // The command may have ended by itself after the end of the lease, while this program stood still.
        let mut lost = ended.stopped.or(guard.check().err().map(|lost| lost.cause.to_string()));
        let outcome = guard.release().await;
        self.redlock.drain(DRAIN_MAX).await;
        let overrun = release::failure(&outcome).filter(|failure| failure.exit == Exit::Lost);
        lost = lost.or(overrun.map(|failure| failure.message));
        if let Some(reason) = lost {
            return Err(self.lost(token, reason));
        }
        match release::failure(&outcome) {
            None => self.output.event(&Event::Released { resource: &self.args.resource, token }),
            Some(unknown) => self.output.note(&unknown.message),
        }
        if ended.monitor_gone {
            let message =
                "the process that watches the command (redfence __monitor) was killed, so the command was stopped";
            return Err(Failure::new(Exit::Failed, message));
        }
        Ok(Exit::of_command(code, signal))
    }

    fn lost(&self, token: FencingToken, mut reason: String) -> Failure {
        if let Some(max_hold) = self.args.max_hold.0.filter(|max_hold| self.held_for > *max_hold / 4 * 3) {
            reason += &format!(" (--max-hold is {max_hold:?})");
        }
        self.output.event(&Event::Lost { resource: &self.args.resource, token, reason: &reason });
        let resource = self.args.resource.as_str();
        Failure::new(Exit::Lost, format!("the lease of {resource:?} was lost while the command ran: {reason}"))
    }
}
