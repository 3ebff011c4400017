//! `public_api.txt` lists all public names, so that a change of them is a decision. The list is read from the sources.
//! It includes every feature, and no code that a macro or a derive generates.

#![allow(unreachable_pub, clippy::panic, reason = "sources that cannot be read fail the test that reads them")]

#[path = "public_api/library.rs"]
mod library;
#[path = "public_api/names.rs"]
mod names;
#[path = "public_api/stability.rs"]
mod stability;
#[path = "public_api/syntax.rs"]
mod syntax;

use std::collections::BTreeSet;
use std::path::PathBuf;

use names::{Name, public_names};
use stability::Stability;

const FIX: &str = "If the change is wanted, accept it with \
     REDFENCE_BLESS=1 cargo test --test public_api, add a line to CHANGELOG.md, and commit both.";

/// The mark in `public_api.txt` of a name that is not stable.
const UNSTABLE: &str = "(unstable) ";
/// What is counted: one for each stable module, type, field, variant, method, function, constant and macro, so for each line
/// of `public_api.txt` without a mark. A name that is marked in the docs, or that needs the feature `unstable` or `testing`, is
/// not counted; nor is an implementation of a trait. More would be too many for readers of the docs.
const STABLE_NAMES_MAX: usize = 350;

#[test]
fn the_stable_names_are_few() {
    let names = names();
    let stable = names.iter().filter(|name| name.stability == Stability::Stable).count();
    assert!(
        (100..=STABLE_NAMES_MAX).contains(&stable),
        "{stable} stable names; at most {STABLE_NAMES_MAX}: leave some out, put them behind the feature \"unstable\", or mark \
         them in their docs with the line {:?}",
        stability::MARK
    );
}

/// Types that stay as they are, and why they may.
const EXHAUSTIVE: &[&str] = &[
    // Wraps a text.
    "redfence::Printable",
    // Stores build it.
    "redfence::verifier::StaleToken",
    // A store that meets a rule or a verdict that it does not know must not compile.
    "redfence::verifier::Rule",
    "redfence::verifier::Verdict",
];

#[test]
fn types_can_grow() {
    let names = names();
    let offered: BTreeSet<&str> = offered(&names).map(|name| &*name.line).collect();
    let is_open =
        |name: &str| offered.iter().any(|line| line.starts_with(&format!("{name}::")) && line.contains(": field "));
    let closed = offered.iter().filter_map(|line| line.split_once(": ")).filter(|(name, kind)| {
        let may_grow = kind.starts_with("enum") || kind.starts_with("struct") && is_open(name);
        may_grow && !kind.contains("non-exhaustive")
    });
    let closed: BTreeSet<_> = closed.map(|(name, _)| name).collect();
    let expected = BTreeSet::from_iter(EXHAUSTIVE.iter().copied());
    assert_eq!(closed, expected, "a new enum or a new struct with public fields is #[non_exhaustive]");
}

/// Crates whose types may be in a signature, and why.
const MAY_NAME_FOREIGN: &[&str] = &[
    // The trait of streams: the standard library has none yet.
    "redfence::recipes::Election::observe: futures",
];

#[test]
fn signatures_name_no_foreign_types() {
    let names = names();
    let foreign: BTreeSet<String> = offered(&names)
        .flat_map(|name| name.crates.iter().map(|of| format!("{}: {of}", name.path())))
        .filter(|line| !["std", "core", "alloc"].iter().any(|own| line.ends_with(&format!(": {own}"))))
        .collect();
    let expected: BTreeSet<String> = MAY_NAME_FOREIGN.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(foreign, expected, "a new version of that crate would be a new major version of this one");
}

/// Stable names whose signature has a type that is not stable, and why they may.
const MAY_NAME_UNSTABLE: &[&str] = &[
    // It takes embedded nodes, too, whose name is stable. Other nodes need the feature.
    "redfence::Builder::node: Node",
    // Causes that users print.
    "redfence::ConfigError::Address: AddressError",
    "redfence::ConfigError::Open: OpenError",
];

#[test]
fn stable_signatures_name_stable_types() {
    let names = names();
    let complaints: BTreeSet<String> = names
        .iter()
        .filter(|name| name.stability == Stability::Stable)
        .flat_map(|name| name.unstable_types.iter().map(|unstable| format!("{}: {unstable}", name.path())))
        .collect();
    let expected: BTreeSet<String> = MAY_NAME_UNSTABLE.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(complaints, expected, "a stable name needs an unstable type: mark it, too, or make the type stable");
}

/// The front page says which modules are new.
#[test]
fn the_front_page_names_what_is_marked() {
    let page = std::fs::read_to_string(root().join("README.md")).unwrap_or_default();
    let section =
        page.split_once("\n## Stability\n").map_or("", |(_, after)| after.split("\n## ").next().unwrap_or(""));
    let names = names();
    let modules = names.iter().filter(|name| name.stability == Stability::Marked && name.line.ends_with(": mod"));
    let modules: Vec<&str> = modules.filter_map(|name| name.path().strip_prefix("redfence::")).collect();
    let missing: Vec<_> = modules.iter().filter(|module| !section.contains(&format!("`{module}`"))).collect();
    assert!(modules.len() >= 3, "too few marked modules were read: {modules:?}");
    assert!(missing.is_empty(), "README.md, Stability: name the modules {missing:?}, which are marked in their docs");
}

#[test]
fn the_public_names_are_those_written_down() {
    let written_down = root().join("tests/public_api.txt");
    let mark = |name: &Name| if name.stability == Stability::Stable { "" } else { UNSTABLE };
    let is: BTreeSet<String> = names().iter().map(|name| format!("{}{}\n", mark(name), name.line)).collect();
    let is = String::from_iter(is);
    if std::env::var_os("REDFENCE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&written_down, is).unwrap();
        return;
    }
    let was = std::fs::read_to_string(&written_down).unwrap_or_default();
    let (was, is): (BTreeSet<&str>, BTreeSet<&str>) = (was.lines().collect(), is.lines().collect());
    let removed = was.difference(&is).map(|line| format!("- {line}\n"));
    let added = is.difference(&was).map(|line| format!("+ {line}\n"));
    let changes: String = removed.chain(added).collect();
    assert!(changes.is_empty(), "the public names have changed:\n\n{changes}\n{FIX}\n");
}

fn names() -> Vec<Name> {
    public_names(&root().join("src"))
}

/// The names that need neither `unstable` nor `testing`.
fn offered(names: &[Name]) -> impl Iterator<Item = &Name> {
    names.iter().filter(|name| name.stability < Stability::Gated)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
