//! What `run` is asked.

use std::ffi::OsString;
use std::time::Duration;

use redfence::Resource;

use super::exit_codes::EXIT_CODES;
use super::lease::LeaseArgs;
use super::values::{MaxHold, duration, max_hold, resource};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  redfence run nightly-report -- ./report.sh
      Waits up to 30 s for the lock, and holds it while ./report.sh runs.
  redfence run nightly-report --if-held skip -- ./report.sh
      From a crontab: skips the job if it still runs elsewhere.
  redfence run hourly --once-per 55m --key-prefix cron --max-ttl 1h -- ./sum.sh
      In the crontab of every machine, each hour: one of them runs it, the others skip it.";

/// Hold the lock while a command runs
///
/// The lease is renewed until the command ends. The command gets REDFENCE_TOKEN, REDFENCE_RESOURCE and
/// REDFENCE_HOLDER in its environment. It reads the standard input of this program, and runs in a process group and a
/// session of its own.
///
/// If the lease is about to be lost, the command and everything that it started get SIGTERM, and then SIGKILL before
/// another holder can exist; the exit code is 74. They are killed too if this program is killed or stands still. If
/// the command ends by a signal, its remaining processes are stopped before the lock is released: by SIGTERM, and
/// five seconds later by SIGKILL. If the command ends by itself, its remaining processes run on without the lock, and
/// a message names them. A message also names processes that cannot be stopped, such as a program of another user.
/// Then the lock is not released: it ends with its time to live, and the exit code is 71.
///
/// All signals that can be caught are passed on (see --forward-signals), except Ctrl-Z: a stopped program cannot
/// renew a lease. SIGKILL, SIGSTOP and the signals of faults (SEGV, BUS, ILL, FPE) cannot be passed on.
///
/// With --once-per the lock stays at the nodes for the rest of the period if the command succeeded. Nodes count the
/// time, so the clocks of the machines do not matter. If the command failed, or its machine crashed, another machine
/// may run it; with --hold-at-least not before that time is over.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct RunArgs {
    /// What to lock
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    #[command(flatten)]
    pub(crate) lease: LeaseArgs,
    /// What to do while another holds it [default: wait; with --once-per: skip]
    #[arg(long, value_enum, value_name = "WHAT")]
    if_held: Option<IfHeld>,
    /// How long to try while another holds it; 0 tries once [default: 30s; with skip and no period: 0]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// Run the command at most once in this time, counted from when it acquired the lock; at most --max-ttl
    #[arg(long, value_name = "PERIOD", value_parser = duration)]
    pub(crate) once_per: Option<Duration>,
    /// Hold the lock for at least this long, even if the command fails, or its machine crashes; at most --max-ttl
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) hold_at_least: Option<Duration>,
    /// The longest time that the command may run with the lock; `none` for no limit
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = max_hold)]
    pub(crate) max_hold: MaxHold,
    /// Who gets the signals that are sent to this program
    #[arg(long, value_enum, default_value_t = ForwardSignals::Group, value_name = "WHOM")]
    pub(crate) forward_signals: ForwardSignals,
    #[command(flatten)]
    pub(crate) exit_codes: ExitCodes,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What `run` does while another holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum IfHeld {
    /// Try once, and end with 75
    Fail,
    /// Try for the time of --wait, and end with 75
    Wait,
    /// Do not run the command, and end with 0; with --wait only after that time
    Skip,
}

impl RunArgs {
    /// The longest wait without `--wait`.
    const WAIT: Duration = Duration::from_secs(30);

    /// What to do while another holds the lock, and for how long to try.
    pub(crate) fn if_held(&self) -> Result<(IfHeld, Duration), &'static str> {
        let if_held = self.if_held.unwrap_or(if self.once_per.is_some() { IfHeld::Skip } else { IfHeld::Wait });
        let default = match if_held {
            IfHeld::Skip if self.once_per.is_none() => Duration::ZERO,
            _ => Self::WAIT,
        };
        match (if_held, self.wait) {
            (IfHeld::Fail, Some(_)) => {
                Err("--if-held fail tries once, and --wait says how long to try: leave one of them out")
            }
            (IfHeld::Fail, None) => Ok((IfHeld::Fail, Duration::ZERO)),
            (if_held, wait) => Ok((if_held, wait.unwrap_or(default))),
        }
    }
}

/// Which processes get the signals that `run` passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ForwardSignals {
    /// The command's process group
    Group,
    /// The command alone, which passes on what its children should get
    Command,
    /// No process: a signal that would end this program stops the command, with SIGTERM and five seconds later with
    /// SIGKILL
    None,
}

/// The exit codes of `run` for its own failures. With them, a caller can tell these failures from the command's.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ExitCodes {
    /// The exit code if another holds the lock until the wait ends, as in flock
    #[arg(short = 'E', long, default_value_t = Exit::Contended.code(), value_name = "CODE")]
    conflict_exit_code: u8,
    /// The exit code of every other failure of this program itself [default: one for each reason, see below]
    #[arg(long, value_name = "CODE")]
    error_exit_code: Option<u8>,
}

impl ExitCodes {
    /// The exit that replaces `exit`.
    pub(crate) fn of(self, exit: Exit) -> Exit {
        let chosen = match exit {
            Exit::Contended => Some(self.conflict_exit_code),
            Exit::Failed | Exit::Usage | Exit::NoQuorum | Exit::Lost | Exit::Survived => self.error_exit_code,
            // As in shells and flock: the command's code, or the signal's.
            _ => None,
        };
        chosen.map_or(exit, |code| Exit::Chosen(code, exit.reason()))
    }
}
