//! `replay`: one seed, or a plan from a file, told as a timeline.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use simulations::{Plan, Timeline, shrink};

use super::{What, cannot};

/// What `replay` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    what: What,
    /// The seed.
    #[arg(long, required_unless_present = "plan", conflicts_with = "plan")]
    seed: Option<u64>,
    /// A plan, as `run` and `replay --shrink` print it, in place of a seed.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Makes the plan as small as it can be while it breaks the same promise, and prints it.
    #[arg(long)]
    shrink: bool,
    /// Prints every event.
    #[arg(long)]
    trace: bool,
    /// Prints the timeline as JSON.
    #[arg(long, conflicts_with = "trace")]
    json: bool,
    /// Writes leases and writes to this file, one record a line, as `check` reads them.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// Runs the plan and tells what happened. Fails if a promise is broken.
pub(crate) fn replay(arguments: &ReplayArguments) -> ExitCode {
    let campaign = arguments.what.campaign();
    let mut plan = match (&arguments.plan, arguments.seed) {
        (Some(file), _) => match read(file) {
            Ok(plan) => plan,
            Err(error) => return cannot("cannot read the plan", file, &error),
        },
        (None, seed) => campaign.plan(seed.unwrap_or_default()),
    };
    if arguments.shrink
        && let Some(violation) = campaign.level.run(&plan, campaign.mutant, false).violation()
    {
        (plan, _) = shrink(&plan, violation.promise, &|plan| campaign.level.run(plan, campaign.mutant, false));
        say!("{}", serde_json::to_string(&plan).unwrap_or_default());
    }
    let outcome = campaign.level.run(&plan, campaign.mutant, arguments.trace);
    if let Some(file) = &arguments.history
        && let Err(error) =
            std::fs::File::create(file).and_then(|to| outcome.history.write(std::io::BufWriter::new(to)))
    {
        return cannot("cannot write", file, &error);
    }
    let timeline = Timeline::of(&plan, &outcome);
    if arguments.json {
        say!("{}", serde_json::to_string(&timeline).unwrap_or_default());
    } else {
        say!("{}{timeline}", outcome.trace);
    }
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(file: &Path) -> Result<Plan, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    plan.check()?;
    Ok(plan)
}
