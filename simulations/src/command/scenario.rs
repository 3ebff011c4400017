//! `scenario`: plays a story, prints its timeline, and says whether all that must be seen was seen.

use std::path::PathBuf;
use std::process::ExitCode;

use simulations::html::{Page, Section};
use simulations::scenario::{Checked, Scenario, ScenarioReport};

use super::cannot;

/// The arguments of `scenario`.
#[derive(Debug, clap::Args)]
pub(crate) struct ScenarioArguments {
    /// Which story; `--list` prints their names.
    #[arg(required_unless_present_any = ["all", "list"])]
    name: Option<String>,
    /// All stories: one line for each, and the whole text of a story that fails.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Their names and titles.
    #[arg(long, conflicts_with_all = ["name", "all"])]
    list: bool,
    /// Writes a page with the pictures to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    html: Option<PathBuf>,
}

/// Plays stories. Fails if an expectation is not met.
pub(crate) fn scenario(arguments: &ScenarioArguments) -> ExitCode {
    if arguments.list {
        for scenario in Scenario::ALL {
            say!("{:<24} {}", scenario.name, scenario.title());
        }
        return ExitCode::SUCCESS;
    }
    let scenarios = match arguments.name.as_deref() {
        None => Scenario::ALL.to_vec(),
        Some(name) => match Scenario::named(name) {
            Some(scenario) => vec![scenario],
            None => {
                let names: Vec<_> = Scenario::ALL.iter().map(|scenario| scenario.name).collect();
                complain!("simulations: there is no scenario {name:?}; there are {}", names.join(", "));
                return ExitCode::from(2);
            }
        },
    };
    let told: Vec<(&Scenario, ScenarioReport)> =
        scenarios.into_iter().map(|scenario| (scenario, scenario.play())).collect();
    for (scenario, report) in &told {
        if arguments.all && report.holds() {
            let cut = report.short_cut.as_ref().map(|(name, _, checked)| format!("; {name}: {}", seen(checked)));
            say!("{:<24} {}{}", scenario.name, seen(&report.right), cut.unwrap_or_default());
        } else {
            tell(scenario, report);
        }
    }
    if let Some(file) = &arguments.html {
        let title = match &told[..] {
            [(scenario, _)] => scenario.title(),
            _ => "What can go wrong with a lock",
        };
        let sections = told.iter().flat_map(|(scenario, report)| sections(scenario, report)).collect();
        if let Err(error) = std::fs::write(file, Page { title: title.to_owned(), sections }.render()) {
            return cannot("cannot write", file, &error);
        }
    }
    let failed = told.iter().filter(|(_, report)| !report.holds()).count();
    if arguments.all {
        say!("{} scenarios, {failed} failed", told.len());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The story, the timeline and the verdict.
fn tell(scenario: &Scenario, report: &ScenarioReport) {
    say!("{}\n", scenario.title());
    for paragraph in scenario.story() {
        say!("{}\n", wrapped(&paragraph));
    }
    say!("{}\n", report.right.timeline);
    judge(&report.right);
    if let Some((name, what, checked)) = &report.short_cut {
        say!("\nand with the short cut {name}: {what}\n");
        say!("{}\n", checked.timeline);
        judge(checked);
    }
}

fn judge(checked: &Checked) {
    for (what, seen) in &checked.expectations {
        say!("{}  {what}", if *seen { "seen      " } else { "NOT SEEN  " });
    }
}

/// What was seen, in short.
fn seen(checked: &Checked) -> String {
    let parts: Vec<_> = checked.expectations.iter().map(|(what, _)| what.as_str()).collect();
    match parts[..] {
        [one] => one.to_owned(),
        _ => format!("{} things seen", parts.len()),
    }
}

/// The pictures of a story: under the shipped lock, and under the short cut.
fn sections(scenario: &Scenario, report: &ScenarioReport) -> Vec<Section> {
    let command = format!("simulations scenario {}", scenario.name);
    let section = |heading: String, checked: &Checked| {
        let seed = checked.plan.seed.to_string();
        let section = Section::of(heading, seed, command.clone(), &checked.plan, checked.timeline.clone());
        Section { expectations: checked.expectations.clone(), ..section }
    };
    let right = Section { story: scenario.story(), ..section(scenario.title().to_owned(), &report.right) };
    let cut = report.short_cut.as_ref().map(|(name, what, checked)| Section {
        story: vec![format!("The same story, but {what}.")],
        mutant: Some(name.clone()),
        ..section(format!("{}, with a short cut", scenario.title()), checked)
    });
    std::iter::once(right).chain(cut).collect()
}

/// A paragraph in lines that fit a terminal.
fn wrapped(paragraph: &str) -> String {
    const WIDTH_MAX: usize = 100;
    let mut lines = vec![String::new()];
    for word in paragraph.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH_MAX => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}
