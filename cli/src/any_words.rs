//! Whatever words come as a command line: they are understood or refused, and never a panic.

use clap::Parser as _;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::args::Args;

#[test]
fn r11_any_words_are_a_command_or_a_usage_error() {
    let words = vec![
        "run",
        "acquire",
        "extend",
        "release",
        "status",
        "who",
        "list",
        "force-release",
        "bootstrap",
        "reset",
        "doctor",
        "dev",
        "demo",
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
    let word = prop_oneof![
        10 => select(words).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    // A long run: REDFENCE_FUZZ_CASES=1000000.
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
