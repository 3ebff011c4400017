//! `redfence admit`: checks a fencing token where a script writes.

mod file;
mod place;
mod redis;
mod refusal;
#[cfg(feature = "sql")]
mod sql;
#[cfg(not(feature = "sql"))]
#[path = "no_sql.rs"]
mod sql;
mod term;

use redfence::{FencingToken, Resource};
use serde::Serialize;

use super::supervise::supervise;
use crate::args::{AdmitArgs, ForwardSignals, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, GOOD, Output};
use crate::signals::Signals;
use place::Place;
use refusal::Refusal;
use term::{FenceLock, Holding};

#[derive(Serialize)]
struct Verdict<'a> {
    resource: &'a Resource,
    token: FencingToken,
    admitted: bool,
    highest: FencingToken,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Admitted { resource: &'a Resource, token: FencingToken },
    Stale { resource: &'a Resource, token: FencingToken, highest: FencingToken },
    Finished { code: Option<i32>, signal: Option<i32> },
}

/// Asks the store, and runs the command if there is one.
pub(crate) async fn admit(args: &AdmitArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let place = Place::parse(&args.store).map_err(|reason| Failure::new(Exit::Usage, reason))?;
    let with_command = !args.command.is_empty();
    // Before the fence is held: from here on a signal is for the command.
    let mut signals = if with_command { Some(Signals::listen()?) } else { None };
    let asked = async {
        match &place {
            Place::File(path) => file::admit(path, args, with_command).await,
            Place::Redis(_) if with_command => Err(Refusal::Usage(redis::NO_COMMAND.to_owned())),
            Place::Redis(url) => redis::admit(url, args, global).await.map(|()| None),
            Place::Sql(database, url) => sql::admit(*database, url, args, with_command).await,
        }
    };
    let asked = match &mut signals {
        None => asked.await,
        Some(signals) => tokio::select! {
            asked = asked => asked,
            signal = signals.ending() => return Ok(signal.into()),
        },
    };
    match asked {
        Ok(held) => match (held, signals) {
            (Some(held), Some(mut signals)) => while_held(args, held, &mut signals, output).await,
            _ => {
                let human = format!("{GOOD}admitted{GOOD:#} {} {}", args.resource, args.token);
                Ok(said(args, true, args.token, &human, output, Exit::Done))
            }
        },
        Err(Refusal::Stale(highest)) => {
            let exit = Exit::Chosen(args.stale_exit_code, Exit::Stale.reason());
            Ok(stale(args, highest, output, exit))
        }
        Err(Refusal::Busy(reason)) => Err(Failure::new(Exit::Contended, reason)),
        Err(Refusal::NoVerdict(reason)) => {
            Err(Failure::new(Exit::NoVerdict, format!("no verdict from {place}: {}", place.without_secrets(&reason))))
        }
        Err(Refusal::Usage(reason)) => Err(Failure::new(Exit::Usage, place.without_secrets(&reason))),
    }
}

/// The standard output is the command's where there is one.
fn stale(args: &AdmitArgs, highest: FencingToken, output: Output, exit: Exit) -> Exit {
    let AdmitArgs { resource, token, .. } = args;
    if args.command.is_empty() {
        let human = format!("{BAD}stale{BAD:#} {resource} {token}: the highest token is {highest}");
        return said(args, false, highest, &human, output, exit);
    }
    output.event(&Event::Stale { resource, token: *token, highest });
    output.note(&format!("stale: the highest token of {:?} is {highest}; the command was not run", resource.as_str()));
    exit
}

fn said(args: &AdmitArgs, admitted: bool, highest: FencingToken, human: &str, output: Output, exit: Exit) -> Exit {
    // The exit code says the same, so a closed output is no failure.
    let _ = output.result(human, &Verdict { resource: &args.resource, token: args.token, admitted, highest });
    exit
}

async fn while_held(args: &AdmitArgs, held: FenceLock, signals: &mut Signals, output: Output) -> Result<Exit, Failure> {
    let AdmitArgs { resource, token, .. } = args;
    output.event(&Event::Admitted { resource, token: *token });
    let variables = [("REDFENCE_TOKEN", token.to_string()), ("REDFENCE_RESOURCE", resource.as_str().to_owned())];
    let holding = Holding::new(resource.as_str(), args.timeout, held);
    let mut ended = supervise(&args.command, &variables, &holding, signals, ForwardSignals::Group, output).await;
    if let Some(left) = &ended.survivors {
        // What runs on keeps the lock of a file; a transaction ends with this program.
        let names = &left.processes;
        holding.keep();
        let message = format!("what the command started cannot be stopped and runs on: {names}; end it by hand");
        return Err(Failure::new(Exit::Survived, message));
    }
    let why_lost = holding.why_lost();
    holding.end().await;
    if let Some(failure) = ended.not_started.take() {
        return Err(failure);
    }
    output.event(&Event::Finished { code: ended.code, signal: ended.signal });
    if let Some(reason) = ended.stopped.take().or(why_lost) {
        let message = format!("the fence of {:?} was not held to the end of the command: {reason}", resource.as_str());
        return Err(Failure::new(Exit::Lost, message));
    }
    ended.exit()
}
