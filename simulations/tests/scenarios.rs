//! Each story happens as described, and none is left out.

use std::collections::BTreeSet;

use simulations::scenario::Scenario;
use simulations::{Campaign, Level, Profile, Scale};

#[test]
fn every_story_happens_as_it_is_described() {
    for scenario in Scenario::ALL {
        let report = scenario.play();
        let missing: Vec<_> = report.right.expectations.iter().filter(|(_, seen)| !seen).collect();
        assert!(report.holds(), "{}: {missing:?}\n{}", scenario.name, report.right.timeline);
        assert!(report.right.expectations.len() > 2, "{} asks for little", scenario.name);
        assert_eq!(scenario.plan().check(), Ok(()), "{}", scenario.name);
    }
}

#[test]
fn every_file_is_a_story_with_a_title_and_a_text_of_its_own() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scenario");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| file != "mod.rs" && file != "scenario_run.rs").collect();
    let names: BTreeSet<String> =
        Scenario::ALL.iter().map(|scenario| format!("{}.rs", scenario.name.replace('-', "_"))).collect();
    assert_eq!(files, names);
    let titles: BTreeSet<_> = Scenario::ALL.iter().map(|scenario| scenario.title()).collect();
    assert_eq!(titles.len(), Scenario::ALL.len());
    for scenario in Scenario::ALL {
        assert!(scenario.story().concat().len() > 100, "{} says little", scenario.name);
        assert!(Scenario::named(scenario.name).is_some());
    }
}

#[test]
fn what_is_drawn_changes_nothing() {
    let (level, profile) = (Level::Node, Profile::ManyFaults);
    let campaign = Campaign { level, profile, scale: Scale::default(), mutant: None, expected_only: false };
    for seed in 0..300 {
        let plan = campaign.plan(seed);
        let (plain, drawn) = (level.run(&plan, None, false), level.run(&plan, None, true));
        let pairs = plain.history.records.iter().zip(&drawn.history.records);
        assert_eq!(pairs.clone().find(|(plain, drawn)| plain != drawn), None, "seed {seed}");
        assert_eq!(plain.history.records.len(), drawn.history.records.len(), "seed {seed}");
        assert!(plain.timeline_events.is_empty() && !drawn.timeline_events.is_empty(), "seed {seed}");
    }
}
