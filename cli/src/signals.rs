//! [`Signals`]: those that people and machines send to end a program, and Ctrl-Z.

use std::future::poll_fn;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::failure::Failure;

/// The signals that are passed on to a command and end a wait; and Ctrl-Z, which does neither.
const HEARD: [Signal; 5] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::TSTP];

/// What arrives from now on, in place of what the signals do by themselves.
pub(crate) struct Signals(Vec<(Signal, tokio::signal::unix::Signal)>);

impl Signals {
    /// Listens. A signal that this program was told to ignore (`nohup`, `&` in a script) stays ignored.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let ignored = ignored();
        let heard = HEARD.into_iter().filter(|one| ignored & (1 << (one.as_raw() - 1)) == 0);
        let streams = heard.map(|one| Ok((one, signal(SignalKind::from_raw(one.as_raw()))?)));
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("no signal can be heard: {error}"));
        streams.collect::<Result<_, _>>().map(Self).map_err(failed)
    }

    /// The next signal.
    ///
    /// # Cancel safety
    ///
    /// No signal is lost.
    pub(crate) async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            let arrived = self.0.iter_mut().find_map(|(one, stream)| match stream.poll_recv(context) {
                Poll::Ready(Some(())) => Some(*one),
                _ => None,
            });
            arrived.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The next signal that wants an end.
    ///
    /// # Cancel safety
    ///
    /// As [`Signals::next`].
    pub(crate) async fn ending(&mut self) -> Signal {
        loop {
            match self.next().await {
                Signal::TSTP => {}
                ending => return ending,
            }
        }
    }
}

/// The mask of ignored signals; where there is no /proc, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
