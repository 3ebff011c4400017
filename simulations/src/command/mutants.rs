//! `mutants`: every wrong protocol until it falls.

use std::process::ExitCode;

use redfence::{Clock as _, SystemClock};
use simulations::{Campaign, Fallen, Level, Mutant, Profile, Scale};

use super::{bar, jobs};

/// What `mutants` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct MutantsArguments {
    /// What stands in for nodes and network.
    #[arg(long, value_enum, default_value_t)]
    level: Level,
    /// One of them; all unless given.
    #[arg(long, value_enum)]
    mutant: Option<Mutant>,
    /// How many seeds each may survive at most.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// How many threads; one for each core unless given.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
}

/// Runs every wrong protocol; fails if one survives.
pub(crate) fn mutants(arguments: &MutantsArguments) -> ExitCode {
    let mutants = arguments.mutant.map_or_else(|| Mutant::ALL.to_vec(), |mutant| vec![mutant]);
    say!("{:<22} {:<6} {:<14} {:>9} {:>8}", "mutant", "level", "broken", "seeds", "seconds");
    let mut survivors = 0;
    for mutant in mutants {
        let began = SystemClock.now();
        let level = arguments.level;
        let campaign = Campaign {
            level,
            profile: Profile::Hell,
            scale: Scale::default(),
            mutant: Some(mutant),
            expected_only: true,
        };
        let bar = bar(arguments.seeds).with_message(mutant.name());
        let report = campaign.run(0..arguments.seeds, jobs(arguments.jobs), &|| bar.inc(1));
        bar.finish_and_clear();
        let seconds = SystemClock.now().since(began).as_secs_f64();
        let name = mutant.name();
        match report.fallen {
            Some(Fallen { seed, violation }) => {
                let (seeds, promise) = (seed + 1, violation.promise.to_string());
                say!("{name:<22} {:<6} {promise:<14} {seeds:>9} {seconds:>8.1}", level.name());
            }
            None => {
                survivors += 1;
                say!("{name:<22} {:<6} {:<14} {:>9} {seconds:>8.1}", "-", "SURVIVED", arguments.seeds);
            }
        }
    }
    if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
