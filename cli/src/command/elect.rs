//! `redfence elect`: campaigns for a lock, and keeps a command running while this machine leads.

use std::time::Duration;

use redfence::recipes::Period;
use redfence::{Builder, Clock as _, Redlock, Resource, SystemClock};
use rustix::process::Signal;
use serde::Serialize;

use super::hold::{self, Wish};
use super::job::Job;
use crate::args::{ElectArgs, Global};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;
use crate::words::ms;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Campaigning { resource: &'a Resource },
    Resigned { resource: &'a Resource, reason: &'a str, again_in_ms: u64 },
}

/// The first and the longest pause between the end of a term and the next campaign.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Leads whenever it can, until the command has nothing left to do or a signal asks for the end.
pub(crate) async fn elect(args: &ElectArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    // A leader leads for as long as it can.
    let builder = connect::to_servers(global)?.max_hold(None);
    let mut signals = Signals::listen()?;
    let (resource, ttl, label) = (&args.resource, args.lease.ttl, args.lease.label.as_deref());
    let wish = Wish { resource, ttl, label, wait: Duration::MAX, gives_up_early: false };
    let (command, forward) = (&*args.command, args.forward_signals);
    let job = Job { command, forward, ttl, max_hold: None, period: Period::default(), output };
    let (mut redlock, mut pause) = (None, Duration::ZERO);
    loop {
        let began = SystemClock.now();
        let outcome = lead(&mut redlock, &builder, &wish, &job, &mut signals).await;
        let reason = match after(outcome, signals.asked_to_end()) {
            Next::End(outcome) => return outcome,
            Next::Again(reason) => reason,
        };
        pause = next_pause(pause, SystemClock.now().since(began));
        output.event(&Event::Resigned { resource, reason: &reason, again_in_ms: ms(pause) });
        output.note(&format!("{reason}; this machine campaigns for {:?} again in {pause:?}", resource.as_str()));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            signal = signals.ending() => return Ok(signal.into()),
        }
    }
}

/// One term, from the campaign to the end of the command. Connects first if that has not succeeded before.
async fn lead(
    redlock: &mut Option<Redlock>,
    builder: &Builder,
    wish: &Wish<'_>,
    job: &Job<'_>,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let redlock = match redlock {
        Some(redlock) => redlock,
        // One try: the next one comes after a message and a pause.
        None => redlock.insert(hold::connected(wish, Duration::ZERO, builder.clone(), signals).await?),
    };
    job.output.event(&Event::Campaigning { resource: wish.resource });
    let guard = hold::acquired(wish, wish.wait, redlock, signals, job.output).await?;
    job.run(redlock, guard, signals).await
}

/// The pause before the next campaign. It grows while terms end soon.
fn next_pause(last: Duration, lasted: Duration) -> Duration {
    if lasted >= PAUSES.1 { PAUSES.0 } else { (last * 2).clamp(PAUSES.0, PAUSES.1) }
}

/// What follows a term.
#[derive(Debug)]
enum Next {
    End(Result<Exit, Failure>),
    /// The next campaign, and why the term ended.
    Again(String),
}

fn after(outcome: Result<Exit, Failure>, asked_to_end: Option<Signal>) -> Next {
    match outcome {
        outcome if asked_to_end.is_some() => Next::End(outcome),
        Ok(Exit::Done | Exit::Command(0)) => Next::End(Ok(Exit::Done)),
        Ok(Exit::Signal(number)) => Next::Again(format!("the command was ended by {}", crate::signals::name(number))),
        Ok(exit) => Next::Again(format!("the command ended with {}", exit.code())),
        Err(failure) => match failure.exit {
            Exit::NoQuorum | Exit::Lost | Exit::Failed | Exit::Contended => Next::Again(failure.message),
            _ => Next::End(Err(failure)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_term() {
        let failed = |exit| Err(Failure::new(exit, "why"));
        for (outcome, asked, expected) in [
            (Ok(Exit::Command(0)), None, Some(0)),
            (Ok(Exit::Command(3)), None, None),
            (Ok(Exit::Signal(9)), None, None),
            (Ok(Exit::Signal(15)), Some(Signal::TERM), Some(143)),
            (Ok(Exit::Command(3)), Some(Signal::INT), Some(3)),
            (failed(Exit::Lost), None, None),
            (failed(Exit::Lost), Some(Signal::TERM), Some(74)),
            (failed(Exit::NoQuorum), None, None),
            (failed(Exit::NotFound), None, Some(127)),
            (failed(Exit::Survived), None, Some(71)),
            (failed(Exit::Usage), None, Some(2)),
            (failed(Exit::Signal(15)), None, Some(143)),
        ] {
            let story = format!("{outcome:?} {asked:?}");
            let code = match after(outcome, asked) {
                Next::End(outcome) => Some(outcome.unwrap_or_else(|failure| failure.exit).code()),
                Next::Again(_) => None,
            };
            assert_eq!(code, expected, "{story}");
        }
    }

    #[test]
    fn pauses_grow_while_terms_end_soon() {
        let s = Duration::from_secs;
        for (last, lasted, pause) in [(0, 0, 1), (1, 5, 2), (32, 5, 60), (60, 59, 60), (60, 60, 1)] {
            assert_eq!(next_pause(s(last), s(lasted)), s(pause), "{last} {lasted}");
        }
    }
}
