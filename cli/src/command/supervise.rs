//! Watches a command and its lease, and sees to it that the command ends first.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use redfence::{Clock as _, LeaseHandle, Moment, SystemClock};
use rustix::process::Signal;
use serde::Serialize;

use super::group::Group;
use super::ms;
use crate::output::Output;
use crate::signals::Signals;

/// The longest time between SIGTERM and the end of the lease; a quarter of the validity if that is less.
const GRACE_MAX: Duration = Duration::from_secs(5);
/// SIGKILL comes this long before the end of the lease: the command must be gone when the end is there.
const KILL_MARGIN: Duration = Duration::from_millis(50);
/// Timers stand still while the machine is suspended, so the clock is read again at least this often.
const SLICE: Duration = Duration::from_millis(500);

/// How a supervised command ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Why it was stopped, if it was.
    pub(super) stopped: Option<String>,
}

/// How far a command is from being stopped.
enum Stage {
    Working,
    Terminating { kill_at: Moment },
    Killed,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Terminating { resource: &'a str, left_ms: u64, kill_in_ms: u64 },
    Killing { resource: &'a str, reason: &'a str },
    PassedOn { signal: i32 },
}

/// Waits for the command's end. Stops it when the lease is about to end, passes signals on, and refuses Ctrl-Z.
pub(super) async fn supervise(
    group: &mut Group,
    lease: &LeaseHandle,
    signals: &mut Signals,
    output: Output,
) -> io::Result<Ended> {
    let validity = lease.valid_for().unwrap_or_default();
    let grace = (validity / 4).min(GRACE_MAX);
    let margin = (grace / 2).min(KILL_MARGIN);
    let resource = lease.resource().as_str();
    let (mut stage, mut stopped) = (Stage::Working, None);
    let status = loop {
        tokio::select! {
            biased;
            status = group.ended() => break status?,
            due = stage.over(lease, grace) => {
                let left = lease.valid_for().unwrap_or_default();
                stage = match due {
                    Due::Terminate => {
                        group.signal(Signal::TERM);
                        let kill_in = left.saturating_sub(margin);
                        output.event(&Event::Terminating { resource, left_ms: ms(left), kill_in_ms: ms(kill_in) });
                        output.note(&format!(
                            "the lease of {resource:?} ends in {left:.1?} and was not renewed: \
                             the command gets SIGTERM, and SIGKILL in {kill_in:.1?}"
                        ));
                        stopped = Some("it was not renewed in time".to_owned());
                        Stage::Terminating { kill_at: SystemClock.now().after(kill_in) }
                    }
                    Due::Kill(reason) => {
                        group.signal(Signal::KILL);
                        output.event(&Event::Killing { resource, reason: &reason });
                        output.note(&format!("the command gets SIGKILL: {reason}"));
                        stopped.get_or_insert(reason);
                        Stage::Killed
                    }
                };
            }
            signal = signals.next() => match signal {
                Signal::TSTP => output.note(&format!(
                    "still running: stopped, this program could not renew the lease of {resource:?}"
                )),
                ending => {
                    group.signal(ending);
                    output.event(&Event::PassedOn { signal: ending.as_raw() });
                }
            },
        }
    };
    if stopped.is_some() {
        // Nothing of it may touch what the lock protects.
        group.kill_rest();
    }
    Ok(Ended { status, stopped })
}

enum Due {
    Terminate,
    Kill(String),
}

impl Stage {
    /// Waits until something has to be done about the command.
    async fn over(&self, lease: &LeaseHandle, grace: Duration) -> Due {
        let near = async {
            match self {
                Self::Working => {
                    near_end(lease, grace).await;
                    Due::Terminate
                }
                Self::Terminating { kill_at } => {
                    sleep_until(*kill_at).await;
                    Due::Kill("it did not end in time".to_owned())
                }
                Self::Killed => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            cause = lease.lost(), if !matches!(self, Self::Killed) => Due::Kill(cause.to_string()),
            due = near => due,
        }
    }
}

/// Waits until no more than `grace` is left. A renewal makes it wait on.
async fn near_end(lease: &LeaseHandle, grace: Duration) {
    while let Some(until) = lease.valid_for().and_then(|left| left.checked_sub(grace)).filter(|until| !until.is_zero())
    {
        tokio::time::sleep(until.min(SLICE)).await;
    }
}

async fn sleep_until(at: Moment) {
    while let Some(left) = at.checked_since(SystemClock.now()).filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(SLICE)).await;
    }
}
