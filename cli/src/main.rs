//! `redfence`: locks over N independent Redis or Valkey nodes, for shells, scripts and curious people.

#[cfg(test)]
mod any_words;
mod args;
mod command;
mod connect;
mod demo;
mod exit;
mod failure;
mod limits;
mod monitor;
mod output;
mod screen;
mod signals;
mod words;

use std::process::ExitCode;

use crate::exit::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    // `run` starts this program again as the monitor of its command. That start must not pay for anything that it
    // does not need.
    if let Some(exit) = monitor::if_asked().or_else(command::exec::if_asked) {
        return exit.into();
    }
    let args = args::parse();
    let output = Output::new(args.global.json);
    output::log_to_stderr(args.global.verbose);
    let runtime = limits::check().and_then(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| limits::explained(&error))
    });
    let exit = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(command::obey(&args, &output));
            // A name lookup that still runs must not delay the exit.
            runtime.shutdown_background();
            outcome.unwrap_or_else(|failure| output.failure(&failure))
        }
        Err(reason) => {
            output.failure(&failure::Failure::new(Exit::Failed, format!("redfence cannot begin here: {reason}")))
        }
    };
    exit.into()
}
