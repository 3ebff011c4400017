//! [`Process`]: which process this is, so that a fork is noticed.

use std::fmt;

/// The process in which something was made. A fork has a copy of everything in memory and none of it for itself: what was made
/// before belongs to the parent.
#[derive(Clone)]
pub(crate) struct Process {
    id: u32,
    /// Counts the forks of this process; `None` where the system refuses to report them.
    guard: Option<forkguard::Guard>,
}

impl Process {
    /// What the copy is, and what to do about it.
    #[cfg(feature = "redis")]
    pub(crate) const FORKED: &'static str =
        "this process is a fork of the one that connected, whose connections are not its own: connect after the fork";

    /// This one.
    pub(crate) fn current() -> Self {
        Self { id: std::process::id(), guard: forkguard::Guard::try_new().ok() }
    }

    /// Whether this process is a fork of the one that is meant. Reads one number in memory: every request asks this.
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
