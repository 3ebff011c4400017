//! `run`: runs a range of seeds until one breaks a promise, or plans from files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::ProgressBar;
use simulations::harness::Outcome;
use simulations::invariant::{Coverage, Promise, vacuous};
use simulations::{Fallen, Plan, Report, Timeline, shrink};

use super::{What, bar, cannot, jobs, parse_seeds, quoted};

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    what: What,
    /// The seeds, as FIRST..END.
    #[arg(long, value_parser = parse_seeds, default_value = "0..10000")]
    seeds: Range<u64>,
    /// A file with a plan, instead of seeds; may be given several times. `simulations replay --print-plan` prints one.
    #[arg(long = "plan", value_name = "FILE", conflicts_with_all = ["seeds", "nodes", "clients", "profile", "jobs"])]
    plans: Vec<PathBuf>,
    /// How many threads; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
    /// Writes every event of every run to this file. On one thread.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// Runs the seeds and says what happened in one line.
pub(crate) fn run(arguments: &RunArguments) -> ExitCode {
    let RunArguments { what, seeds, plans, jobs: given, trace } = arguments;
    if !plans.is_empty() {
        return run_plans(arguments);
    }
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
    say!("{}", figures(seen, usize::from(fallen.is_some())));
    if let Some(Fallen { seed, violation }) = fallen {
        say!("seed {seed} broke {violation}");
        explain(what, &format!("--seed {seed}"), &campaign.plan(*seed), violation.promise);
        return ExitCode::FAILURE;
    }
    let missing = vacuous(seen, campaign.profile);
    if missing.is_empty() {
        return ExitCode::SUCCESS;
    }
    complain!("These runs prove little, because in none of them: {}.", missing.join("; "));
    ExitCode::FAILURE
}

/// Runs plans from files, all of them, and says what happened in one line.
fn run_plans(arguments: &RunArguments) -> ExitCode {
    let RunArguments { what, plans: files, trace, .. } = arguments;
    let mut plans = Vec::with_capacity(files.len());
    for file in files {
        match Plan::read(file) {
            Ok(plan) => plans.push((file, plan)),
            Err(error) => return cannot("cannot read the plan", file, &error),
        }
    }
    let (campaign, mut seen, mut broken) = (what.campaign(), Coverage::default(), Vec::new());
    let mut traces = Vec::new();
    for (file, plan) in &plans {
        let outcome = campaign.level.run(plan, campaign.mutant, trace.is_some());
        seen.add(&outcome.seen);
        // A write to memory does not fail.
        let _ = write_trace(&mut traces, &format!("plan {}", file.display()), &outcome);
        if let Some(violation) = outcome.violation() {
            broken.push((file, plan, violation.clone()));
        }
    }
    if let Some(file) = trace
        && let Err(error) = std::fs::write(file, traces)
    {
        return cannot("cannot write", file, &error);
    }
    say!("{}", figures(&seen, broken.len()));
    for (file, plan, violation) in &broken {
        say!("{} broke {violation}", file.display());
        explain(what, &format!("--plan {}", quoted(file)), plan, violation.promise);
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn figures(seen: &Coverage, violations: usize) -> String {
    let Coverage { runs, acquired, handed_over, lost, overlaps, stale, .. } = seen;
    format!(
        "{runs} runs · {acquired} acquires, {handed_over} of them handed over · {lost} leases lost · {overlaps} overlaps (X not \
         promised) · {stale} stale writes refused · {violations} violations"
    )
}

/// Prints how to replay a plan that broke a promise, and the smallest plan that breaks it too.
fn explain(what: &What, plan_option: &str, plan: &Plan, promise: Promise) {
    let campaign = what.campaign();
    say!("again: simulations replay {plan_option} {}", what.again());
    let (plan, outcome) = shrink(plan, promise, &|plan| campaign.level.run(plan, campaign.mutant, false));
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
        write_trace(&mut to, &format!("seed {seed}"), &outcome)?;
        report.seen.add(&outcome.seen);
        if let Some(violation) = outcome.violations.into_iter().next() {
            report.fallen.get_or_insert(Fallen { seed, violation });
        }
        bar.inc(1);
    }
    to.flush()?;
    Ok(report)
}

fn write_trace(to: &mut impl Write, heading: &str, outcome: &Outcome) -> std::io::Result<()> {
    writeln!(to, "{heading}")?;
    to.write_all(outcome.trace.as_bytes())?;
    outcome.violations.iter().try_for_each(|violation| writeln!(to, "VIOLATED {violation}"))
}
