//! Which file may import which: no circle among the files of a crate, and in `redlock/` every import points down.

mod support {
    pub(crate) mod imports;
    pub(crate) mod sources;
}

use std::collections::BTreeSet;

use support::imports::Imports;
use support::sources::{Source, under};

/// The floors of `src/redlock/`, the lowest first. A file belongs to the first entry that is a prefix of its name.
const FLOORS: &[&[&str]] = &[
    &["env/", "settings", "error"],
    &["round/"],
    &["membership/", "wait/"],
    &["lease/"],
    &["locker"],
    &["hand_over"],
    &["handle", "guard", "contend"],
    &["acquire", "as_holder", "resume", "admin/"],
    &["builder", "connect"],
];

/// The roots of the crates whose files may not import each other in a circle.
const FOLDERS_WITHOUT_CIRCLES: [&str; 2] = ["src", "cli/src"];

#[test]
fn no_circle_among_the_files() {
    for folder in FOLDERS_WITHOUT_CIRCLES {
        let imports = Imports::of(folder);
        let Some(circle) = imports.circle() else { continue };
        let steps = circle.iter().zip(circle.iter().cycle().skip(1));
        let steps: Vec<_> =
            steps.map(|(from, to)| format!("{from}:{} imports {to}", imports.edges[from][to])).collect();
        panic!(
            "these files import each other in a circle; move what the lower one needs into a file below both:\n  {}",
            steps.join("\n  ")
        );
    }
}

#[test]
fn a_parent_that_uses_its_child_is_on_a_circle_with_it() {
    let circle = |parent_file: &str, parent: &str, child: &str| {
        let files = [(parent_file, parent), ("src/a/b.rs", child), ("src/lib.rs", "mod a;")];
        Imports::among(&files.map(|(path, text)| Source::imagined(path, text))).circle()
    };
    let uses_the_parent = "use super::Defined; pub(crate) struct Name; pub(crate) fn call(_: Defined) {}";
    for uses in [
        "use b::call;",
        "use self::b::{call};",
        "fn f() { b::call(Defined) }",
        "fn f() { crate::a::b::call(Defined) }",
        "pub(crate) use b::Name; fn f(name: &Name) {}",
        "pub use self::b::{Name, call}; trait T { fn f() -> Option<Name>; }",
    ] {
        for file in ["src/a/mod.rs", "src/a.rs"] {
            let parent = format!("mod b; {uses} pub struct Defined;");
            let expected = Some(vec![file.to_owned(), "src/a/b.rs".to_owned()]);
            let found = circle(file, &parent, uses_the_parent).map(|mut files| {
                files.sort_unstable_by_key(|on_it| on_it != file);
                files
            });
            assert_eq!(found, expected, "{file}: {parent}");
            assert_eq!(circle(file, &parent, "pub(crate) struct Name; pub(crate) fn call() {}"), None, "{parent}");
        }
    }
    for declares in ["", "pub use b::Name;", "pub(crate) use self::b::{Name, call};", "fn f(b: u8) -> u8 { b + 1 }"] {
        for file in ["src/a/mod.rs", "src/a.rs"] {
            let parent = format!("mod b; {declares} pub struct Defined;");
            assert_eq!(circle(file, &parent, uses_the_parent), None, "{file}: {parent}");
        }
    }
}

#[test]
fn imports_in_redlock_point_down() {
    let imports = Imports::of("src");
    let mut complaints = Vec::new();
    for (from, to) in &imports.edges {
        let Some(floor) = floor_of(from) else { continue };
        for (to, line) in to {
            if let Some(above) = floor_of(to).filter(|other| *other > floor) {
                complaints.push(format!(
                    "{from}:{line}: floor {} imports {to} on floor {}: pass it in from above, or move it down",
                    floor + 1,
                    above + 1
                ));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// What is built on the locker, and knows no more of it than a user's program does.
const ABOVE_THE_LOCKER: &[&str] = &["src/recipes/", "src/cached/", "src/blocking/"];

#[test]
fn what_is_built_on_the_locker_names_only_its_public_face() {
    let is_above = |path: &str| ABOVE_THE_LOCKER.iter().any(|folder| path.starts_with(folder));
    let (mut complaints, mut seen) = (Vec::new(), 0);
    for source in under("src") {
        if !is_above(&source.path) {
            continue;
        }
        seen += 1;
        for path in source.paths() {
            if path.starts_with("crate::redlock")
                || path.starts_with("crate::node")
                || path.starts_with("crate::protocol")
            {
                complaints.push(format!("{}:{}: names {path}; use what lib.rs exports", source.path, path.line));
            }
        }
    }
    for (from, to) in Imports::of("src").edges.iter().filter(|(from, _)| !is_above(from) && *from != "src/lib.rs") {
        if let Some((to, line)) = to.iter().find(|(to, _)| is_above(to)) {
            complaints.push(format!("{from}:{line} imports {to}, which stands above it: move what it needs down"));
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    assert!(seen > ABOVE_THE_LOCKER.len(), "too few files were read: {seen}");
}

#[test]
fn the_map_draws_the_imports_between_the_floors() {
    let mut below = vec![BTreeSet::new(); FLOORS.len()];
    for (from, to) in &Imports::of("src").edges {
        if let Some(floor) = floor_of(from) {
            below[floor].extend(to.keys().filter_map(|file| floor_of(file)).filter(|other| *other < floor));
        }
    }
    let map = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    let mut complaints = Vec::new();
    for (floor, below) in below.iter().enumerate().skip(1) {
        let numbers: Vec<_> = below.iter().rev().map(|other| (other + 1).to_string()).collect();
        let (begins, ends) = (format!(" {}  ", floor + 1), format!("──▶ {}", numbers.join(" ")));
        let drawn = map.lines().find(|line| line.starts_with(&begins)).unwrap_or_default();
        if !drawn.ends_with(&ends) {
            complaints.push(format!("the row of floor {} is {drawn:?}: let it end in {ends:?}", floor + 1));
        }
    }
    assert!(complaints.is_empty(), "ARCHITECTURE.md draws other imports:\n{}", complaints.join("\n"));
}

#[test]
fn every_file_of_redlock_has_a_floor() {
    let imports = Imports::of("src");
    let lost: Vec<_> = imports
        .edges
        .keys()
        .filter(|file| file.starts_with("src/redlock/") && *file != "src/redlock/mod.rs" && floor_of(file).is_none())
        .collect();
    assert!(lost.is_empty(), "no floor is written down for {lost:?}: add it to FLOORS and to src/redlock/mod.rs");
    assert!(imports.edges.len() > 50, "too few files were read: {}", imports.edges.len());
}

fn floor_of(file: &str) -> Option<usize> {
    let name = file.strip_prefix("src/redlock/")?;
    FLOORS.iter().position(|floor| floor.iter().any(|prefix| name.starts_with(prefix)))
}
