//! `redfence demo` keeps its promises, without servers and on real nodes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use std::time::Duration;

use program::{Running, redfence, run, with_nodes};
use redfence::{Clock as _, SystemClock};
use support::servers;

/// The numbers of the last line.
fn figures(stdout: &str) -> Vec<u64> {
    let last = stdout.lines().last().unwrap();
    let words = last.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<u64> = words.map(|word| word.parse().unwrap()).collect();
    let [sections, accepted, refused, without, with] = numbers[..] else { panic!("{last}") };
    let shape = format!(
        "sections {sections} · writes accepted {accepted} · stale writes refused {refused} · \
         lost updates: {without} without fencing, {with} with it"
    );
    assert_eq!(last, shape);
    assert!(sections > 20 && accepted + refused <= sections, "{last}");
    assert!(refused >= 1 && without >= 1 && with == 0, "{last}");
    numbers
}

#[test]
fn the_demo_needs_nothing_and_ends_with_one_line_of_figures() {
    let began = SystemClock.now();
    let demo = run(&mut redfence(), &["demo"]);
    assert_eq!((demo.code, &*demo.stderr), (0, ""), "{}", demo.stdout);
    assert!(SystemClock.now().since(began) < Duration::from_secs(15));
    figures(&demo.stdout);
    for part in
        ["without fencing", "with fencing", "is paused", "is lost", "refuses it", "dies", "no quorum", "all back"]
    {
        assert!(demo.stdout.contains(part), "{part}: {}", demo.stdout);
    }
    assert!(!demo.stdout.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn the_demo_runs_on_real_nodes_and_for_machines() {
    for count in [1, 3] {
        let nodes = servers(count);
        let demo = run(with_nodes(&nodes).arg("--json"), &["demo"]);
        assert_eq!(demo.code, 0, "{demo:?}");
        let lines: Vec<serde_json::Value> =
            demo.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (last, timeline) = lines.split_last().unwrap();
        assert_eq!((&last["event"], &last["lost_with_fencing"]), (&"figures".into(), &0.into()), "{last}");
        assert!(
            last["lost_without_fencing"].as_u64() >= Some(1) && last["stale_refused"].as_u64() >= Some(1),
            "{last}"
        );
        assert!(timeline.iter().all(|line| line["event"] == "timeline" && line["at_ms"].is_u64()));
        assert!(timeline.iter().any(|line| line["token"].is_string()));
    }
}

#[test]
fn the_picture_is_well_formed_and_holds_the_numbers_of_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("demo.svg");
    let demo = run(redfence().arg("--json"), &["demo", "--svg", file.to_str().unwrap()]);
    assert_eq!((demo.code, &*demo.stderr), (0, ""), "{}", demo.stdout);
    let drawn = std::fs::read_to_string(&file).unwrap();
    let picture = roxmltree::Document::parse(&drawn).unwrap();
    let texts: Vec<&str> = picture.descendants().filter_map(|element| element.text()).collect();
    let shows = |part: &str| texts.iter().any(|text| text.contains(part));

    let lines: Vec<serde_json::Value> = demo.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, timeline) = lines.split_last().unwrap();
    let number = |name: &str| last[name].as_u64().unwrap();
    let counts = format!(
        "sections {} · writes accepted {} · stale writes refused {}",
        number("sections"),
        number("accepted"),
        number("stale_refused")
    );
    let (without, with) = (number("lost_without_fencing"), number("lost_with_fencing"));
    assert!(shows(&counts) && shows(&format!("lost updates: {without} without fencing, {with} with it")), "{texts:?}");
    let first_act = timeline.iter().filter(|line| matches!(line["actor"].as_str(), Some("B" | "ledger")));
    for line in first_act {
        let (text, at_ms) = (line["text"].as_str().unwrap(), line["at_ms"].as_u64().unwrap());
        assert!(shows(text) && shows(&format!("{}.{:03} s", at_ms / 1_000, at_ms % 1_000)), "{line}");
        assert!(line["token"].as_str().is_none_or(|token| shows(&token[token.len() - 4..])), "{line}");
    }
    for part in ["the update of B is lost", "refuses it", "3 of 5 are needed", "node 5"] {
        assert!(shows(part), "{part}: {texts:?}");
    }
    assert!(drawn.contains("prefers-color-scheme:dark"));
}

#[test]
fn a_picture_that_cannot_be_written_is_an_error_that_names_the_file() {
    let demo = run(&mut redfence(), &["demo", "--svg", "/nowhere/demo.svg"]);
    assert!(
        demo.code == 1 && demo.stderr.contains("/nowhere/demo.svg") && demo.stderr.contains("another file"),
        "{demo:?}"
    );
    figures(&demo.stdout);
}

#[test]
fn a_demo_whose_reader_has_gone_ends() {
    let mut demo = Running::start(&mut redfence(), &["demo"]);
    assert!(demo.close_stdout_after_a_line().starts_with("One lock over 5 nodes"));
    assert_eq!((demo.code(), &*demo.stderr()), (128 + 13, ""));
}

#[test]
fn a_demo_without_a_quorum_says_so() {
    let mut nodes = servers(1);
    nodes[0].kill();
    let demo = run(&mut with_nodes(&nodes), &["demo"]);
    assert!(demo.code == 69 && demo.stderr.contains("no quorum"), "{demo:?}");
}
