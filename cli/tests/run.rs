//! `redfence run`: exit codes, environment, signals, and the order of commands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use program::{LIMIT, Running, is_free, run, with_nodes, written};
use rustix::process::Signal;
use support::deadline::poll_until;
use support::{RedisServer, servers};

/// Waits until another client has a connection to the node.
fn until_connected(node: &RedisServer) {
    poll_until(LIMIT, || (node.command(&["CLIENT", "LIST"]).lines().count() > 1).then_some(())).unwrap();
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let nodes = servers(3);
    for (command, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 74"], 74),
        (&["sh", "-c", "kill -TERM $$"], 128 + 15),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        (&["redfence-no-such-command"], 127),
        (&["/etc/passwd"], 126),
        (&["/"], 126),
    ] {
        let ran = run(&mut with_nodes(&nodes), &[&["run", "r", "--"], command].concat());
        assert_eq!(ran.code, code, "{command:?}: {ran:?}");
        assert_eq!(ran.stderr.is_empty(), !matches!(code, 126 | 127), "{ran:?}");
    }
    assert!(is_free(&nodes, "r"));
}

#[test]
fn one_node_is_enough_and_time_goes_on_by_renewal() {
    let nodes = servers(1);
    let script = "sleep 3; exit 3";
    let ran = run(&mut with_nodes(&nodes), &["run", "r", "--ttl", "2s", "--", "sh", "-c", script]);
    assert_eq!((ran.code, &*ran.stderr), (3, ""));
}

#[test]
fn who_cannot_have_the_lock_says_why() {
    let mut nodes = servers(3);
    let acquired = run(&mut with_nodes(&nodes), &["acquire", "r", "--label", "first"]);
    assert_eq!(acquired.code, 0, "{acquired:?}");
    for wait in ["0", "100ms"] {
        let ran = run(&mut with_nodes(&nodes), &["run", "r", "--wait", wait, "--", "echo", "ran"]);
        assert_eq!((ran.code, &*ran.stdout), (75, ""), "{ran:?}");
        assert!(ran.stderr.contains("held by another") && ran.stderr.contains("first"), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 4, "one line, and one a node: {ran:?}");
    }
    nodes[0].kill();
    assert_eq!(run(&mut with_nodes(&nodes), &["run", "other", "--", "true"]).code, 0, "two of three are a quorum");
    nodes[1].kill();
    let ran = run(&mut with_nodes(&nodes), &["run", "r", "--wait", "0", "--", "echo", "ran"]);
    assert_eq!((ran.code, &*ran.stdout), (69, ""), "{ran:?}");
}

#[test]
fn the_command_knows_its_lease_and_has_a_group_of_its_own() {
    let nodes = servers(3);
    let script = r#"echo "$REDFENCE_TOKEN"; echo "$REDFENCE_RESOURCE"; echo "$REDFENCE_HOLDER"; echo $$; ps -o pgid= -p $$; cat"#;
    let mut command = with_nodes(&nodes);
    let ran = run(&mut command, &["--json", "run", "a resource", "--label", "it", "--", "sh", "-c", script]);
    let events: Vec<serde_json::Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["acquired", "finished", "released"]);
    let lines: Vec<_> = ran.stdout.lines().map(str::trim).collect();
    assert_eq!(lines[0], events[0]["token"].as_str().unwrap());
    assert_eq!(lines[1], "a resource");
    assert_eq!(lines[2], events[0]["holder"].as_str().unwrap());
    assert_eq!(lines[3], lines[4], "the command leads its group");
}

#[test]
fn signals_go_to_the_whole_group_and_the_lock_is_released() {
    let nodes = servers(3);
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let dir = tempfile::tempdir().unwrap();
        // A child that writes down the signal that it got, and a leader that ends after the child.
        let child = format!("trap \"echo got > child; exit\" {name}; echo up > up; while :; do sleep 0.05; done");
        let leader = format!("trap 'wait; exit 5' {name}; sh -c '{child}' & wait");
        let mut command = with_nodes(&nodes);
        let args = ["run", "r", "--", "sh", "-c", &leader];
        let mut running = Running::start(command.current_dir(dir.path()), &args);
        written(&dir.path().join("up"));
        assert!(!is_free(&nodes, "r"));
        running.signal(signal);
        assert_eq!((running.code(), &*written(&dir.path().join("child"))), (5, "got\n"), "{name}");
        assert!(is_free(&nodes, "r"), "{name}");
    }
}

#[test]
fn ctrl_c_is_the_commands_to_handle_and_ctrl_z_stops_nothing() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let script = "trap 'exit 5' INT; echo up > up; while :; do sleep 0.05; done";
    let mut command = with_nodes(&nodes);
    let mut running = Running::start(command.current_dir(dir.path()), &["run", "r", "--", "sh", "-c", script]);
    written(&dir.path().join("up"));
    running.signal(Signal::TSTP);
    running.signal(Signal::INT);
    assert_eq!(running.code(), 5);
    assert!(running.stderr().contains("still running"));
    assert!(is_free(&nodes, "r"));
}

#[test]
fn a_signal_ends_the_wait_and_leaves_nothing_behind() {
    let nodes = servers(1);
    assert_eq!(run(&mut with_nodes(&nodes), &["acquire", "r", "--ttl", "30s", "--label", "first"]).code, 0);
    for command in [&["run", "r", "--", "true"][..], &["acquire", "r"]] {
        for (signal, code) in [(Signal::TERM, 128 + 15), (Signal::INT, 128 + 2)] {
            let mut waiting = Running::start(&mut with_nodes(&nodes), command);
            until_connected(&nodes[0]);
            waiting.signal(signal);
            assert_eq!(waiting.code(), code, "{command:?}");
            assert!(waiting.stderr().contains("waiting for \"r\""), "{command:?}");
        }
    }
    let status = run(with_nodes(&nodes).arg("--json"), &["status", "r"]).json();
    assert_eq!(status["nodes"][0]["label"], "first");
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_does_not_survive_the_program() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let file = dir.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 600", file.display());
    let mut running = Running::start(&mut with_nodes(&nodes), &["run", "r", "--", "sh", "-c", &script]);
    let stat = format!("/proc/{}/stat", written(&file).trim());
    assert!(Path::new(&stat).exists());
    running.killed();
    // If the process is not collected, it stays listed as a zombie.
    let is_gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    poll_until(LIMIT, || is_gone().then_some(())).unwrap();
}

#[test]
fn commands_take_turns_and_every_token_is_greater_than_the_one_before() {
    const PROCESSES: usize = 4;
    const TURNS: usize = 6;
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    fs::write(dir.path().join("sum"), "0\n").unwrap();
    let script = "mkdir in || echo overlap >> overlaps; n=$(cat sum); echo $REDFENCE_TOKEN >> tokens; \
         echo $((n + 1)) > sum; rmdir in";
    std::thread::scope(|threads| {
        for _ in 0..PROCESSES {
            threads.spawn(|| {
                for _ in 0..TURNS {
                    let mut command = with_nodes(&nodes);
                    let ran = run(command.current_dir(dir.path()), &["run", "sum", "--", "sh", "-c", script]);
                    assert_eq!(ran.code, 0, "{ran:?}");
                }
            });
        }
    });
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    assert_eq!((&*read("overlaps"), read("sum").trim()), ("", &*(PROCESSES * TURNS).to_string()));
    let tokens: Vec<u64> = read("tokens").lines().map(|token| token.parse().unwrap()).collect();
    assert!(tokens.len() == PROCESSES * TURNS && tokens.windows(2).all(|pair| pair[0] < pair[1]), "{tokens:?}");
}

#[test]
fn a_held_lock_ends_with_max_hold() {
    let nodes = servers(1);
    let args = ["run", "r", "--ttl", "1s", "--max-hold", "1500ms", "--", "sleep", "60"];
    let ran = run(&mut with_nodes(&nodes), &args);
    assert!(ran.code == 74 && ran.stderr.contains("--max-hold is 1.5s"), "{ran:?}");
    poll_until(Duration::from_secs(1), || is_free(&nodes, "r").then_some(())).unwrap();
}
