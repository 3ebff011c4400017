//! [`Job`]: a command that runs while its lease lives, and what becomes of the lease afterwards.

use std::ffi::OsString;
use std::time::Duration;

use redfence::recipes::{OnceGuard, OnceOutcome, Period};
use redfence::{
    Clock as _, ExtendError, FencingToken, Guard, Holder, Moment, Redlock, ReleaseOutcome, Resource, SystemClock,
};
use serde::Serialize;

use super::release;
use super::supervise::{Ended, supervise};
use crate::args::ForwardSignals;
use crate::connect::DRAIN_MAX;
use crate::exit::Exit;
use crate::failure::Failure;
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
    Kept {
        resource: &'a Resource,
        token: FencingToken,
        for_ms: u64,
    },
    Survived {
        resource: &'a Resource,
        token: FencingToken,
        #[serde(flatten)]
        processes: &'a Processes,
    },
}

/// A command, and how it is run.
pub(super) struct Job<'a> {
    pub(super) command: &'a [OsString],
    pub(super) forward: ForwardSignals,
    /// The time to live of the lock.
    pub(super) ttl: Duration,
    pub(super) max_hold: Option<Duration>,
    pub(super) period: Period,
    pub(super) output: Output,
}

impl Job<'_> {
    /// Runs the command while `guard` lives, then releases the lock or keeps it for its period.
    pub(super) async fn run(&self, redlock: &Redlock, guard: Guard, signals: &mut Signals) -> Result<Exit, Failure> {
        let guard = OnceGuard::new(redlock, guard, self.period);
        let (resource, holder, token) = (guard.resource().clone(), guard.holder(), guard.token());
        let valid_for_ms = ms(guard.valid_for().unwrap_or_default());
        self.output.event(&Event::Acquired { resource: &resource, holder, token, valid_for_ms });
        let began = SystemClock.now();
        let variables = [
            ("REDFENCE_TOKEN", token.to_string()),
            ("REDFENCE_RESOURCE", resource.as_str().to_owned()),
            ("REDFENCE_HOLDER", holder.to_string()),
        ];
        let ended = supervise(self.command, &variables, &*guard, signals, self.forward, self.output).await;
        let finish = Finish { job: self, redlock, resource: &resource, token, began };
        match ended {
            Ended { not_started: Some(failure), .. } => {
                drop(guard.into_guard().release().await);
                redlock.drain(DRAIN_MAX).await;
                Err(failure)
            }
            Ended { survivors: Some(left), stopped, .. } => finish.with_survivors(guard.into_guard(), &left, stopped),
            ended => finish.released(guard, ended).await,
        }
    }
}

/// What is needed to end a lease after its command.
struct Finish<'a> {
    job: &'a Job<'a>,
    redlock: &'a Redlock,
    resource: &'a Resource,
    token: FencingToken,
    /// When the lock was acquired.
    began: Moment,
}

impl Finish<'_> {
    /// A process of the command runs on. The lock is not released, so no other holder has it before its time to live
    /// is over.
    fn with_survivors(&self, guard: Guard, left: &Left, stopped: Option<String>) -> Result<Exit, Failure> {
        let exit = if stopped.is_some() { Exit::Lost } else { Exit::Survived };
        drop(guard.into_lease());
        let why = stopped.map(|why| format!(" (the lease was lost: {why})")).unwrap_or_default();
        let Self { resource, token, .. } = *self;
        self.job.output.event(&Event::Survived { resource, token, processes: &left.processes });
        let message = format!(
            "what the command started cannot be stopped and runs on: {}{why}; the lock of {:?} was not released and \
             ends with its time to live ({:?}); end it by hand as its user or as root, or let it carry the token",
            left.processes,
            resource.as_str(),
            self.job.ttl
        );
        Err(Failure::new(exit, message))
    }

    /// Releases the lease, or keeps it for its period, and reports the outcome.
    async fn released(&self, guard: OnceGuard, ended: Ended) -> Result<Exit, Failure> {
        let held_for = SystemClock.now().since(self.began);
        let (code, signal) = (ended.code, ended.signal);
        self.job.output.event(&Event::Finished { code, signal });
        // The command may have ended by itself after the end of the lease, while this program stood still.
        let lost = ended.stopped.clone().or(guard.check().err().map(|lost| lost.cause.to_string()));
        let succeeded = code == Some(0) && !ended.monitor_gone;
        let outcome = match lost {
            Some(_) => Ok(OnceOutcome::Released(guard.into_guard().release().await)),
            None => guard.finish(succeeded).await,
        };
        self.redlock.drain(DRAIN_MAX).await;
        match outcome.map_err(|error| self.not_stored(&error))? {
            OnceOutcome::Kept { rest, .. } => {
                let for_ms = ms(rest);
                self.job.output.event(&Event::Kept { resource: self.resource, token: self.token, for_ms });
            }
            OnceOutcome::Released(outcome) => self.let_go(&outcome, lost, held_for)?,
            // What later versions of the library do with it.
            _ => {}
        }
        ended.exit()
    }

    fn not_stored(&self, error: &ExtendError) -> Failure {
        let failure = Failure::extend(error, self.redlock);
        let message = format!(
            "the command succeeded, but the nodes did not store its period, so {:?} may run again within it: {}",
            self.resource.as_str(),
            failure.message
        );
        Failure { message, ..failure }
    }

    fn let_go(&self, outcome: &ReleaseOutcome, mut lost: Option<String>, held_for: Duration) -> Result<(), Failure> {
        let overrun = release::failure(outcome).filter(|failure| failure.exit == Exit::Lost);
        lost = lost.or(overrun.map(|failure| failure.message));
        if let Some(reason) = lost {
            return Err(self.lost(reason, held_for));
        }
        match release::failure(outcome) {
            None => self.job.output.event(&Event::Released { resource: self.resource, token: self.token }),
            Some(unknown) => self.job.output.note(&unknown.message),
        }
        Ok(())
    }

    fn lost(&self, mut reason: String, held_for: Duration) -> Failure {
        if let Some(max_hold) = self.job.max_hold.filter(|max_hold| held_for > *max_hold / 4 * 3) {
            reason += &format!(" (--max-hold is {max_hold:?})");
        }
        self.job.output.event(&Event::Lost { resource: self.resource, token: self.token, reason: &reason });
        let resource = self.resource.as_str();
        Failure::new(Exit::Lost, format!("the lease of {resource:?} was lost while the command ran: {reason}"))
    }
}
