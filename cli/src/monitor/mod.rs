//! The process between `run` and its command: `redfence __monitor COMMAND ARGS…`.
//!
//! It starts the command and collects processes that end. It stops the remaining processes in three cases: `run`
//! orders it; `run` is gone, also by `kill -9`; or the lease ends and `run` has sent no later end, because `run` was
//! stopped.

mod cannot_run;
mod children;
mod killing;
mod message;
mod process;
mod starting;
mod watch;

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

pub(crate) use cannot_run::cannot_run;
pub(crate) use children::{Children, adopt_orphans};
pub(crate) use killing::{KILL_MAX, ROUND};
pub(crate) use message::{Left, Order, Processes, Receiver, Recipients, Report, Sender, ends};
pub(crate) use starting::{give_stdin, this_program};

use crate::exit::Exit;
use crate::limits;
use crate::output::Output;

/// The internal name of this command, which only `run` uses.
pub(crate) const NAME: &str = "__monitor";

/// Monitors a command if the arguments ask for it.
pub(crate) fn if_asked() -> Option<Exit> {
    let mut args = std::env::args_os().skip(1);
    (args.next()? == NAME).then(|| {
        let Some(command) = args.next() else { return Exit::Usage };
        monitor(&command, args.collect()).unwrap_or_else(|reason| {
            Output::new(false).note(&format!("the command cannot be watched: {reason}"));
            Exit::Failed
        })
    })
}

fn monitor(command: &OsStr, args: Vec<OsString>) -> Result<Exit, String> {
    let failed = |error: std::io::Error| limits::explained(&error);
    let socket = starting::socket().map_err(failed)?;
    let Some(stdin) = starting::take_stdin(&socket).map_err(failed)? else { return Ok(Exit::Lost) };
    let own = socket.try_clone().map_err(failed)?;
    let watched = limits::check().and_then(|()| watched(command, args, own, stdin).map_err(failed));
    if let Err(reason) = &watched {
        let message = format!("the command cannot be watched: {reason}");
        Sender::new(socket).map_err(failed)?.send(&Report::NotStarted { is_missing: false, message });
        return Ok(Exit::NotExecutable);
    }
    watched
}

fn watched(command: &OsStr, args: Vec<OsString>, socket: UnixStream, stdin: OwnedFd) -> std::io::Result<Exit> {
    // A session of its own: no signal of a terminal reaches the command except through `run`, and no such signal
    // stops the command when it uses the terminal that it inherited.
    let _ = rustix::process::setsid();
    adopt_orphans();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (reports, orders) = ends(socket)?;
        // Registered before the command begins, or its end might be missed.
        let ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
        let mut start = Command::new(command);
        start.args(args).stdin(stdin).process_group(0);
        watch::watch(start, command, reports, orders, ended).await
    })
}
