//! [`Stopping`]: decides when a command gets SIGTERM, when it gets SIGKILL, and when the lock may be released. No
//! I/O, no clock.

use rustix::process::Signal;

use crate::args::ForwardSignals;
use crate::monitor::Recipients;
use crate::signals::Meaning;

/// How far the stopping of a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was not asked to end.
    Working,
    /// All its processes got SIGTERM. SIGKILL follows when the time is over.
    Terminating,
    /// All its processes get SIGKILL again and again, until the time is over.
    Killing,
}

/// An event that concerns a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It ended: whether by a signal, and whether processes that it started still run.
    Ended { by_signal: bool, any_left: bool },
    /// No process of it runs any more.
    Empty,
    /// A signal that asks for the end was passed on to its process group.
    AskedToEnd,
    /// It must be stopped in order.
    Stop,
    /// The lease ends soon or is lost already, so the command must be killed in time.
    Doomed { is_lost: bool },
    /// The time of this stage is over.
    TimeOver,
}

/// What to do after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Keep waiting.
    Nothing,
    /// Send SIGTERM to all processes. The process group may be left out, because it may have got a signal already.
    Terminate { group_too: bool },
    /// Send SIGKILL to all processes.
    Kill,
    /// No process runs: the lock may be released.
    Done,
    /// The command ended by itself and left processes running, which do not need the lock.
    LeaveRunning,
    /// Some process cannot be stopped: the lock must not be released before its time to live is over.
    GiveUp,
}

/// The state of one command.
#[derive(Debug)]
pub(super) struct Stopping {
    pub(super) stage: Stage,
    asked: bool,
}

impl Stopping {
    pub(super) const fn new() -> Self {
        Self { stage: Stage::Working, asked: false }
    }

    /// Takes an event and returns what to do.
    pub(super) const fn after(&mut self, event: Event) -> Act {
        match (event, self.stage) {
            (Event::Empty | Event::Ended { any_left: false, .. }, _) => Act::Done,
            (Event::Ended { by_signal, .. }, Stage::Working) if by_signal || self.asked => {
                // The group got a signal already, and may be finishing. To many programs, a second signal means to
                // hurry.
                self.terminate(!self.asked)
            }
            (Event::Ended { .. }, Stage::Working) => Act::LeaveRunning,
            (Event::AskedToEnd, _) => {
                self.asked = true;
                Act::Nothing
            }
            (Event::Stop | Event::Doomed { is_lost: false }, Stage::Working) => self.terminate(true),
            (Event::Doomed { is_lost: true }, Stage::Working | Stage::Terminating)
            | (Event::TimeOver, Stage::Terminating) => {
                self.stage = Stage::Killing;
                Act::Kill
            }
            (Event::TimeOver, Stage::Killing) => Act::GiveUp,
            _ => Act::Nothing,
        }
    }

    const fn terminate(&mut self, group_too: bool) -> Act {
        self.stage = Stage::Terminating;
        Act::Terminate { group_too }
    }
}

/// What `run` does with a signal that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalAction {
    /// Pass it on.
    Pass(Recipients),
    /// Stop the command in order.
    Stop,
    /// Refuse it: this program must keep running.
    Refuse,
    /// Ignore it.
    Nothing,
}

/// What `run` does with `signal`.
pub(super) fn signal_action(signal: Signal, forward: ForwardSignals) -> SignalAction {
    match (crate::signals::meaning(signal.as_raw()), forward) {
        (Meaning::Stop, _) => SignalAction::Refuse,
        (Meaning::Own, _) | (Meaning::Hint, ForwardSignals::None) => SignalAction::Nothing,
        (Meaning::End | Meaning::Use, ForwardSignals::None) => SignalAction::Stop,
        (_, ForwardSignals::Group) => SignalAction::Pass(Recipients::Group),
        (_, ForwardSignals::Command) => SignalAction::Pass(Recipients::Command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH_REST: Event = Event::Ended { by_signal: false, any_left: true };
    const ALONE: Event = Event::Ended { by_signal: false, any_left: false };
    const KILLED: Event = Event::Ended { by_signal: true, any_left: true };
    const NEAR: Event = Event::Doomed { is_lost: false };
    const LOST: Event = Event::Doomed { is_lost: true };
    const ALL: Act = Act::Terminate { group_too: true };
    const REST: Act = Act::Terminate { group_too: false };

    #[test]
    fn r2_the_lock_goes_when_nothing_runs_or_nothing_was_to_stop() {
        use Act::{Done, GiveUp, Kill, LeaveRunning, Nothing};
        for (story, expected) in [
            (&[ALONE][..], &[Done][..]),
            (&[WITH_REST], &[LeaveRunning]),
            (&[Event::AskedToEnd, ALONE], &[Nothing, Done]),
            (&[Event::AskedToEnd, WITH_REST, Event::Empty], &[Nothing, REST, Done]),
            (&[KILLED, Event::TimeOver, Event::TimeOver], &[ALL, Kill, GiveUp]),
            (&[Event::Stop, Event::Stop, WITH_REST, Event::TimeOver], &[ALL, Nothing, Nothing, Kill]),
            (&[NEAR, WITH_REST, Event::TimeOver, Event::Empty], &[ALL, Nothing, Kill, Done]),
            (&[NEAR, LOST, LOST, WITH_REST, Event::TimeOver], &[ALL, Kill, Nothing, Nothing, GiveUp]),
            (&[LOST, NEAR, Event::Stop, ALONE], &[Kill, Nothing, Nothing, Done]),
        ] {
            let mut stopping = Stopping::new();
            let acts: Vec<_> = story.iter().map(|event| stopping.after(*event)).collect();
            assert_eq!(acts, expected, "{story:?}");
        }
    }

    #[test]
    fn r8_what_is_done_with_a_signal() {
        use ForwardSignals::{Command, Group, None};
        for (signal, forward, expected) in [
            (Signal::TERM, Group, SignalAction::Pass(Recipients::Group)),
            (Signal::USR1, Group, SignalAction::Pass(Recipients::Group)),
            (Signal::WINCH, Group, SignalAction::Pass(Recipients::Group)),
            (Signal::USR1, Command, SignalAction::Pass(Recipients::Command)),
            (Signal::TERM, None, SignalAction::Stop),
            (Signal::ALARM, None, SignalAction::Stop),
            (Signal::CONT, None, SignalAction::Nothing),
            (Signal::TSTP, None, SignalAction::Refuse),
            (Signal::TSTP, Group, SignalAction::Refuse),
        ] {
            assert_eq!(signal_action(signal, forward), expected, "{signal:?} {forward:?}");
        }
    }
}
