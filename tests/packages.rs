//! Which members of the workspace are published, and what their manifests say for crates.io and docs.rs.
//! `scripts/test` packs them, and limits their sizes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Programs that only the repository needs, and the Python package, which is published as a wheel.
const NOT_PUBLISHED: &[&str] = &[
    "benches",
    "examples/ledger",
    "examples/metrics",
    "examples/migration",
    "examples/mixed-fleet",
    "examples/trace",
    "python",
    "simulations",
];

#[test]
fn only_what_the_repository_needs_is_not_published() {
    let members = members();
    let kept = members.iter().filter(|(_, package)| package["publish"] == serde_json::json!([]));
    let kept: BTreeSet<&str> = kept.map(|(folder, _)| &**folder).collect();
    assert_eq!(kept, BTreeSet::from_iter(NOT_PUBLISHED.iter().copied()), "publish = false is for these members");
    assert!(members.len() - kept.len() >= 10, "too few members were read: {}", members.len());
}

#[test]
fn a_published_member_says_what_it_is() {
    let mut complaints = Vec::new();
    for (folder, package) in members().iter().filter(|(folder, _)| !NOT_PUBLISHED.contains(&&**folder)) {
        let texts = ["description", "license", "readme", "rust_version"];
        let missing = texts.iter().filter(|key| package[**key].as_str().is_none_or(str::is_empty));
        complaints.extend(missing.map(|key| format!("{folder}: Cargo.toml has no {key}")));
        for key in ["keywords", "categories"] {
            // The most that crates.io takes.
            if !(1..=5).contains(&package[key].as_array().map_or(0, Vec::len)) {
                complaints.push(format!("{folder}: Cargo.toml has no {key}, or more than 5"));
            }
        }
        for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
            if !root().join(folder).join(license).exists() {
                complaints.push(format!("{folder}: {license} is missing, so the package would be without it"));
            }
        }
        let has_library = package["targets"].as_array().unwrap().iter().any(|target| target["kind"][0] == "lib");
        if has_library && package["metadata"]["docs"]["rs"]["all-features"] != true {
            complaints.push(format!(
                "{folder}: without all-features = true under package.metadata.docs.rs half is not shown"
            ));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The folder and the manifest of every member.
fn members() -> Vec<(String, Value)> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let mut workspace: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let Value::Array(packages) = workspace["packages"].take() else { return Vec::new() };
    let folder = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some(manifest.parent()?.strip_prefix(root()).ok()?.to_str()?.to_owned())
    };
    packages.into_iter().map(|package| (folder(&package).unwrap(), package)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
