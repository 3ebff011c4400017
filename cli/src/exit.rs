//! [`Exit`]: what the exit code says.

use std::process::{ExitCode, ExitStatus};

use rustix::process::Signal;

/// How a command of this program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Done,
    /// Something failed that has no code of its own; in `demo`: a promise was broken.
    Failed,
    /// There was nothing to release: it was released before, or it expired.
    NotHeld,
    /// A newer holder has written: the token is not admitted.
    Stale,
    /// The store could not say whether a token is stale.
    NoVerdict,
    /// The call or the configuration contradicts itself.
    Usage,
    /// Too few nodes answered.
    NoQuorum,
    /// The lease is lost, or was not there any more.
    Lost,
    /// Somebody else held the lock until the wait ended.
    Contended,
    /// Something that the command started could not be stopped.
    Survived,
    /// The command could not be run.
    NotExecutable,
    /// There is no such command.
    NotFound,
    /// The command ended by itself.
    Command(u8),
    /// Ended by a signal, this program or the command: as shells tell it.
    Signal(i32),
    /// The code that the caller chose for one of this program's own, and the word of that one.
    Chosen(u8, &'static str),
}

impl Exit {
    /// The number that the shell sees. 69, 71, 74 and 75 are those of `sysexits.h`.
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

    /// From the code or the signal that a command ended with.
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
