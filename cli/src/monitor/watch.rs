//! The monitor's work while the command runs.

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use redfence::{Clock as _, Moment, SystemClock};
use rustix::process::{Pid, Signal};
use tokio::signal::unix::Signal as Stream;

use super::cannot_run::cannot_run;
use super::children::{Children, Refusals};
use super::killing::{KILL_MAX, ROUND};
use super::message::{Order, Receiver, Recipients, Report, Sender};
use crate::exit::Exit;
use crate::output::Output;
use crate::signals;

/// Timers stand still while the machine is suspended, so the clock is read again at least this often.
const SLICE: Duration = Duration::from_millis(500);

/// Starts the command. Returns when no process of it runs any more, or when the rest must be left running.
pub(super) async fn watch(
    mut start: Command,
    command: &OsStr,
    mut reports: Sender<Report>,
    mut orders: Receiver<Order>,
    mut ended: Stream,
) -> std::io::Result<Exit> {
    let leader = match start.spawn() {
        Ok(child) => i32::try_from(child.id()).ok().and_then(Pid::from_raw),
        Err(error) => {
            let (exit, message) = cannot_run(command, &error);
            reports.send(&Report::NotStarted { is_missing: exit == Exit::NotFound, message });
            return Ok(exit);
        }
    };
    // The command has its standard input now. If this process kept it open, a pipe would have one reader too many.
    drop(start);
    let mut monitor = Monitor {
        children: Children::new(leader),
        reports,
        kill_by: None,
        kills: false,
        told: false,
        refused: Vec::new(),
    };
    loop {
        let order = tokio::select! {
            biased;
            _ = ended.recv() => None,
            order = orders.next() => match order {
                Some(order) => Some(order),
                None => return Ok(monitor.orphaned().await),
            },
            () = monitor.pause() => None,
        };
        if let Some(order) = order
            && monitor.obey(order)
        {
            return Ok(Exit::Done);
        }
        if monitor.looks() {
            return Ok(Exit::Done);
        }
    }
}

struct Monitor {
    children: Children,
    reports: Sender<Report>,
    kill_by: Option<Moment>,
    /// Whether everything gets SIGKILL until nothing is left.
    kills: bool,
    /// Whether the end of the command was reported.
    told: bool,
    /// The processes and signals whose refusal was reported.
    refused: Vec<(i32, i32)>,
}

impl Monitor {
    /// Waits until something may be due.
    async fn pause(&self) {
        let pause = match (self.kills, self.kill_by) {
            (true, _) => ROUND,
            (false, Some(at)) => at.since(SystemClock.now()).min(SLICE),
            (false, None) => SLICE,
        };
        tokio::time::sleep(pause).await;
    }

    /// Obeys an order of `run`. Returns true if the monitor must end.
    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::KillBy { at_ns } => self.kill_by = Some(Moment::from_origin(Duration::from_nanos(at_ns))),
            Order::Signal { number, to } => {
                let Some(signal) = signals::from_raw(number) else { return false };
                let refusals = match to {
                    Recipients::Group if self.children.status().is_none() => self.children.signal_group(signal),
                    Recipients::Group => Refusals::default(),
                    Recipients::Command => self.children.signal_leader(signal),
                };
                self.report(signal, refusals);
            }
            Order::Terminate { group_too } => {
                let refusals = self.children.signal_all(Signal::TERM, group_too);
                self.report(Signal::TERM, refusals);
                // A stopped process cannot end before it continues.
                let _ = self.children.signal_all(Signal::CONT, true);
            }
            Order::Kill => self.kills = true,
            Order::Leave => {
                self.children.reap();
                self.reports.send(&Report::Left(self.children.left()));
                return true;
            }
        }
        false
    }

    /// Collects ended processes, kills if it is time, and reports. Returns true if no process is left.
    fn looks(&mut self) -> bool {
        self.children.reap();
        if self.kill_by.is_some_and(|at| SystemClock.now() >= at) {
            self.kills = true;
        }
        if self.kills && !self.children.is_empty() {
            let refusals = self.children.signal_all(Signal::KILL, true);
            self.report(Signal::KILL, refusals);
        }
        if let (false, Some(status)) = (self.told, self.children.status()) {
            use std::os::unix::process::ExitStatusExt as _;
            self.told = true;
            let left = self.children.left();
            self.reports.send(&Report::Ended { code: status.code(), signal: status.signal(), left });
        }
        if self.told && self.children.is_empty() {
            self.reports.send(&Report::Empty);
            return true;
        }
        false
    }

    /// Reports each refusal once, however often the signal is sent.
    fn report(&mut self, signal: Signal, refusals: Refusals) {
        let number = signal.as_raw();
        let Refusals { mut processes, reason } = refusals;
        processes.retain(|one| !self.refused.contains(&(one.pid, number)));
        self.refused.extend(processes.iter().map(|one| (one.pid, number)));
        if let (false, Some(reason)) = (processes.is_empty(), reason) {
            self.reports.send(&Report::Refused { number, processes: processes.into(), reason: reason.to_string() });
        }
    }

    /// `run` is gone, so the lease is not renewed: no process may keep running.
    async fn orphaned(&mut self) -> Exit {
        let until = SystemClock.now().after(KILL_MAX);
        loop {
            self.children.reap();
            if self.children.is_empty() {
                return Exit::Lost;
            }
            let _ = self.children.signal_all(Signal::KILL, true);
            if SystemClock.now() >= until {
                let names = self.children.left().processes;
                Output::new(false).note(&format!(
                    "redfence has ended, and what it ran cannot be stopped: {names} runs on without the lock"
                ));
                return Exit::Survived;
            }
            tokio::time::sleep(ROUND).await;
        }
    }
}
