//! `run`: runs a range of seeds until one breaks a promise.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::ProgressBar;
use simulations::invariant::{Coverage, vacuous};
use simulations::{Fallen, Report, Timeline, shrink};

use super::{What, bar, cannot, jobs, parse_seeds};

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    what: What,
    /// The seeds, as FIRST..END.
    #[arg(long, value_parser = parse_seeds, default_value = "0..10000")]
    seeds: Range<u64>,
    /// How many threads; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
    /// Writes every event of every run to this file. On one thread.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// Runs the seeds and says what happened in one line.
pub(crate) fn run(arguments: &RunArguments) -> ExitCode {
    let RunArguments { what, seeds, jobs: given, trace } = arguments;
    let campaign = what.campaign();
    let bar = bar(seeds.end - seeds.start);
    let report = match trace {
        None => campaign.run(seeds.clone(), jobs(*given), &|| bar.inc(1)),
        Some(file) => match write_traces(arguments, file, &bar) {
            Ok(report) => report,
            Err(error) => return cannot("cannot write", file, &error),
        },
    };
    bar.finish_and_clear();
    let Report { seen, fallen } = &report;
    say!("{}", figures(seen, fallen.is_some()));
    if let Some(fallen) = fallen {
        explain(what, fallen);
        return ExitCode::FAILURE;
    }
    let missing = vacuous(seen, campaign.profile);
    if missing.is_empty() {
        return ExitCode::SUCCESS;
    }
    complain!("These runs prove little, because in none of them: {}.", missing.join("; "));
    ExitCode::FAILURE
}

fn figures(seen: &Coverage, violated: bool) -> String {
    let Coverage { runs, acquired, handed_over, lost, overlaps, stale, .. } = seen;
    let violations = u8::from(violated);
    format!(
        "{runs} runs · {acquired} acquires, {handed_over} of them handed over · {lost} leases lost · {overlaps} overlaps (X not \
         promised) · {stale} stale writes refused · {violations} violations"
    )
}

/// Prints the seed, the smallest plan that breaks the same promise, and how to replay it.
fn explain(what: &What, Fallen { seed, violation }: &Fallen) {
    let campaign = what.campaign();
    say!("seed {seed} broke {violation}");
    say!("again: simulations replay --seed {seed} {}", what.again());
    let (plan, outcome) =
        shrink(&campaign.plan(*seed), violation.promise, &|plan| campaign.level.run(plan, campaign.mutant, false));
    say!("the smallest plan that does ({} parts):", plan.size());
    say!("{}", serde_json::to_string(&plan).unwrap_or_default());
    say!("{}", Timeline::of(&plan, &outcome));
}

/// Continues after a violation, so that the file has the traces of all seeds.
fn write_traces(arguments: &RunArguments, file: &Path, bar: &ProgressBar) -> std::io::Result<Report> {
    let campaign = arguments.what.campaign();
    let mut to = BufWriter::new(File::create(file)?);
    let mut report = Report::default();
    for seed in arguments.seeds.clone() {
        let outcome = campaign.level.run(&campaign.plan(seed), campaign.mutant, true);
        writeln!(to, "seed {seed}")?;
        to.write_all(outcome.trace.as_bytes())?;
        for violation in &outcome.violations {
            writeln!(to, "VIOLATED {violation}")?;
        }
        report.seen.add(&outcome.seen);
        if let Some(violation) = outcome.violations.into_iter().next() {
            report.fallen.get_or_insert(Fallen { seed, violation });
        }
        bar.inc(1);
    }
    to.flush()?;
    Ok(report)
}
