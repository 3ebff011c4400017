//! Pages fit on any screen and name who acts, and the files, links and tests that they name exist.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod sources;
    pub(crate) mod words;
}

use std::fs;
use std::path::{Path, PathBuf};

use support::words::{UNNAMED_ACTORS, has_words};

/// Wider text is hard to read, and breaks on a terminal.
const COLUMNS_MAX: usize = 100;
/// Pages with tables of figures, or tables that tests read: a row cannot be broken.
const WIDE_TABLES: &[&str] = &[
    "benches/README.md",
    "docs/bounds.md",
    "docs/disasters.md",
    "docs/events.md",
    "docs/features.md",
    "docs/fencing.md",
    "docs/metrics.md",
    "docs/tested.md",
];
const FOLDERS: &[&str] =
    &["src/", "tests/", "docs/", "cli/", "simulations/", "benches/", "fencing/", "scripts/", "examples/", "python/"];
/// `ARCHITECTURE.md` must stay short enough to read at one go.
const MAP_LINES_MAX: usize = 250;

#[test]
fn no_line_is_longer_than_100_columns() {
    let mut complaints = Vec::new();
    for (page, text) in pages() {
        for (number, line) in (1..).zip(text.lines()) {
            let width = line.chars().count();
            let is_row = line.starts_with('|') && WIDE_TABLES.contains(&&*page);
            // A single word, such as an address.
            let cannot_break = !line.trim().contains(' ');
            if width > COLUMNS_MAX && !is_row && !cannot_break {
                complaints.push(format!("{page}:{number}: {width} columns, {COLUMNS_MAX} at most; break the line"));
            }
        }
    }
    raise(&complaints);
}

/// The Python package is read as pages are: its docstrings are its reference.
#[test]
fn pages_and_docstrings_name_who_acts() {
    let package: Vec<_> = files("py").into_iter().filter(|(path, _)| path.starts_with("python/package/")).collect();
    assert!(package.len() >= 20, "too few files of the package were read: {}", package.len());
    let mut complaints = Vec::new();
    for (page, text) in pages().iter().chain(&package) {
        for (number, line) in (1..).zip(text.lines()) {
            // Names of tests and calls are not prose.
            let prose: String = line.split('`').step_by(2).collect();
            complaints.extend(
                UNNAMED_ACTORS
                    .iter()
                    .filter(|words| has_words(&prose, words))
                    .map(|words| format!("{page}:{number}: {words:?} hides who acts; name the actor")),
            );
        }
    }
    raise(&complaints);
}

#[test]
fn the_map_is_short() {
    let lines = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().lines().count();
    assert!(lines <= MAP_LINES_MAX, "{lines} lines, {MAP_LINES_MAX} at most; move what is no map to a page in docs/");
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut complaints = Vec::new();
    for (page, text) in pages() {
        // A name in brackets alone is a link for rustdoc, and nothing where the page is read as a file.
        for (before, after) in prose(&text).split("`]").zip(prose(&text).split("`]").skip(1)) {
            if before.contains("[`") && !after.starts_with('(') {
                let name = before.rsplit("[`").next().unwrap_or_default();
                complaints.push(format!(
                    "{page}: the link [`{name}`] leads nowhere outside of rustdoc; name it without brackets"
                ));
            }
        }
        for link in links(&text) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => root().join(&page),
                file => root().join(&page).parent().unwrap().join(file),
            };
            if !target.exists() {
                complaints.push(format!("{page}: the link to {link} leads nowhere; name a file that is there"));
            } else if !heading.is_empty() && !headings(&fs::read_to_string(target).unwrap()).any(|h| h == heading) {
                complaints.push(format!("{page}: the link to {link} names no heading of that page"));
            }
        }
    }
    raise(&complaints);
}

#[test]
fn files_and_tests_that_pages_name_are_there() {
    let functions = sources();
    let mut complaints = Vec::new();
    for (page, text) in pages() {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for name in words_of_code(&text) {
            // Of a command only the first word.
            let name = name.split(' ').next().unwrap_or_default();
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains(['*', '<', '{']);
            let (path, test) = name.split_once("::").unwrap_or((name, ""));
            if is_path && !root().join(path).exists() && !folder.join(path).exists() {
                complaints.push(format!("{page} names {path}, which is not there; name where it is now"));
            } else if is_path && !test.is_empty() && !has_test(path, test) {
                complaints.push(format!("{page} names the test {name}, which is not there; name the one that is"));
            }
            // Names of tests are sentences.
            let is_test = name.split('_').count() > 4
                // A metric, which tests/metrics.rs looks for.
                && !name.starts_with("redfence_")
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if is_test && !functions.contains(&format!("fn {name}(")) {
                complaints.push(format!("{page} names the test {name}, which is not there"));
            }
        }
    }
    raise(&complaints);
}

/// Each feature has a call, and a test that runs it; the tests are there, as all that pages name.
#[test]
fn every_feature_names_a_test() {
    let page = fs::read_to_string(root().join("docs/features.md")).unwrap();
    let (with, without) = page.split_once("## Left out").unwrap();
    let features: Vec<Vec<&str>> = rows(with).collect();
    let mut complaints = Vec::new();
    for row in &features {
        let names: Vec<&str> = row.last().unwrap().split('`').skip(1).step_by(2).collect();
        if row.len() != 4 || names.is_empty() || !names.iter().all(|name| name.contains("::")) {
            complaints.push(format!("docs/features.md: {row:?} ends with no `file::test`; name the tests that run it"));
        }
    }
    let reasons: Vec<Vec<&str>> = rows(without).collect();
    complaints.extend(
        reasons
            .iter()
            .filter(|row| row.iter().any(|cell| cell.is_empty()))
            .map(|row| format!("docs/features.md: {row:?} has an empty cell")),
    );
    assert!(
        features.len() >= 40 && reasons.len() >= 5,
        "too few rows were read: {} and {}",
        features.len(),
        reasons.len()
    );
    raise(&complaints);
}

/// The languages that the tests run: examples/migration, cli/tests/migration.rs, python/tests/test_migration.py.
const RUN_AFTER: &[&str] = &["rust", "sh", "js", "python"];
const BEFORE: &[&str] = &["rust", "js", "python", "go", "java"];

#[test]
fn every_block_of_a_migration_guide_has_its_counterpart_and_is_run() {
    let mut complaints = Vec::new();
    let guides = pages().into_iter().filter(|(page, _)| page.starts_with("docs/migration/"));
    let guides: Vec<_> = guides.filter(|(page, _)| !page.ends_with("README.md")).collect();
    for (page, text) in &guides {
        let mut expected = [("Before:", BEFORE), ("After:", RUN_AFTER)].into_iter().cycle();
        let (mut last, mut is_open, mut blocks) = ("", false, 0);
        for line in text.lines().filter(|line| !line.is_empty()) {
            let fence = line.strip_prefix("```");
            is_open ^= fence.is_some();
            if let Some(language) = fence.filter(|_| is_open) {
                let (head, languages) = expected.next().unwrap();
                blocks += 1;
                if last != head || !languages.contains(&language) {
                    complaints.push(format!("{page}: block {blocks} ({language}) should stand under {head}"));
                }
            }
            last = line;
        }
        assert!(blocks >= 12 && blocks % 2 == 0, "{page} has {blocks} blocks");
    }
    assert_eq!(guides.len(), 6, "six guides");
    raise(&complaints);
}

#[test]
fn every_event_is_on_its_page() {
    let page =
        fs::read_to_string(root().join("docs/events.md")).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut complaints, mut count) = (Vec::new(), 0);
    for (path, message) in support::sources::under("src").iter().flat_map(|source| source.events()) {
        count += 1;
        // What follows a value differs from event to event.
        let text = message.split('{').next().unwrap_or_default().trim_end_matches([' ', ';']);
        if !page.contains(&format!("*{text}*")) {
            complaints.push(format!("docs/events.md has no *{text}*, which {path} reports; say what it means"));
        }
    }
    assert!(count >= 25, "too few events were read: {count}");
    raise(&complaints);
}

/// The cells of the rows of all tables, without heads and rules.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let is_row = |line: &&str| line.starts_with("| ");
    let table = text.lines().filter(is_row).filter(|line| !line.ends_with("| test |") && !line.ends_with("| why |"));
    table.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

/// Whether the file has a test of this name: in Rust with an attribute above it, in Python by the name itself.
fn has_test(path: &str, test: &str) -> bool {
    let text = fs::read_to_string(root().join(path)).unwrap_or_default();
    let is_marked = |before: &str| before.rsplit("\n\n").next().is_some_and(|above| above.contains("test"));
    let in_rust = text.split_once(&format!("fn {test}(")).is_some_and(|(before, _)| is_marked(before));
    in_rust || test.starts_with("test_") && text.contains(&format!("def {test}("))
}

/// Every page of the repository, by its path from the root.
fn pages() -> Vec<(String, String)> {
    let pages: Vec<_> = files("md").into_iter().map(|(path, text)| (path, text.replace('\r', ""))).collect();
    assert!(pages.len() >= 10, "too few pages were read: {}", pages.len());
    pages
}

/// All Rust of the repository, as one text.
fn sources() -> String {
    files("rs").into_iter().map(|(_, text)| text).collect()
}

fn files(extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|other| other == extension) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text));
            }
        }
    }
    found.sort_unstable();
    found
}

fn root() -> &'static Path {
    static ROOT: std::sync::LazyLock<PathBuf> = std::sync::LazyLock::new(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    &ROOT
}

/// Where links and pictures lead, outside of code.
fn links(text: &str) -> Vec<String> {
    prose(text).split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The words between back-ticks, outside of blocks of code.
fn words_of_code(text: &str) -> Vec<String> {
    prose(text).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The headings of a page as links name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let text = prose(text);
    let slug = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    };
    text.lines().filter(|line| line.starts_with('#')).map(slug).collect::<Vec<_>>().into_iter()
}

fn raise(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
