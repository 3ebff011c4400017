//! S25: if the lease is lost, the command is stopped before another holder can exist.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use std::time::Duration;

use program::{LIMIT, Running, with_nodes};
use redfence::{Clock as _, SystemClock};
use support::deadline::poll_until;
use support::{RedisServer, servers};

const TTL: Duration = Duration::from_secs(2);

/// Hangs all servers while `command` runs, and returns the later events.
fn events_of_a_loss(command: &[&str], expected: &[&str]) -> Vec<serde_json::Value> {
    let nodes = servers(3);
    let args = [&["--json", "run", "r", "--ttl", "2s", "--"], command].concat();
    let mut running = Running::start(&mut with_nodes(&nodes), &args);
    let mut events = running.events();
    events.expect("acquired");
    nodes.iter().for_each(RedisServer::pause);
    let paused = SystemClock.now();

    let mut seen = Vec::new();
    for name in expected {
        seen.push(events.expect(name));
        if *name == "finished" {
            // No renewal succeeds after the pause begins, so no lock lives longer than this.
            let took = SystemClock.now().since(paused);
            assert!(took < TTL, "the command ended {took:?} after the servers hung");
        }
    }
    assert_eq!(running.code(), 74);
    nodes.iter().for_each(RedisServer::resume);
    seen
}

#[test]
fn s25_the_command_is_stopped_when_the_lease_is_lost() {
    let events = events_of_a_loss(&["sleep", "60"], &["terminating", "finished", "lost", "failed"]);
    assert_eq!(events[1]["signal"], 15, "SIGTERM is enough for this one");
    assert!(events[0]["kill_in_ms"].as_u64() < events[0]["left_ms"].as_u64());
    assert!(events[2]["token"].is_string());
}

#[test]
fn s25_a_command_that_ignores_sigterm_is_killed_before_the_end() {
    let stubborn = "trap '' TERM; while :; do sleep 0.05; done";
    let expected = ["terminating", "killing", "finished", "lost", "failed"];
    let events = events_of_a_loss(&["sh", "-c", stubborn], &expected);
    assert_eq!(events[2]["signal"], 9);
}

#[test]
fn s25_what_the_command_left_running_is_killed_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("beats");
    // The leader ends at SIGTERM. Its child ignores it and would keep writing.
    let script = format!("(trap '' TERM; while :; do echo beat >> {}; sleep 0.02; done) & sleep 60", file.display());
    events_of_a_loss(&["sh", "-c", &script], &["terminating", "killing", "finished", "lost", "failed"]);
    let beats = std::fs::read_to_string(&file).unwrap();
    let quiet =
        poll_until(Duration::from_millis(300), || (std::fs::read_to_string(&file).unwrap() != beats).then_some(()));
    assert!(quiet.is_err(), "something still writes");
}

#[test]
fn s25_a_lock_that_vanishes_from_the_nodes_ends_the_command_at_once() {
    let nodes = servers(3);
    let args = ["--json", "run", "r", "--ttl", "2s", "--", "sleep", "60"];
    let mut running = Running::start(&mut with_nodes(&nodes), &args);
    let mut events = running.events();
    events.expect("acquired");
    for node in &nodes {
        // A grant that arrives late would set the lock again.
        poll_until(LIMIT, || node.keys().iter().any(|key| key.contains(":lock:")).then_some(())).unwrap();
        node.command(&["FLUSHALL"]);
    }
    for name in ["killing", "finished", "lost", "failed"] {
        events.expect(name);
    }
    assert_eq!(running.code(), 74);
}
