//! The messages between `run` and its monitor: one JSON value on each line, over a pair of sockets.

use std::fmt;
use std::io::Write as _;
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};

use super::process::Process;

/// A message from `run` to the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Kill everything at this moment (nanoseconds on the clock of leases), unless a later moment follows.
    KillBy { at_ns: u64 },
    /// Pass this signal on.
    Signal { number: i32, to: Recipients },
    /// Send SIGTERM to all processes, but not to the command's process group if it got a signal already.
    Terminate { group_too: bool },
    /// Send SIGKILL to all processes, again and again until none runs.
    Kill,
    /// End without stopping the remaining processes.
    Leave,
}

/// The processes that get a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Recipients {
    /// The command's process group.
    Group,
    /// The command alone.
    Command,
}

/// A message from the monitor to `run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The command could not be started.
    NotStarted { is_missing: bool, message: String },
    /// The command ended, by itself or by a signal. `left` are the processes that still run.
    Ended { code: Option<i32>, signal: Option<i32>, left: Left },
    /// The system refused a signal for these processes.
    Refused {
        number: i32,
        #[serde(flatten)]
        processes: Processes,
        reason: String,
    },
    /// No process of the command runs any more. This is the last report.
    Empty,
    /// The reply to [`Order::Leave`]. This is the last report.
    Left(Left),
}

/// The processes that still run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    /// Whether any runs. This is known even if names are not: without /proc, or if /proc hides processes.
    pub(crate) any: bool,
    #[serde(flatten)]
    pub(crate) processes: Processes,
}

/// Some processes: as many as fit into one message, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Processes {
    processes: Vec<Process>,
    more: usize,
}

/// The most processes in one message. A socket takes some hundred kilobytes at once, and a process needs some hundred
/// bytes at most.
const PROCESSES_MAX: usize = 256;

impl From<Vec<Process>> for Processes {
    fn from(mut processes: Vec<Process>) -> Self {
        let more = processes.len().saturating_sub(PROCESSES_MAX);
        processes.truncate(PROCESSES_MAX);
        Self { processes, more }
    }
}

/// Writes some processes by name, and how many more there are.
impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        if self.processes.is_empty() {
            return f.write_str("processes that cannot be named (/proc does not show them)");
        }
        let shown: Vec<_> = self.processes.iter().take(SHOWN).map(ToString::to_string).collect();
        f.write_str(&shown.join(", "))?;
        match self.processes.len().saturating_sub(SHOWN) + self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The sending end. It never waits, so a peer that stands still does not block this process.
#[derive(Debug)]
pub(crate) struct Sender<T>(UnixStream, PhantomData<T>);

impl<T: Serialize> Sender<T> {
    pub(crate) fn new(socket: UnixStream) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self(socket, PhantomData))
    }

    /// Writes `message`. It ignores errors, because the [`Receiver`] notices a peer that is gone.
    pub(crate) fn send(&mut self, message: &T) {
        if let Ok(line) = serde_json::to_string(message) {
            let _ = self.0.write_all(format!("{line}\n").as_bytes());
        }
    }
}

/// The receiving end.
pub(crate) struct Receiver<T>(Lines<BufReader<tokio::net::UnixStream>>, PhantomData<T>);

impl<T: DeserializeOwned> Receiver<T> {
    /// The next message; `None` if the peer is gone.
    ///
    /// # Cancel safety
    ///
    /// No message is lost.
    pub(crate) async fn next(&mut self) -> Option<T> {
        let line = self.0.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }
}

/// Makes both ends from this side's socket.
pub(crate) fn ends<S: Serialize, R>(socket: UnixStream) -> std::io::Result<(Sender<S>, Receiver<R>)> {
    let reading = socket.try_clone()?;
    let sender = Sender::new(socket)?;
    let reading = tokio::net::UnixStream::from_std(reading)?;
    Ok((sender, Receiver(BufReader::new(reading).lines(), PhantomData)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_very_many_processes_fits_into_a_socket_that_no_process_reads() {
        let one = |pid| Process::named(pid, "\u{1}23456789012345");
        let left = Left { any: true, processes: (0..100_000).map(one).collect::<Vec<_>>().into() };
        let (near, far) = UnixStream::pair().unwrap();
        let mut sender = Sender::new(near).unwrap();
        sender.send(&Report::Refused { number: 9, processes: left.processes.clone(), reason: "no".into() });
        sender.send(&Report::Left(left.clone()));
        drop(sender);
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(far)).map(Result::unwrap);
        let mut next = || serde_json::from_str::<Report>(&lines.next().unwrap()).unwrap();
        assert!(matches!(next(), Report::Refused { number: 9, .. }));
        assert_eq!(next(), Report::Left(left.clone()));
        assert!(left.processes.to_string().ends_with(" and 99992 more"), "{}", left.processes);
    }
}
