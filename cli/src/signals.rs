//! [`Signals`]: the signals that arrive for this program, and the meaning of each signal.

use std::future::poll_fn;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::failure::Failure;

/// The meaning of a signal to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It asks a program to end.
    End,
    /// A command may use it. A program that does not handle it ends.
    Use,
    /// A command may use it. A program that does not handle it ignores it.
    Hint,
    /// Ctrl-Z. A stopped program does not renew a lease.
    Stop,
    /// It concerns only this program, or cannot be caught, or reports a fault of this program after which it must not
    /// continue.
    Own,
}

/// The highest signal number.
const NUMBER_MAX: i32 = 64;

/// The meaning of the signal with this number.
pub(crate) fn meaning(number: i32) -> Meaning {
    let Some(signal) = from_raw(number) else { return Meaning::Own };
    match signal {
        Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT => Meaning::End,
        Signal::TSTP => Meaning::Stop,
        Signal::WINCH | Signal::CONT | Signal::URG => Meaning::Hint,
        Signal::KILL | Signal::STOP | Signal::ILL | Signal::FPE | Signal::SEGV | Signal::BUS => Meaning::Own,
        // It is ignored from the start of this program, so a write to a closed pipe returns an error.
        Signal::PIPE => Meaning::Own,
        // If these were caught, the read or write that caused them would start again without end.
        Signal::TTIN | Signal::TTOU | Signal::CHILD => Meaning::Own,
        _ => Meaning::Use,
    }
}

/// The signal with this number, if programs may use it.
pub(crate) fn from_raw(number: i32) -> Option<Signal> {
    #[cfg(target_os = "linux")]
    return rustix_libc_wrappers::process::SignalExt::from_raw(number);
    #[cfg(not(target_os = "linux"))]
    Signal::from_named_raw(number)
}

/// The name of the signal with this number.
pub(crate) fn name(number: i32) -> String {
    let name = match from_raw(number) {
        Some(Signal::TERM) => "SIGTERM",
        Some(Signal::KILL) => "SIGKILL",
        Some(Signal::INT) => "SIGINT",
        Some(Signal::HUP) => "SIGHUP",
        Some(Signal::QUIT) => "SIGQUIT",
        Some(Signal::USR1) => "SIGUSR1",
        Some(Signal::USR2) => "SIGUSR2",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

/// The signals that arrive. They no longer have their default effect.
pub(crate) struct Signals {
    streams: Vec<(Signal, tokio::signal::unix::Signal)>,
    asked_to_end: Option<Signal>,
}

impl Signals {
    /// Catches all signals that can be caught. A signal that this program inherited as ignored (`nohup`, `&` in a
    /// script) stays ignored.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let ignored = ignored();
        let heard = (1..=NUMBER_MAX).filter(|number| meaning(*number) != Meaning::Own).filter_map(from_raw);
        let heard = heard.filter(|one| ignored & (1 << (one.as_raw() - 1)) == 0);
        let streams = heard.map(|one| Ok((one, signal(SignalKind::from_raw(one.as_raw()))?)));
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("signals cannot be caught: {error}"));
        let listening = |streams| Self { streams, asked_to_end: None };
        streams.collect::<Result<_, _>>().map(listening).map_err(failed)
    }

    /// The next signal.
    ///
    /// # Cancel safety
    ///
    /// No signal is lost.
    pub(crate) async fn next(&mut self) -> Signal {
        let arrived = poll_fn(|context| {
            let arrived = self.streams.iter_mut().find_map(|(one, stream)| match stream.poll_recv(context) {
                Poll::Ready(Some(())) => Some(*one),
                _ => None,
            });
            arrived.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        if meaning(arrived.as_raw()) == Meaning::End {
            self.asked_to_end = Some(arrived);
        }
        arrived
    }

    /// The last signal that asked this program to end.
    pub(crate) const fn asked_to_end(&self) -> Option<Signal> {
        self.asked_to_end
    }

    /// The next signal that ends a program which does not handle it.
    ///
    /// # Cancel safety
    ///
    /// As for [`Signals::next`].
    pub(crate) async fn ending(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            if matches!(meaning(signal.as_raw()), Meaning::End | Meaning::Use) {
                return signal;
            }
        }
    }
}

/// The mask of ignored signals; 0 if there is no /proc.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn r8_every_signal_has_a_meaning() {
        // The numbers of Linux on most machines, written out so that none is missing.
        for (numbers, expected) in [
            (&[1, 2, 3, 15][..], Meaning::End),
            (&[5, 6, 10, 12, 14, 16, 24, 25, 26, 27, 29, 30, 31], Meaning::Use),
            (&[34, 35, 36, 50, 63, 64], Meaning::Use),
            (&[18, 23, 28], Meaning::Hint),
            (&[20], Meaning::Stop),
            (&[4, 7, 8, 9, 11, 13, 17, 19, 21, 22], Meaning::Own),
            // The C library uses these two itself; 0 and 65 are not signals.
            (&[32, 33, 0, 65, -1], Meaning::Own),
        ] {
            for number in numbers {
                assert_eq!(meaning(*number), expected, "{number}");
            }
        }
    }
}
