//! The simulator's command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use simulations::command::model::{self, ModelArguments};

/// Runs the shipped protocol in the worst of worlds.
#[derive(Parser)]
#[command(name = "simulations", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Searches small worlds to their end, and shows how each short cut breaks.
    Model(ModelArguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Model(arguments) => model::run(&arguments),
    }
}
