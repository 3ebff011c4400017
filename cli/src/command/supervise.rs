//! Watches a command and its lease, and makes sure that the command ends before the lease.

use std::ffi::OsString;
use std::time::Duration;

use redfence::{Clock as _, LeaseHandle, Moment, SystemClock};
use rustix::process::Signal;
use serde::Serialize;

use super::group::{Group, News};
use super::stopping::{Act, Event, SignalAction, Stage, Stopping, signal_action};
use crate::args::ForwardSignals;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::limits;
use crate::monitor::{KILL_MAX, Left, Order, Processes, Recipients, Report};
use crate::output::Output;
use crate::signals::{Meaning, Signals, meaning};
use crate::words::ms;

/// The longest time between SIGTERM and SIGKILL. If the lease ends, it is a quarter of the validity, if that is less.
const GRACE_MAX: Duration = Duration::from_secs(5);
/// How long before the end of the lease SIGKILL is sent, so that the command is gone at the end.
const KILL_MARGIN: Duration = Duration::from_millis(50);
/// Timers stand still while the machine is suspended, so the clock is read again at least this often.
const SLICE: Duration = Duration::from_millis(500);
/// How long the monitor has to answer. After that it counts as standing still.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// What a command runs under: it has to end before this does.
pub(super) trait Term {
    /// What is held.
    fn resource(&self) -> &str;
    /// How long it is held yet; `None` when it is over.
    fn valid_for(&self) -> Option<Duration>;
    /// Waits until it is over, and says why. Nothing is lost by dropping it.
    async fn lost(&self) -> String;
    /// Why it ends if nothing else ended it.
    fn not_renewed(&self) -> &'static str;
    /// What there is to say when it ends in `left`.
    fn near_end(&self, left: Duration) -> String;
}

impl Term for LeaseHandle {
    fn resource(&self) -> &str {
        Self::resource(self).as_str()
    }

    fn valid_for(&self) -> Option<Duration> {
        Self::valid_for(self)
    }

    async fn lost(&self) -> String {
        Self::lost(self).await.to_string()
    }

    fn not_renewed(&self) -> &'static str {
        "it was not renewed in time"
    }

    fn near_end(&self, left: Duration) -> String {
        format!("the lease of {:?} ends in {left:.1?} and was not renewed", Term::resource(self))
    }
}

/// How a supervised command ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Its exit code, or the signal that ended it; neither if they are unknown.
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// Why it was stopped, if the cause is the lease.
    pub(super) stopped: Option<String>,
    /// The processes that could not be stopped, if there are any.
    pub(super) survivors: Option<Left>,
    /// Why it could not be started.
    pub(super) not_started: Option<Failure>,
    /// Whether its monitor was killed.
    pub(super) monitor_gone: bool,
}

impl Ended {
    /// The exit code of a command that was started.
    pub(super) fn exit(&self) -> Result<Exit, Failure> {
        if self.monitor_gone {
            let message =
                "the process that watches the command (redfence __monitor) was killed, so the command was stopped";
            return Err(Failure::new(Exit::Failed, message));
        }
        Ok(Exit::of_command(self.code, self.signal))
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Message<'a> {
    Terminating {
        resource: &'a str,
        left_ms: u64,
        kill_in_ms: u64,
    },
    Killing {
        resource: &'a str,
        reason: &'a str,
    },
    PassedOn {
        signal: i32,
    },
    Refused {
        signal: i32,
        #[serde(flatten)]
        processes: &'a Processes,
        reason: &'a str,
    },
    LeftRunning {
        #[serde(flatten)]
        processes: &'a Processes,
    },
}

/// Starts the command and waits until it ends. Stops it if the lease is about to end, and handles signals.
pub(super) async fn supervise(
    command: &[OsString],
    variables: &[(&str, String)],
    lease: &impl Term,
    signals: &mut Signals,
    forward: ForwardSignals,
    output: Output,
) -> Ended {
    match Group::start(command, variables) {
        Ok(group) => until_its_end(group, lease, signals, forward, output).await,
        Err(error) => {
            let reason = limits::explained(&error);
            let message = format!("redfence cannot start the process that watches the command: {reason}");
            Ended { not_started: Some(Failure::new(Exit::NotExecutable, message)), ..Ended::default() }
        }
    }
}

async fn until_its_end(
    group: Group,
    lease: &impl Term,
    signals: &mut Signals,
    forward: ForwardSignals,
    output: Output,
) -> Ended {
    let grace = (lease.valid_for().unwrap_or_default() / 4).min(GRACE_MAX);
    let margin = (grace / 2).min(KILL_MARGIN);
    let resource = lease.resource();
    let (stopping, ended) = (Stopping::new(), Ended::default());
    let mut supervisor =
        Supervisor { group, lease, resource, stopping, ended, margin, due: None, reason: String::new(), output };
    loop {
        // Without a later time, the monitor kills by itself, because this program may be stopped or starved.
        supervisor.group.kill_by(SystemClock.now().after(lease.valid_for().unwrap_or_default()).before(margin / 2));
        let event = tokio::select! {
            biased;
            news = supervisor.group.news() => supervisor.told(news),
            event = over(supervisor.stopping.stage, supervisor.due, lease, grace) => supervisor.due_now(event),
            signal = signals.next() => supervisor.signalled(signal, forward),
            () = tokio::time::sleep((grace / 2).clamp(Duration::from_millis(5), SLICE)) => None,
        };
        if supervisor.ended.not_started.is_some() || supervisor.ended.monitor_gone {
            return supervisor.ended;
        }
        if let Some(event) = event
            && supervisor.act(event).await
        {
            return supervisor.ended;
        }
    }
}

struct Supervisor<'a, L> {
    group: Group,
    lease: &'a L,
    resource: &'a str,
    stopping: Stopping,
    ended: Ended,
    margin: Duration,
    /// When the time of the present stage is over.
    due: Option<Moment>,
    /// The reason for what is due.
    reason: String,
    output: Output,
}

impl<L: Term> Supervisor<'_, L> {
    /// Turns a report of the monitor into an event.
    fn told(&mut self, news: News) -> Option<Event> {
        match news {
            News::Report(Report::NotStarted { is_missing, message }) => {
                let exit = if is_missing { Exit::NotFound } else { Exit::NotExecutable };
                self.ended.not_started = Some(Failure::new(exit, message));
                None
            }
            News::Report(Report::Ended { code, signal, left }) => {
                (self.ended.code, self.ended.signal) = (code, signal);
                Some(Event::Ended { by_signal: signal.is_some(), any_left: left.any })
            }
            News::Report(Report::Refused { number, processes, reason }) => {
                self.output.event(&Message::Refused { signal: number, processes: &processes, reason: &reason });
                let signal = crate::signals::name(number);
                self.output.note(&format!("{signal} was refused by the system for {processes}: {reason}"));
                None
            }
            News::Report(Report::Empty | Report::Left(_)) => Some(Event::Empty),
            News::MonitorGone { left } => {
                self.ended.monitor_gone = true;
                self.ended.survivors = left.any.then_some(left);
                None
            }
        }
    }

    /// Stores why the command must end.
    fn due_now(&mut self, (event, reason): (Event, String)) -> Option<Event> {
        if matches!(event, Event::Doomed { .. }) {
            self.ended.stopped.get_or_insert_with(|| reason.clone());
        }
        self.reason = reason;
        Some(event)
    }

    fn signalled(&mut self, signal: Signal, forward: ForwardSignals) -> Option<Event> {
        let number = signal.as_raw();
        match signal_action(signal, forward) {
            SignalAction::Pass(to) => {
                self.group.order(Order::Signal { number, to });
                self.output.event(&Message::PassedOn { signal: number });
                let is_end = meaning(number) == Meaning::End && to == Recipients::Group;
                is_end.then_some(Event::AskedToEnd)
            }
            SignalAction::Stop => Some(Event::Stop),
            SignalAction::Nothing => None,
            SignalAction::Refuse => {
                self.output.note(&format!(
                    "still running: stopped, this program could not renew the lease of {:?}",
                    self.resource
                ));
                None
            }
        }
    }

    /// Does what the event requires. Returns true at the end.
    async fn act(&mut self, event: Event) -> bool {
        let act = self.stopping.after(event);
        match act {
            Act::Nothing => {}
            Act::Terminate { group_too } => self.terminate(group_too),
            Act::Kill => self.kill(),
            Act::Done => return true,
            Act::LeaveRunning => {
                let left = self.leave().await;
                if left.any {
                    self.output.event(&Message::LeftRunning { processes: &left.processes });
                    let names = &left.processes;
                    self.output.note(&format!("the command has ended and left running, without the lock: {names}"));
                }
                return true;
            }
            Act::GiveUp => {
                let left = self.leave().await;
                self.ended.survivors = left.any.then_some(left);
                return true;
            }
        }
        false
    }

    fn terminate(&mut self, group_too: bool) {
        let (resource, left) = (self.resource, self.lease.valid_for().unwrap_or_default());
        let until_end = left.saturating_sub(self.margin);
        let kill_in = if self.ended.stopped.is_some() { until_end } else { until_end.min(GRACE_MAX) };
        self.group.order(Order::Terminate { group_too });
        self.due = Some(SystemClock.now().after(kill_in));
        self.output.event(&Message::Terminating { resource, left_ms: ms(left), kill_in_ms: ms(kill_in) });
        if self.ended.stopped.is_some() {
            self.output.note(&format!(
                "{}: the command gets SIGTERM, and SIGKILL in {kill_in:.1?}",
                self.lease.near_end(left)
            ));
        }
    }

    fn kill(&mut self) {
        let reason = &*self.reason;
        self.group.kill();
        self.due = Some(SystemClock.now().after(KILL_MAX));
        self.output.event(&Message::Killing { resource: self.resource, reason });
        let ended = self.ended.code.is_some() || self.ended.signal.is_some();
        let who = if ended { "what the command left running" } else { "the command" };
        self.output.note(&format!("{who} gets SIGKILL: {reason}"));
    }

    /// Lets the monitor end without stopping the remaining processes. Returns these.
    async fn leave(&mut self) -> Left {
        self.group.order(Order::Leave);
        let answer = async {
            loop {
                match self.group.news().await {
                    News::Report(Report::Left(left)) | News::MonitorGone { left } => return left,
                    News::Report(Report::Empty) => return Left::default(),
                    News::Report(_) => {}
                }
            }
        };
        match tokio::time::timeout(ANSWER_MAX, answer).await {
            Ok(left) => left,
            Err(_) => self.group.kill_orphans().await,
        }
    }
}

/// Waits until the lease or the clock causes an event. Returns the event and its reason.
async fn over(stage: Stage, due: Option<Moment>, lease: &impl Term, grace: Duration) -> (Event, String) {
    let near = async {
        match (stage, due) {
            (Stage::Working, _) => {
                near_end(lease, grace).await;
                (Event::Doomed { is_lost: false }, lease.not_renewed().to_owned())
            }
            (_, Some(due)) => {
                sleep_until(due).await;
                (Event::TimeOver, "it did not end in time".to_owned())
            }
            (_, None) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        cause = lease.lost(), if stage != Stage::Killing => (Event::Doomed { is_lost: true }, cause),
        event = near => event,
    }
}

/// Waits until no more than `grace` of the validity is left. After a renewal it keeps waiting.
async fn near_end(lease: &impl Term, grace: Duration) {
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
