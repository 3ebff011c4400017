//! A process of this program that ends with its owner.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// A process of ours. It is killed when this is dropped; it ends by itself when the one that started it is gone, for it
/// reads from it.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it.
    #[expect(clippy::panic, reason = "a program that is built and cannot be started leaves nothing to show")]
    #[must_use]
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
        // Failures are what the writers are put through: LEDGER_VERBOSE shows what they say about it.
        if std::env::var_os("LEDGER_VERBOSE").is_none() {
            command.stderr(Stdio::null());
        }
        match command.spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("{command:?} cannot be started: {error}"),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Freezes it. It does not notice; returns when it stands still.
    pub fn pause(&self) {
        let pid = Pid::from_child(&self.child);
        if kill_process(pid, Signal::STOP).is_ok() {
            let _ = waitpid(Some(pid), WaitOptions::UNTRACED);
        }
    }

    /// Lets it go on.
    pub fn resume(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::CONT);
    }

    /// Ends it in the middle of whatever it does: SIGKILL, also where it stands still.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
