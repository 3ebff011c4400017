//! Stories, one per file: what can go wrong with a lock, what must be seen then, and what a tempting short cut does.
//!
//! The doc comment of each file is its story: the title, then paragraphs. `simulations scenario NAME` prints it.

mod clock_step_majority;
mod clock_step_one_node;
mod counter_rolled_back;
mod delayed_write;
mod double_fault;
mod forgotten_lock;
mod growing_fleet;
mod herd;
mod holder_clock_step;
mod late_grant;
mod network_split;
mod one_way_partition;
mod overload;
mod paused_holder;
mod renewal_racing_release;
mod renewal_starved;
mod replaced_node;
mod reply_read_late;
mod retry_storm;
mod scenario_run;
mod split_votes;
mod stale_release;
mod uneven_counters;

use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::Plan;

pub use scenario_run::{Checked, ScenarioReport, ScenarioRun};

/// One story.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// The text of its file, which begins with the story.
    source: &'static str,
    /// The plan: the clients, and what goes wrong.
    plan: fn() -> Plan,
    /// What must be seen, in addition to that every promise holds.
    expectations: &'static [Expectation],
    /// The wrong protocol that the story is about, if any.
    short_cut: Option<ShortCut>,
}

/// Something that must be seen, in a sentence.
#[derive(Debug)]
struct Expectation {
    what: &'static str,
    holds: fn(&ScenarioRun) -> bool,
}

/// A wrong protocol, and the promise that it breaks in this story.
#[derive(Debug)]
struct ShortCut {
    mutant: Mutant,
    /// What it does, in a sentence.
    what: &'static str,
    breaks: Promise,
}

impl Scenario {
    /// All stories, in the best order to read them.
    pub const ALL: [&'static Self; 22] = [
        &paused_holder::SCENARIO,
        &delayed_write::SCENARIO,
        &reply_read_late::SCENARIO,
        &double_fault::SCENARIO,
        &renewal_starved::SCENARIO,
        &renewal_racing_release::SCENARIO,
        &stale_release::SCENARIO,
        &late_grant::SCENARIO,
        &one_way_partition::SCENARIO,
        &network_split::SCENARIO,
        &split_votes::SCENARIO,
        &retry_storm::SCENARIO,
        &herd::SCENARIO,
        &overload::SCENARIO,
        &forgotten_lock::SCENARIO,
        &replaced_node::SCENARIO,
        &counter_rolled_back::SCENARIO,
        &uneven_counters::SCENARIO,
        &growing_fleet::SCENARIO,
        &holder_clock_step::SCENARIO,
        &clock_step_one_node::SCENARIO,
        &clock_step_majority::SCENARIO,
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name == name)
    }

    /// The first line of its story.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.doc().next().unwrap_or_default().trim_end_matches('.')
    }

    /// The paragraphs of its story, without the title.
    #[must_use]
    pub fn story(&self) -> Vec<String> {
        let lines: Vec<&str> = self.doc().skip(1).collect();
        lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty()).map(|lines| lines.join(" ")).collect()
    }

    /// The plan: the clients, and what goes wrong.
    #[must_use]
    pub fn plan(&self) -> Plan {
        (self.plan)()
    }

    fn doc(&self) -> impl Iterator<Item = &'static str> {
        self.source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim)
    }
}
