//! The parts of Cargo.toml that the rules on sources need.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use super::sources::root;

struct Entry {
    section: String,
    name: String,
    value: String,
    line: usize,
    explained: bool,
}

/// The crates that the library may name, as Rust writes them.
pub(crate) fn dependency_names() -> BTreeSet<String> {
    entries("Cargo.toml").into_iter().map(|entry| entry.name.replace('-', "_")).collect()
}

/// The manifest of each member of the workspace.
pub(crate) fn of_members() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = text.lines().find(|line| line.starts_with("members = ")).unwrap();
    let names = members.split('"').skip(1).step_by(2);
    names.map(|name| if name == "." { "Cargo.toml".to_owned() } else { format!("{name}/Cargo.toml") }).collect()
}

/// Dependencies of the shipped code without a comment above them or their group. What comes from the workspace
/// is explained there, and a path leads to our own code.
pub(crate) fn unexplained_dependencies(file: &str) -> Vec<(String, usize)> {
    entries(file)
        .into_iter()
        .filter(|entry| !entry.section.ends_with("dev-dependencies"))
        .filter(|entry| !entry.explained && !entry.value.contains("workspace") && !entry.value.contains("path ="))
        .map(|entry| (entry.name, entry.line))
        .collect()
}

fn entries(file: &str) -> Vec<Entry> {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    let (mut section, mut explained) = (String::new(), false);
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if let Some(header) = line.strip_prefix('[') {
            (section, explained) = (header.trim_end_matches(']').to_owned(), false);
        } else if line.is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if section.ends_with("dependencies")
            && let Some((key, value)) = line.split_once('=')
            && !line.starts_with([' ', '\t', '}', ']'])
        {
            let (name, rest) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
            let value = format!("{rest} {value}");
            entries.push(Entry { section: section.clone(), name: name.to_owned(), value, line: index + 1, explained });
        }
    }
    entries
}
