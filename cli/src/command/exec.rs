//! `redfence __exec PARENT COMMAND ARGS…`: the last step before a server of `dev` begins.
//!
//! Between fork and exec, a program may do almost nothing, and nothing at all without unsafe code. So a server is
//! started through this program, which prepares its own process and then becomes the server.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::getppid;

use crate::exit::Exit;
use crate::monitor;
use crate::output::Output;

/// The internal name of this command, which only `dev` uses.
pub(super) const NAME: &str = "__exec";

/// Becomes the command if the arguments ask for it. Returns only if they do not, or if that failed.
pub(crate) fn if_asked() -> Option<Exit> {
    let mut args = std::env::args_os().skip(1);
    (args.next()? == NAME).then(|| {
        let (Some(parent), Some(command)) = (args.next(), args.next()) else { return Exit::Usage };
        become_command(&parent, &command, args)
    })
}

fn become_command(parent: &OsStr, command: &OsStr, args: impl Iterator<Item = OsString>) -> Exit {
    // A session, and so a process group, of its own: signals reach everything that the command starts. Without a
    // controlling terminal the command may still use the terminal that it inherited; in a background group it would
    // be stopped.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // The parent may have ended before this process could watch it.
    let is_parent = |pid: rustix::process::Pid| parent.to_str() == Some(&*pid.as_raw_nonzero().to_string());
    if !getppid().is_some_and(is_parent) {
        return Exit::Lost;
    }
    // Returns only on failure.
    let error = Command::new(command).args(args).exec();
    let (exit, message) = monitor::cannot_run(command, &error);
    Output::new(false).note(&message);
    exit
}
