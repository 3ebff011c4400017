//! [`Process`]: which process this is, so that a fork is noticed.

use std::fmt;

/// The process in which something was made. A fork has a copy of everything in memory and none of it for itself: what was made
/// before belongs to the parent.
#[derive(Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    /// What the copy is, and what to do about it.
    #[cfg(feature = "redis")]
    pub(crate) const FORKED: &'static str =
        "this process is a fork of the one that connected, whose connections are not its own: connect after the fork";

    /// This one.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether this process is a fork of the one that is meant. One system call, 0.1 µs.
    pub(crate) fn is_forked(self) -> bool {
        self.0 != std::process::id()
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.0)
    }
}
