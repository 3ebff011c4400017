//! What ARCHITECTURE.md promises about the sources, checked by reading them.
//!
//! Code is read as tokens, so a word in a string never counts, and a word in a comment only in the rule on comments.
//! Unit tests (`#[cfg(test)]` modules, and files named `tests.rs`) may import anything: only the rules on size and on
//! sleeping apply to them. Code behind the feature `testing` may also import anything.

mod support {
    pub(crate) mod manifest;
    pub(crate) mod sources;
    pub(crate) mod words;
}

use std::collections::BTreeMap;
use std::sync::LazyLock;

use support::manifest;
use support::sources::{Function, Path, Source, top_level_reexports, under};
use support::words::{UNNAMED_ACTORS, has_words};

const LINES_PER_FILE_MAX: usize = 500;
const LINES_PER_FUNCTION_MAX: usize = 70;
const LINES_PER_FILE_MEDIAN_MAX: usize = 200;

/// Values that everything may know: plain files beside `lib.rs`.
const WORDS: &[&str] = &[
    "clock",
    "entropy",
    "holder",
    "lease",
    "node_id",
    "occupant",
    "printable",
    "resource",
    "spawner",
    "token",
    "waiter",
];
const CRATES_OF_WORDS: &[&str] = &["std", "core", "alloc", "serde", "uuid", "thiserror", "crc", "rustix", "rand"];

/// The code that ships, and the example that is a server in use.
/// All Rust files, tests too.
const EVERYTHING: &[&str] = &["src", "cli", "simulations", "tests", "examples", "benches", "fencing", "python"];
const ALL_SOURCES: &[&str] = &["src", "cli/src", "simulations/src", "benches/src", "fencing", "examples"];

/// Each layer, and the modules of this crate that it may name in addition to the words.
const LAYERS: &[(&str, &[&str])] = &[
    ("protocol", &["protocol"]),
    ("node", &["node", "protocol"]),
    ("metrics", &["metrics"]),
    ("redlock", &["redlock", "node", "protocol", "metrics"]),
    ("doctor", &["doctor", "redlock", "node", "protocol"]),
    ("history", &["history", "redlock", "verifier"]),
    ("cached", &["cached", "redlock", "verifier"]),
    ("recipes", &["recipes", "redlock", "protocol"]),
    ("blocking", &["blocking", "redlock", "protocol"]),
    ("testing", &["testing", "redlock", "node", "protocol"]),
    ("verifier", &["verifier", "metrics"]),
];

/// What would make the protocol impossible to simulate.
const IMPURE: &[&str] = &[
    "tokio",
    "redis",
    "rand",
    "crate::Entropy",
    "crate::Clock",
    "crate::SystemClock",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::thread",
    "std::net",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
];

const READS_OF_TIME: &[&str] = &["Instant::now", "SystemTime::now", "clock_gettime"];
/// The meter of the bench reads the CPU time spent, which is a clock of the system. The examples measure what a write costs.
const MAY_READ_TIME: &[&str] = &["src/clock.rs", "src/clock/", "benches/src/meter.rs", "fencing/support/stopwatch.rs"];

const WAITS: &[&str] = &[
    "tokio::spawn",
    "task::spawn",
    "task::spawn_local",
    "task::spawn_blocking",
    "time::sleep",
    "time::sleep_until",
    "time::interval",
    "time::interval_at",
];
const MAY_WAIT: &[&str] = &[
    "src/redlock/",
    "src/recipes/",
    "src/cached/",
    "src/node/redis/",
    "src/node/tasks.rs",
    "src/node/contract/",
    "src/doctor/facts.rs",
    // A clock that a test turns waits on paused time.
    "src/testing/clock.rs",
    "cli/",
];

const UNFINISHED: &[&str] = &["todo", "unimplemented"];
const SQL_VERBS: &[&str] =
    &["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "CREATE INDEX ", "ALTER TABLE "];

#[test]
fn words_import_nothing_but_values() {
    let dependencies = manifest::dependency_names();
    let mut complaints = Complaints::default();
    for source in under("src").iter().filter(|source| is_word(&source.path)) {
        for path in source.paths_without_testing() {
            if let Some(module) = named_module(&path)
                && !WORDS.contains(&module.as_str())
            {
                complaints.add(source, path.line, format!("a word names crate::{module}; move what needs it up"));
            }
            let root = path.root();
            if dependencies.contains(root) && !CRATES_OF_WORDS.contains(&root) {
                complaints.add(source, path.line, format!("a word uses the crate {root}; words are plain values"));
            }
        }
    }
    complaints.raise();
}

#[test]
fn layers_name_only_what_lies_below_them() {
    let mut complaints = Complaints::default();
    for (layer, may_name) in LAYERS {
        for source in layer_sources(layer) {
            for path in source.paths() {
                if let Some(module) = named_module(&path)
                    && !WORDS.contains(&module.as_str())
                    && !may_name.contains(&module.as_str())
                {
                    let fix = format!(
                        "{layer} names crate::{module}; it may name the words and {may_name:?}. Pass the thing in \
                         from above, or, if the picture has changed, change LAYERS here and ARCHITECTURE.md"
                    );
                    complaints.add(&source, path.line, fix);
                }
            }
        }
    }
    complaints.raise();
}

#[test]
fn the_protocol_does_no_io_reads_no_clock_and_draws_no_randomness() {
    let mut complaints = Complaints::default();
    for source in layer_sources("protocol") {
        for path in source.paths() {
            if let Some(impure) = IMPURE.iter().find(|impure| path.starts_with(impure)) {
                complaints.add(&source, path.line, format!("the protocol names {impure}; make it an argument"));
            }
        }
    }
    complaints.raise();
}

#[test]
fn only_the_clock_reads_time() {
    let mut complaints = Complaints::default();
    for source in ALL_SOURCES.iter().flat_map(|folder| under(folder)) {
        if starts_with_any(&source.path, MAY_READ_TIME) {
            continue;
        }
        for path in source.paths() {
            if READS_OF_TIME.iter().any(|read| path.ends_with(read)) {
                complaints.add(&source, path.line, format!("{path} reads time; take it from a Clock"));
            }
        }
    }
    complaints.raise();
}

#[test]
fn only_redlock_and_the_redis_node_spawn_or_sleep() {
    let mut complaints = Complaints::default();
    for source in under("src") {
        if starts_with_any(&source.path, MAY_WAIT) {
            continue;
        }
        for path in source.paths() {
            if WAITS.iter().any(|wait| path.ends_with(wait)) {
                let fix = format!("{path} spawns or waits; return what to do, and let {MAY_WAIT:?} do it");
                complaints.add(&source, path.line, fix);
            }
        }
    }
    complaints.raise();
}

#[test]
fn no_file_is_too_long_to_read_in_one_sitting() {
    let sources: Vec<Source> = ALL_SOURCES.iter().flat_map(|folder| under(folder)).collect();
    let mut complaints = Complaints::default();
    for source in &sources {
        let lines = source.lines();
        if lines > LINES_PER_FILE_MAX {
            complaints.add(source, lines, format!("{lines} lines, {LINES_PER_FILE_MAX} at most; divide it by topic"));
        }
    }
    complaints.raise();

    let mut lengths: Vec<usize> = sources.iter().map(Source::lines).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    assert!(
        median <= LINES_PER_FILE_MEDIAN_MAX,
        "half of the files have more than {LINES_PER_FILE_MEDIAN_MAX} lines (median {median}); divide the longest"
    );
}

#[test]
fn no_function_is_too_long_for_one_screen() {
    let mut complaints = Complaints::default();
    for source in EVERYTHING.iter().flat_map(|folder| under(folder)) {
        for Function { name, line, lines } in source.functions() {
            if lines > LINES_PER_FUNCTION_MAX {
                let fix = format!("fn {name} has {lines} lines, {LINES_PER_FUNCTION_MAX} at most; name its steps");
                complaints.add(&source, line, fix);
            }
        }
    }
    complaints.raise();
}

#[test]
fn nothing_is_unfinished_skipped_or_slept_for_luck() {
    let mut complaints = Complaints::default();
    for source in EVERYTHING.iter().flat_map(|folder| under(folder)) {
        for (name, line) in source.macros() {
            if UNFINISHED.contains(&name.as_str()) {
                complaints.add(&source, line, format!("{name}! marks unfinished code; finish it or leave it out"));
            }
        }
        for (name, line) in source.attributes() {
            if name == "ignore" {
                complaints.add(&source, line, "a skipped test checks nothing; run it, or remove it".to_owned());
            }
        }
        for path in source.all_paths() {
            if path.ends_with("thread::sleep") && !source.path.starts_with("tests/support/") {
                let fix = "thread::sleep only hopes; wait for a condition with support::eventually";
                complaints.add(&source, path.line, fix.to_owned());
            }
        }
    }
    complaints.raise();
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let mut complaints = Vec::new();
    for file in manifest::of_members() {
        for (name, line) in manifest::unexplained_dependencies(&file) {
            complaints.push(format!("{file}:{line}: {name} has no comment above it or its group; say what it is for"));
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn lua_and_sql_live_in_files_of_their_own() {
    let mut complaints = Complaints::default();
    for source in under("src") {
        for (literal, line) in source.literals() {
            let text = literal.trim_start_matches(['r', 'b', 'c', '#', '"']).trim_start();
            if literal.contains("redis.call(") || literal.contains("redis.pcall(") {
                complaints.add(&source, line, "Lua in Rust; move it to a .lua file and include_str! it".to_owned());
            }
            if SQL_VERBS.iter().any(|verb| text.starts_with(verb)) {
                complaints.add(&source, line, "SQL in Rust; move it to a .sql file and include_str! it".to_owned());
            }
        }
    }
    complaints.raise();
}

/// Names that were replaced by the standard ones of docs/glossary.md.
const RETIRED: &[&str] = &[
    "Sight",
    "Sighted",
    "Settlement",
    "Standing",
    "Station",
    "Tells",
    "Loan",
    "Route",
    "Held",
    "Keeper",
    "Levels",
    "Seat",
    "Wishes",
    "Glimpse",
    "ToThoseWhoWaited",
    "ToAnybody",
    "FoundError",
    "excuse",
    "sight",
    "sighted",
    "settlement",
    "mend",
    "hears",
];
/// Words that no name has, also not as a part.
const RETIRED_PARTS: &[&str] = &[
    "anybody",
    "blow",
    "blows",
    "census",
    "chronicle",
    "chronicles",
    "desk",
    "dice",
    "envelope",
    "everybody",
    "fate",
    "founded",
    "inbox",
    "lobby",
    "nobody",
    "outbox",
    "patience",
    "sighting",
    "somebody",
    "weather",
];
/// Places where a retired name is the right name of another thing.
const OTHERWISE_CALLED: &[(&str, &str)] =
    &[("cli/src/words/node.rs", "Standing"), ("cli/src/command/status.rs", "Standing")];

#[test]
fn names_that_were_retired_stay_away() {
    let mut complaints = Complaints::default();
    for source in EVERYTHING.iter().flat_map(|folder| under(folder)) {
        for (name, line) in source.identifiers() {
            let is_other = OTHERWISE_CALLED.contains(&(source.path.as_str(), name.as_str()));
            let has_part = parts(&name).any(|part| RETIRED_PARTS.contains(&part.as_str()));
            if (has_part || RETIRED.contains(&name.as_str())) && !is_other {
                complaints.add(&source, line, format!("{name} was retired; docs/glossary.md has the standard word"));
            }
        }
    }
    complaints.raise();
}

/// The words of a name, in small letters.
fn parts(name: &str) -> impl Iterator<Item = String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        let begins = c == '_' || c.is_uppercase() && parts.last().is_some_and(|part| !part.is_empty());
        if begins {
            parts.push(String::new());
        }
        parts.iter_mut().last().into_iter().for_each(|part| part.extend(c.to_lowercase().filter(|c| *c != '_')));
    }
    parts.into_iter()
}

/// Here the word is the name of a user.
const MAY_HIDE_ACTORS: &[(&str, &str)] = &[("cli/tests/stopping.rs", "nobody")];

#[test]
fn comments_name_who_acts() {
    let mut complaints = Complaints::default();
    for source in ["src", "cli", "fencing", "examples"].into_iter().flat_map(under) {
        for (comment, line) in source.comments() {
            for words in UNNAMED_ACTORS.iter().filter(|words| has_words(comment, words)) {
                if !MAY_HIDE_ACTORS.contains(&(source.path.as_str(), words)) {
                    complaints.add(&source, line, format!("{words:?} hides who acts; name the actor"));
                }
            }
        }
    }
    complaints.raise();
}

/// Everything that breaks one rule, reported together.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn add(&mut self, source: &Source, line: usize, fix: String) {
        self.0.push(format!("{}:{line}: {fix}", source.path));
    }

    fn raise(&self) {
        assert!(self.0.is_empty(), "\n{}\n", self.0.join("\n"));
    }
}

fn is_word(path: &str) -> bool {
    WORDS.iter().any(|word| path == format!("src/{word}.rs"))
}

fn layer_sources(layer: &str) -> Vec<Source> {
    let (folder, file) = (format!("src/{layer}/"), format!("src/{layer}.rs"));
    under("src").into_iter().filter(|source| source.path.starts_with(&folder) || source.path == file).collect()
}

fn starts_with_any(path: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| path.starts_with(prefix))
}

/// The top-level module of this crate that a path leads into, also through a name that lib.rs re-exports.
fn named_module(path: &Path) -> Option<String> {
    static REEXPORTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(top_level_reexports);
    let first = path.in_crate()?;
    Some(REEXPORTS.get(first).cloned().unwrap_or_else(|| first.to_owned()))
}
