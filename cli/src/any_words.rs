//! Tests with random words as a command line: the program always parses or refuses them, and never panics.

use clap::{CommandFactory as _, Parser as _};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::args::Args;

#[test]
fn r11_any_words_are_a_command_or_a_usage_error() {
    let commands: Vec<String> = Args::command().get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let others = [
        "help",
        "--",
        "-",
        "-v",
        "-vv",
        "--json",
        "--nodes",
        "--nodes=redis://a,unix:///b",
        "redis://u:p@h",
        "--ttl",
        "--wait",
        "--ttl=",
        "10s",
        "-1",
        "99999999999999999999d",
        "1h 30m",
        "--max-hold",
        "none",
        "--holder",
        "ab000000000000000000000000000000",
        "--label",
        "--cert",
        "--key",
        "--sni",
        "--all",
        "--limit",
        "18446744073709551616",
        "--prefix",
        "--help",
        "--version",
        "=",
        "",
    ];
    let words: Vec<String> = commands.into_iter().chain(others.map(str::to_owned)).collect();
    let word = prop_oneof![
        10 => select(words),
        1 => any::<String>(),
    ];
    // For a long run: REDFENCE_FUZZ_CASES=1000000.
    let cases = std::env::var("REDFENCE_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_048);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let outcome = proptest::test_runner::TestRunner::new(config).run(&vec(word, 0..10), |words| {
        let said = Args::try_parse_from(std::iter::once("redfence".to_owned()).chain(words))
            .err()
            .map(|error| error.to_string());
        prop_assert!(said.is_none_or(|said| !said.is_empty()));
        Ok(())
    });
    outcome.unwrap();
}
