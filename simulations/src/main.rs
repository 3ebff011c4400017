//! The simulator's command line.

use std::ops::Range;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use simulations::command::model::{self, ModelArguments};
use simulations::{Figures, Mutant, run_seed};

/// Runs the shipped protocol against the worst of networks, one run a seed.
#[derive(Parser)]
#[command(name = "simulations", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a range of seeds and checks T1, T2 and, where no lock vanishes, X.
    Run(RunArguments),
    /// Searches small worlds to their end, and shows how each short cut breaks.
    Model(ModelArguments),
}

#[derive(clap::Args)]
struct RunArguments {
    /// The seeds, as FIRST..END.
    #[arg(long, value_parser = parse_seeds, default_value = "0..2000")]
    seeds: Range<u64>,
    /// How many nodes; 1 to 9 as the seed decides unless given.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=32))]
    nodes: Option<u8>,
    /// The most attempts at one time; 2 or 3 as the seed decides unless given.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    clients: Option<u8>,
    /// A wrong protocol, to see it fall.
    #[arg(long)]
    mutant: Option<Mutant>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse().command {
        Command::Run(arguments) => arguments,
        Command::Model(arguments) => return model::run(&arguments),
    };
    let RunArguments { seeds, nodes, clients, mutant } = arguments;
    let mut total = Figures::default();
    for seed in seeds {
        match run_seed(seed, nodes.map(usize::from), clients.map(usize::from), mutant) {
            Ok(figures) => {
                total.runs += figures.runs;
                total.attempts += figures.attempts;
                total.leases += figures.leases;
            }
            Err(violation) => {
                eprintln!("seed {seed}: {violation}");
                eprintln!("again: simulations run --seeds {seed}..{}{}", seed + 1, options(nodes, clients, mutant));
                return ExitCode::FAILURE;
            }
        }
    }
    let Figures { runs, attempts, leases } = total;
    if leases == 0 {
        eprintln!("no lease was ever issued in {runs} runs: nothing was shown");
        return ExitCode::FAILURE;
    }
    println!("{runs} runs · {attempts} attempts · {leases} leases · 0 violations");
    ExitCode::SUCCESS
}

/// The options of a run, to say them again.
fn options(nodes: Option<u8>, clients: Option<u8>, mutant: Option<Mutant>) -> String {
    let number = |name: &str, value: Option<u8>| value.map(|value| format!(" --{name} {value}")).unwrap_or_default();
    let mutant = mutant.and_then(|mutant| clap::ValueEnum::to_possible_value(&mutant));
    let mutant = mutant.map(|mutant| format!(" --mutant {}", mutant.get_name())).unwrap_or_default();
    number("nodes", nodes) + &number("clients", clients) + &mutant
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let problem = || format!("{text:?} is no range of seeds: write FIRST..END, for instance 0..10000");
    let (first, end) = text.split_once("..").ok_or_else(problem)?;
    let (first, end) = (first.parse().map_err(|_| problem())?, end.parse().map_err(|_| problem())?);
    if first < end { Ok(first..end) } else { Err(format!("{text:?} is empty: END must be greater than FIRST")) }
}
