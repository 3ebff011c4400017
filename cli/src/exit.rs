//! [`Exit`]: the exit codes and their meaning.

use std::process::{ExitCode, ExitStatus};

use rustix::process::Signal;

/// How a command of this program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command succeeded.
    Done,
    /// A failure without a code of its own; in `demo`: a promise was broken.
    Failed,
    /// There was no lease to release: it was released before, or it expired.
    NotHeld,
    /// A newer holder has written: the token is not admitted.
    Stale,
    /// The store could not say whether a token is stale.
    NoVerdict,
    /// The arguments or the configuration contradict each other.
    Usage,
    /// Too few nodes answered.
    NoQuorum,
    /// The lease was lost, or did not exist any more.
    Lost,
    /// Another holder had the lock until the wait ended.
    Contended,
    /// A process that the command started could not be stopped.
    Survived,
    /// The command could not be run.
    NotExecutable,
    /// There is no such command.
    NotFound,
    /// The command ended by itself.
    Command(u8),
    /// This program or the command was ended by a signal. Shells use the same code.
    Signal(i32),
    /// The code that the caller chose in place of this program's own, with the reason of that one.
    Chosen(u8, &'static str),
}

impl Exit {
    /// The exit code. 69, 71, 74 and 75 are those of `sysexits.h`.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed | Self::NotHeld | Self::Stale => 1,
            Self::Usage => 2,
            Self::NoQuorum | Self::NoVerdict => 69,
            Self::Lost => 74,
            Self::Contended => 75,
            Self::Survived => 71,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
            Self::Command(code) | Self::Chosen(code, _) => code,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }

    /// One word for machines.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotHeld => "not_held",
            Self::Stale => "stale",
            Self::NoVerdict => "no_verdict",
            Self::Usage => "usage",
            Self::NoQuorum => "no_quorum",
            Self::Lost => "lost",
            Self::Contended => "contended",
            Self::Survived => "survived",
            Self::NotExecutable => "not_executable",
            Self::NotFound => "not_found",
            Self::Command(_) => "command",
            Self::Signal(_) => "signal",
            Self::Chosen(_, reason) => reason,
        }
    }

    /// The exit for the code or the signal of a command.
    pub(crate) fn of_command(code: Option<i32>, signal: Option<i32>) -> Self {
        match (code, signal) {
            (Some(code), _) => Self::Command(u8::try_from(code).unwrap_or(u8::MAX)),
            (None, Some(number)) => Self::Signal(number),
            (None, None) => Self::Failed,
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        Self::of_command(status.code(), status.signal())
    }
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        Self::Signal(signal.as_raw())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
