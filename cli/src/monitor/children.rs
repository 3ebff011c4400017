//! [`Children`]: everything that this process started, including processes that lost their parent.

use std::process::ExitStatus;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, test_kill_process_group};

use super::message::Left;
use super::process::{Process, descendants};

/// The command and its descendants.
///
/// On Linux this process is a *child subreaper*: a descendant that loses its parent becomes its child, even after a
/// double fork and in another session. So as long as a descendant runs, there is a child to wait for, and without a
/// child none runs. This needs no /proc. On other systems only the command's process group is known.
#[derive(Debug)]
pub(crate) struct Children {
    /// The leader of the process group.
    leader: Option<Pid>,
    /// How the leader ended.
    status: Option<ExitStatus>,
    any: bool,
}

/// The errors of the system for signals.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    pub(crate) processes: Vec<Process>,
    pub(crate) reason: Option<Errno>,
}

impl Refusals {
    fn note(&mut self, process: Process, outcome: Result<(), Errno>) {
        match outcome {
            // The process has ended meanwhile, which is fine.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => {
                self.reason = Some(error);
                self.processes.push(process);
            }
        }
    }
}

/// Lets orphans among this process's descendants become its children.
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // Linux has this since 3.4.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

impl Children {
    pub(crate) const fn new(leader: Option<Pid>) -> Self {
        Self { leader, status: None, any: true }
    }

    /// How the leader ended, if it has.
    pub(crate) const fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Whether no process runs any more.
    pub(crate) const fn is_empty(&self) -> bool {
        !self.any
    }

    /// Collects every process that has ended.
    pub(crate) fn reap(&mut self) {
        use std::os::unix::process::ExitStatusExt as _;
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.leader => {
                    self.status = Some(ExitStatus::from_raw(status.as_raw()));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return self.any = true,
                Err(_) => return self.any = cfg!(not(target_os = "linux")) && self.has_group(),
            }
        }
    }

    fn has_group(&self) -> bool {
        self.leader.is_some_and(|leader| test_kill_process_group(leader) != Err(Errno::SRCH))
    }

    /// The processes that still run.
    pub(crate) fn left(&self) -> Left {
        let mut processes = if self.any { descendants().unwrap_or_default() } else { Vec::new() };
        processes.retain(|one| !one.is_zombie);
        Left { any: self.any, processes: processes.into() }
    }

    /// Signals the leader only.
    pub(crate) fn signal_leader(&self, signal: Signal) -> Refusals {
        let mut refusals = Refusals::default();
        // After the leader was collected, its number may belong to another process.
        if let (Some(leader), None) = (self.leader, self.status) {
            let name = || descendants()?.into_iter().find(|one| one.pid == leader.as_raw_pid());
            if let Err(error) = kill_process(leader, signal) {
                refusals.note(name().unwrap_or_else(|| unnamed(leader)), Err(error));
            }
        }
        refusals
    }

    /// Signals the process group in one step, so that no new child is missed. Then checks each member.
    pub(crate) fn signal_group(&self, signal: Signal) -> Refusals {
        let mut refusals = Refusals::default();
        let Some(leader) = self.leader else { return refusals };
        let members = descendants().map(|all| all.into_iter().filter(|one| one.group == leader.as_raw_pid()));
        let members = members.map(Iterator::collect::<Vec<_>>);
        // While a group has members, its number is not used again.
        if self.status.is_some() && members.as_ref().is_some_and(Vec::is_empty) {
            return refusals;
        }
        let outcome = kill_process_group(leader, signal);
        match members {
            Some(members) => {
                for one in members.into_iter().filter(|one| !one.is_zombie) {
                    let outcome = pid(&one).map_or(Ok(()), rustix::process::test_kill_process);
                    refusals.note(one, outcome);
                }
            }
            None => refusals.note(unnamed(leader), outcome),
        }
        refusals
    }

    /// Signals all processes, or only those outside of the process group.
    pub(crate) fn signal_all(&self, signal: Signal, group_too: bool) -> Refusals {
        let Some(all) = descendants() else {
            return if group_too { self.signal_group(signal) } else { Refusals::default() };
        };
        let mut refusals = if group_too { self.signal_group(signal) } else { Refusals::default() };
        let group = self.leader.map(Pid::as_raw_pid);
        for one in all.into_iter().filter(|one| !one.is_zombie && Some(one.group) != group) {
            let outcome = pid(&one).map_or(Ok(()), |pid| kill_process(pid, signal));
            refusals.note(one, outcome);
        }
        refusals
    }
}

fn pid(process: &Process) -> Option<Pid> {
    Pid::from_raw(process.pid)
}

fn unnamed(pid: Pid) -> Process {
    let pid = pid.as_raw_pid();
    Process { pid, parent: 0, group: pid, is_zombie: false, name: "the command".to_owned() }
}
