//! [`Group`]: the command of `run` with everything that it started. `run` controls it through the monitor.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use redfence::{Clock as _, Moment, SystemClock};
use rustix::process::{Pid, Signal};
use tokio::signal::unix::{SignalKind, signal};

use crate::monitor::{self, Children, Left, Order, Receiver, Report, Sender};

/// A running command.
pub(super) struct Group {
    orders: Sender<Order>,
    reports: Receiver<Report>,
    /// The monitor. If the monitor is killed, also the processes that it leaves.
    children: Children,
    child_ended: tokio::signal::unix::Signal,
    last_told: Option<Report>,
}

/// An event of a command.
pub(super) enum News {
    Report(Report),
    /// The monitor was killed. No process of the command runs any more, except those in `left`.
    MonitorGone {
        left: Left,
    },
}

impl Group {
    /// Starts `command`, with the lease in its environment.
    pub(super) fn start(command: &[OsString], variables: &[(&str, String)]) -> io::Result<Self> {
        // If the monitor is killed, its children become children of this process. As the first process of a
        // container, it must also collect them.
        monitor::adopt_orphans();
        let child_ended = signal(SignalKind::child())?;
        let (socket, theirs) = UnixStream::pair()?;
        monitor::give_stdin(&socket)?;
        let mut start = Command::new(monitor::this_program()?);
        std::os::unix::process::CommandExt::arg0(&mut start, "redfence")
            .arg(monitor::NAME)
            .args(command)
            .stdin(OwnedFd::from(theirs))
            .envs(variables.iter().map(|(name, value)| (name, value)));
        let monitor = start.spawn()?;
        let children = Children::new(i32::try_from(monitor.id()).ok().and_then(Pid::from_raw));
        let (orders, reports) = monitor::ends(socket)?;
        Ok(Self { orders, reports, children, child_ended, last_told: None })
    }

    /// Sends an order to the monitor.
    pub(super) fn order(&mut self, order: Order) {
        self.orders.send(&order);
    }

    /// Tells the monitor when to kill everything, unless a later time follows.
    pub(super) fn kill_by(&mut self, at: Moment) {
        let at_ns = u64::try_from(at.since_origin().as_nanos()).unwrap_or(u64::MAX);
        self.order(Order::KillBy { at_ns });
    }

    /// Orders the monitor to kill everything until nothing is left. Also kills once from here, because the monitor
    /// may stand still.
    pub(super) fn kill(&mut self) {
        self.order(Order::Kill);
        // The monitor leads a separate group, which must not be killed.
        drop(self.children.signal_all(Signal::KILL, false));
    }

    /// The next event. No event follows the last report.
    ///
    /// # Cancel safety
    ///
    /// No event is lost.
    pub(super) async fn news(&mut self) -> News {
        loop {
            tokio::select! {
                biased;
                report = self.reports.next() => match report {
                    Some(report) => {
                        self.last_told = Some(report.clone());
                        return News::Report(report);
                    }
                    None if self.is_over() => std::future::pending().await,
                    None => return News::MonitorGone { left: self.kill_orphans().await },
                },
                _ = self.child_ended.recv() => self.children.reap(),
            }
        }
    }

    const fn is_over(&self) -> bool {
        matches!(self.last_told, Some(Report::NotStarted { .. } | Report::Empty | Report::Left(_)))
    }

    /// Kills everything from here: first the monitor, which may only stand still. Its children then become children
    /// of this process.
    pub(super) async fn kill_orphans(&mut self) -> Left {
        let until = SystemClock.now().after(monitor::KILL_MAX);
        loop {
            self.children.reap();
            if self.children.is_empty() || SystemClock.now() >= until {
                return self.children.left();
            }
            if self.children.status().is_none() {
                let _ = self.children.signal_leader(Signal::KILL);
            } else {
                let _ = self.children.signal_all(Signal::KILL, false);
            }
            tokio::time::sleep(monitor::ROUND).await;
        }
    }
}
