//! [`Process`]: identifies this process, so that a fork is noticed.

use std::fmt;

/// The process in which a value was made. A fork has a copy of everything in memory, but values that were made before
/// the fork belong to the parent.
#[derive(Clone)]
pub(crate) struct Process {
    id: u32,
    /// Counts the forks of this process; `None` where the system refuses to report them.
    guard: Option<forkguard::Guard>,
}

impl Process {
    /// The error for users of a copy, with the fix.
    #[cfg(feature = "redis")]
    pub(crate) const FORKED: &'static str =
        "this process is a fork of the one that connected, whose connections are not its own: connect after the fork";

    /// The running process.
    pub(crate) fn current() -> Self {
        Self { id: std::process::id(), guard: forkguard::Guard::try_new().ok() }
    }

    /// Whether the running process is a fork of this one. Reads one number in memory, because every request asks this.
    pub(crate) fn is_forked(&self) -> bool {
        match &self.guard {
            Some(guard) => guard.clone().detected_fork(),
            None => self.id != std::process::id(),
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.id)
    }
}
