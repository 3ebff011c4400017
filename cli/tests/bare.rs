//! Tests on machines that lack something.
//!
//! `r12` stands for a public bug report: on a system without /proc, or with few file descriptors, programs panicked
//! or blamed the wrong cause.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use std::process::Command;

use program::{Ran, run, urls};
use support::{RedisServer, servers};

/// The program, run by a shell that executes `first` before.
fn after(nodes: &[RedisServer], wrapper: &[&str], first: &str, args: &[&str]) -> Ran {
    let script = format!("{first}; exec \"$@\"");
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).args(["-c", &script, "sh", env!("CARGO_BIN_EXE_redfence")]);
    run(command.env("REDFENCE_NODES", urls(nodes)).env_remove("REDFENCE_LOG"), args)
}

#[test]
fn r12_few_file_descriptors_are_named_and_nothing_panics() {
    let nodes = servers(1);
    let mut fails = 0;
    for limit in 8..=24 {
        for args in [&["run", "r", "--", "echo", "ran"][..], &["status", "r"], &["dev", "--count", "0"], &["doctor"]] {
            let ran = after(&nodes, &["sh"], &format!("ulimit -n {limit}"), args);
            let said = ran.everything();
            assert!(ran.code != 101 && !said.contains("panicked"), "{limit} {args:?}: {ran:?}");
            if args[0] == "run" && ran.code != 0 {
                fails += 1;
                assert!(said.contains("Too many open files") && said.contains("ulimit -n"), "{limit}: {ran:?}");
            }
        }
    }
    assert!(fails > 0, "no limit was low enough");
    assert_eq!(
        after(&nodes, &["sh"], "ulimit -n 24", &["run", "r", "--", "true"]).code,
        0,
        "24 are enough for one node"
    );
}

/// A shell in a file system without /proc.
const WITHOUT_PROC: &str = "mount -t tmpfs none /proc";

fn unshare() -> Vec<&'static str> {
    let as_root: &[_] = if rustix::process::getuid().is_root() { &[] } else { &["--map-root-user"] };
    [&["unshare", "--mount"], as_root, &["sh"]].concat()
}

#[test]
fn r12_without_proc_commands_run_and_are_stopped() {
    let nodes = servers(1);
    for (script, code) in [("exit 3", 3), ("sleep 600 & kill -TERM $$", 128 + 15)] {
        let ran = after(&nodes, &unshare(), WITHOUT_PROC, &["run", "r", "--", "sh", "-c", script]);
        assert_eq!((ran.code, &*ran.stderr), (code, ""), "{script}: {ran:?}");
    }
    let left = ["run", "r", "--", "sh", "-c", "sleep 1 > /dev/null 2>&1 & exit 4"];
    let ran = after(&nodes, &unshare(), WITHOUT_PROC, &left);
    assert!(ran.code == 4 && ran.stderr.contains("/proc does not show them"), "{ran:?}");
}
