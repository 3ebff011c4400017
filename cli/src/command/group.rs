//! [`Group`]: the command of `run`, with all that it starts.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;

use redfence::LeaseHandle;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

use super::exec;

/// A running command in a process group of its own.
pub(super) struct Group {
    leader: Child,
    pid: Option<Pid>,
}

impl Group {
    /// Starts `command` with what it has to know of the lease.
    pub(super) fn start(command: &[OsString], lease: &LeaseHandle) -> io::Result<Self> {
        let leader = Command::new(this_program()?)
            .arg0("redfence")
            .args([exec::NAME, &std::process::id().to_string()])
            .args(command)
            .env("REDFENCE_TOKEN", lease.token().to_string())
            .env("REDFENCE_RESOURCE", lease.resource().as_str())
            .env("REDFENCE_HOLDER", lease.holder().to_string())
            .kill_on_drop(true)
            .spawn()?;
        let pid = leader.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        Ok(Self { leader, pid })
    }

    /// Waits for the command's end.
    ///
    /// # Cancel safety
    ///
    /// A new call gives the same answer.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait().await
    }

    /// Signals the command and all that it started.
    pub(super) fn signal(&self, signal: Signal) {
        // Once its end was seen the id may be another's.
        let (Some(pid), Some(_)) = (self.pid, self.leader.id()) else { return };
        // In its first moments it has not made its group yet.
        if kill_process_group(pid, signal).is_err() {
            // It may have ended; nobody is left to be told.
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends what the command left behind.
    pub(super) fn kill_rest(&self) {
        if let Some(pid) = self.pid {
            // An id stays taken for as long as a group has it, so this meets nobody else; mostly there is none.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The file that this process runs, even if it was replaced since.
pub(super) fn this_program() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}
