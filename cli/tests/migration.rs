//! The commands and the JavaScript of the migration guides, *after* the change, run as they stand there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test fail as the test does: by panicking")]

mod program;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use program::urls;
use support::{RedisServer, servers};

/// The language and the code of the blocks that stand under *After*.
fn after(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("\nAfter:\n\n```").skip(1);
    blocks.map(|text| text.split_once("\n```").unwrap().0.split_once('\n').unwrap()).collect()
}

/// The servers `a`, `b` and `c` of the pages are those that the test started.
fn on(nodes: &[RedisServer], code: &str) -> String {
    ["a", "b", "c"]
        .iter()
        .zip(nodes)
        .fold(code.to_owned(), |code, (name, node)| code.replace(&format!("redis://{name}:6379"), &node.url()))
}

/// Runs a block with `redfence` on PATH, and the nodes in its environment.
fn run(language: &str, code: &str, nodes: &[RedisServer]) {
    let mut command = match language {
        "sh" => Command::new("sh"),
        _ => Command::new("node"),
    };
    let code = match language {
        "sh" => format!("set -eu\n{code}"),
        _ => format!("(async () => {{\n{code}\n}})().catch((error) => {{ console.error(error); process.exit(1); }});"),
    };
    let binary = Path::new(env!("CARGO_BIN_EXE_redfence")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([binary].into_iter().chain(std::env::split_paths(&path))).unwrap();
    command.args([if language == "sh" { "-c" } else { "-e" }, &code]).stdin(Stdio::null());
    command.env("PATH", path).env("REDFENCE_NODES", urls(nodes)).env_remove("REDFENCE_LOG");
    let ran = command.output().unwrap_or_else(|error| {
        panic!("{language} cannot be run ({error}); on Debian and Ubuntu: apt-get install nodejs")
    });
    assert!(ran.status.success(), "{code}\n{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn every_command_and_all_javascript_of_the_guides_runs() {
    let nodes = servers(3);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/migration");
    let mut pages: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|page| page.unwrap().path()).collect();
    pages.sort();
    let mut count = 0;
    for page in pages {
        let text = on(&nodes, &fs::read_to_string(page).unwrap());
        let blocks: Vec<_> = after(&text).into_iter().filter(|(language, _)| ["sh", "js"].contains(language)).collect();
        // The first block of JavaScript has what the others need.
        let setup = blocks.iter().find(|(language, _)| *language == "js").map_or("", |(_, code)| code);
        for (language, code) in blocks {
            count += 1;
            match language {
                "js" if code != setup => run(language, &format!("{setup}\n{code}"), &nodes),
                _ => run(language, code, &nodes),
            }
        }
    }
    assert!(count >= 10, "too few blocks were read: {count}");
}
