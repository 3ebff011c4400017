//! `digest`: a fingerprint of the runs of many seeds, to check that a change of the code changes no run.

use std::ops::Range;
use std::process::ExitCode;

use sha1_smol::Sha1;
use simulations::harness::Outcome;
use simulations::{Campaign, Level, Profile, Scale};

use super::parse_seeds;

/// The arguments of `digest`.
#[derive(Debug, clap::Args)]
pub(crate) struct DigestArguments {
    /// The seeds, as FIRST..END; each profile runs all of them.
    #[arg(long, value_parser = parse_seeds, default_value = "0..50")]
    seeds: Range<u64>,
}

/// Prints two digests for each level. `events` survives a change of words in the trace: it covers the records of the
/// history, the counts, the violations and the time of every line. `trace` covers every byte of the trace.
pub(crate) fn digest(arguments: &DigestArguments) -> ExitCode {
    for level in [Level::Node, Level::Stream] {
        let (mut events, mut trace) = (Sha1::new(), Sha1::new());
        for profile in Profile::ALL {
            let scale = Scale::default();
            let campaign = Campaign { level, profile, scale, mutant: None, expected_only: false };
            for seed in arguments.seeds.clone() {
                let outcome = level.run(&campaign.plan(seed), None, true);
                add_events(&mut events, &outcome);
                trace.update(outcome.trace.as_bytes());
            }
        }
        say!("{:<6} events {} trace {}", level.name(), events.digest(), trace.digest());
    }
    ExitCode::SUCCESS
}

fn add_events(events: &mut Sha1, outcome: &Outcome) {
    let mut history = Vec::new();
    // Writing to a vector does not fail.
    let _ = outcome.history.write(&mut history);
    events.update(&history);
    let times = outcome.trace.lines().filter_map(|line| line.split_whitespace().next());
    times.for_each(|time| events.update(time.as_bytes()));
    for violation in &outcome.violations {
        events.update(format!("{} {}", violation.promise, violation.at_us).as_bytes());
    }
    let counts: String =
        format!("{:?}", outcome.seen).chars().filter(|one| one.is_ascii_digit() || *one == ',').collect();
    events.update(counts.as_bytes());
    events.update(&outcome.ended_us.to_le_bytes());
}
