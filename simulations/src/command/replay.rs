//! `replay`: one seed, or a plan from a file, shown as a timeline.

use std::path::PathBuf;
use std::process::ExitCode;

use simulations::html::{Page, Section};
use simulations::{Plan, Timeline, shrink};

use super::{What, cannot, quoted};

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    what: What,
    /// The seed.
    #[arg(long, required_unless_present = "plan", conflicts_with = "plan")]
    seed: Option<u64>,
    /// A file with a plan, as `run` and `replay --shrink` print it, instead of a seed.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Prints the plan as JSON, and runs nothing: a plan to change, for `--plan`.
    #[arg(long, conflicts_with_all = ["shrink", "trace", "json", "html", "history"])]
    print_plan: bool,
    /// Shrinks the plan as far as it still breaks the same promise, and prints it.
    #[arg(long)]
    shrink: bool,
    /// Prints every event.
    #[arg(long)]
    trace: bool,
    /// Prints the timeline as JSON.
    #[arg(long, conflicts_with = "trace")]
    json: bool,
    /// Draws the timeline on a page of HTML that needs no other file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes leases and writes to this file, one record a line, as `check` reads them.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// Runs the plan and prints what happened. Fails if a promise is broken.
pub(crate) fn replay(arguments: &ReplayArguments) -> ExitCode {
    let campaign = arguments.what.campaign();
    let mut plan = match (&arguments.plan, arguments.seed) {
        (Some(file), _) => match Plan::read(file) {
            Ok(plan) => plan,
            Err(error) => return cannot("cannot read the plan", file, &error),
        },
        (None, seed) => campaign.plan(seed.unwrap_or_default()),
    };
    if arguments.print_plan {
        say!("{}", serde_json::to_string_pretty(&plan).unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    if arguments.shrink
        && let Some(violation) = campaign.level.run(&plan, campaign.mutant, false).violation()
    {
        (plan, _) = shrink(&plan, violation.promise, &|plan| campaign.level.run(plan, campaign.mutant, false));
        say!("{}", serde_json::to_string(&plan).unwrap_or_default());
    }
    // The trace costs little, and brings the events for the picture.
    let outcome = campaign.level.run(&plan, campaign.mutant, true);
    if let Some(file) = &arguments.history
        && let Err(error) =
            std::fs::File::create(file).and_then(|to| outcome.history.write(std::io::BufWriter::new(to)))
    {
        return cannot("cannot write", file, &error);
    }
    let timeline = Timeline::of(&plan, &outcome);
    if let Some(file) = &arguments.html
        && let Err(error) = std::fs::write(file, page(arguments, &plan, timeline.clone()).render())
    {
        return cannot("cannot write", file, &error);
    }
    if arguments.json {
        say!("{}", serde_json::to_string(&timeline).unwrap_or_default());
    } else if arguments.trace {
        say!("{}{timeline}", outcome.trace);
    } else {
        say!("{timeline}");
    }
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The picture, and the command that shows it again.
fn page(arguments: &ReplayArguments, plan: &Plan, timeline: Timeline) -> Page {
    let again = arguments.what.again();
    let shrink = if arguments.shrink { " --shrink" } else { "" };
    let (seed, heading, command) = match (&arguments.plan, arguments.seed.unwrap_or_default()) {
        (Some(file), _) => {
            let command = format!("simulations replay --plan {} {again}{shrink}", quoted(file));
            (plan.seed.to_string(), "A plan from a file".to_owned(), command)
        }
        (None, seed) => {
            (seed.to_string(), format!("Seed {seed}"), format!("simulations replay --seed {seed} {again}{shrink}"))
        }
    };
    let section = Section::of(heading.clone(), seed, command, plan, timeline);
    let mutant = arguments.what.campaign().mutant.map(simulations::Mutant::name);
    Page { title: heading, sections: vec![Section { mutant, ..section }] }
}
