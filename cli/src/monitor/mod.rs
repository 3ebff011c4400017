//! The process between `run` and its command: `redfence __monitor COMMAND ARGS…`.
//!
//! It starts the command, collects what ends, and stops what is left when it is told to, when `run` is gone (also by
//! `kill -9`), or when the moment is there at which the lease ends and nobody named a later one (`run` was stopped).

mod cannot_run;
mod children;
mod message;
mod process;
mod starting;
mod watch;

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

pub(crate) use cannot_run::cannot_run;
pub(crate) use children::{Children, adopt_orphans};
pub(crate) use message::{Left, Order, Receiver, Recipients, Report, Sender, ends, names};
pub(crate) use process::Process;
pub(crate) use starting::{give_stdin, this_program};

use crate::exit::Exit;
use crate::output::Output;

/// The name by which `run` asks for it. Not for people.
pub(crate) const NAME: &str = "__monitor";

/// The time between two rounds of SIGKILL, for what was forked meanwhile.
pub(crate) const ROUND: Duration = Duration::from_millis(20);
/// How long after SIGKILL something may still run before it is given up.
pub(crate) const KILL_MAX: Duration = Duration::from_secs(2);

/// Monitors a command if that was asked for.
pub(crate) fn if_asked() -> Option<Exit> {
    let mut args = std::env::args_os().skip(1);
    (args.next()? == NAME).then(|| {
        let Some(command) = args.next() else { return Exit::Usage };
        monitor(command, args.collect()).unwrap_or_else(|error| {
            Output::new(false).note(&format!("the command cannot be watched: {error}"));
            Exit::Failed
        })
    })
}

fn monitor(command: OsString, args: Vec<OsString>) -> std::io::Result<Exit> {
    let Some((socket, stdin)) = starting::take_stdin()? else { return Ok(Exit::Lost) };
    // A session of its own: no signal of a terminal reaches the command past `run`, and none stops it when it reads or
    // writes the terminal that it inherited.
    let _ = rustix::process::setsid();
    adopt_orphans();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (reports, orders) = ends(socket)?;
        // Before the command begins, or its end might be missed.
        let ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
        let mut start = Command::new(&command);
        std::os::unix::process::CommandExt::process_group(start.args(args).stdin(stdin), 0);
        watch::watch(start, &command, reports, orders, ended).await
    })
}
