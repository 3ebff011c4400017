//! The simulator's command line.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the shipped lock under the worst faults.
#[derive(Parser)]
#[command(name = "simulations", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Searches every state of small worlds, and shows how each short cut breaks a promise.
    Model(command::model::ModelArguments),
    /// Runs a range of seeds until one breaks a promise.
    Run(command::run::RunArguments),
    /// Runs one seed, or a plan from a file, and prints what happened.
    Replay(command::replay::ReplayArguments),
    /// Plays a story: what goes wrong, what must be seen then, and what a short cut does.
    Scenario(command::scenario::ScenarioArguments),
    /// Runs every wrong protocol until a promise breaks.
    Mutants(command::mutants::MutantsArguments),
    /// Reads a history, one record per line of JSON, and says whether T1, T2, E, X and F held.
    Check(command::check::CheckArguments),
    /// Prints a fingerprint of the runs of many seeds, to check that a change of the code changes no run.
    #[command(hide = true)]
    Digest(command::digest::DigestArguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Model(arguments) => command::model::run(&arguments),
        Command::Run(arguments) => command::run::run(&arguments),
        Command::Replay(arguments) => command::replay::replay(&arguments),
        Command::Scenario(arguments) => command::scenario::scenario(&arguments),
        Command::Mutants(arguments) => command::mutants::mutants(&arguments),
        Command::Check(arguments) => command::check::check(&arguments),
        Command::Digest(arguments) => command::digest::digest(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn no_line_of_the_help_is_wider_than_100_columns() {
        let mut program = Arguments::command();
        program.build();
        let helps = [program.clone().render_long_help(), program.clone().render_help()].into_iter();
        let commands = program.get_subcommands_mut();
        let helps = helps.chain(commands.flat_map(|command| [command.render_long_help(), command.render_help()]));
        for help in helps.map(|help| help.to_string()) {
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        }
    }
}
