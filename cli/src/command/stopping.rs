//! [`Stopping`]: decides when a command is asked to end, when it is killed, and when the lock may go. No I/O, no clock.

use rustix::process::Signal;

use crate::args::ForwardSignals;
use crate::monitor::Recipients;
use crate::signals::Meaning;

/// How far a command is from being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody asked it to end.
    Working,
    /// SIGTERM was sent to all of it; SIGKILL follows when the time is over.
    Terminating,
    /// SIGKILL is sent to all of it, again and again; it is given up when the time is over.
    Killing,
}

/// What happens to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It ended; whether by a signal, and whether something that it started runs on.
    Ended { by_signal: bool, any_left: bool },
    /// Nothing of it runs any more.
    Empty,
    /// A signal that asks for its end was passed on to its process group.
    AskedToEnd,
    /// It is to be stopped in order.
    Stop,
    /// The lease ends soon, or is lost already: it has to be dead.
    Doomed { is_lost: bool },
    /// The time of this stage is over.
    TimeOver,
}

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Wait on.
    Nothing,
    /// SIGTERM to all that runs, with or without the process group, which may have been asked already.
    Terminate { group_too: bool },
    /// SIGKILL to all that runs.
    Kill,
    /// Nothing runs: the lock may go.
    Done,
    /// The command ended by itself and left something running, which has no part in the lock.
    LeaveRunning,
    /// Something cannot be stopped: the lock must not go before its time.
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

    /// Takes in what happened, and says what to do.
    pub(super) const fn after(&mut self, event: Event) -> Act {
        match (event, self.stage) {
            (Event::Empty | Event::Ended { any_left: false, .. }, _) => Act::Done,
            (Event::Ended { by_signal, .. }, Stage::Working) if by_signal || self.asked => {
                // The group was asked, and may be at its last work: a second signal means haste to many programs.
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

/// What becomes of a signal to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is passed on.
    Pass(Recipients),
    /// The command is stopped in order.
    Stop,
    /// It is refused: this program must go on.
    Refuse,
    /// Nothing comes of it.
    Nothing,
}

/// What becomes of `signal`.
pub(super) fn fate(signal: Signal, forward: ForwardSignals) -> Fate {
    match (crate::signals::meaning(signal.as_raw()), forward) {
        (Meaning::Stop, _) => Fate::Refuse,
        (Meaning::Own, _) | (Meaning::Hint, ForwardSignals::None) => Fate::Nothing,
        (Meaning::End | Meaning::Use, ForwardSignals::None) => Fate::Stop,
        (_, ForwardSignals::Group) => Fate::Pass(Recipients::Group),
        (_, ForwardSignals::Command) => Fate::Pass(Recipients::Command),
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
    fn r8_what_becomes_of_a_signal() {
        use ForwardSignals::{Command, Group, None};
        for (signal, forward, expected) in [
            (Signal::TERM, Group, Fate::Pass(Recipients::Group)),
            (Signal::USR1, Group, Fate::Pass(Recipients::Group)),
            (Signal::WINCH, Group, Fate::Pass(Recipients::Group)),
            (Signal::USR1, Command, Fate::Pass(Recipients::Command)),
            (Signal::TERM, None, Fate::Stop),
            (Signal::ALARM, None, Fate::Stop),
            (Signal::CONT, None, Fate::Nothing),
            (Signal::TSTP, None, Fate::Refuse),
            (Signal::TSTP, Group, Fate::Refuse),
        ] {
            assert_eq!(fate(signal, forward), expected, "{signal:?} {forward:?}");
        }
    }
}
