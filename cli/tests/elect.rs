//! `elect`: a command runs on one machine at a time, and on another one as soon as the first fails.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod program;
mod support;

use std::fs;
use std::path::Path;

use program::{LIMIT, Running, run, urls, with_nodes};
use rustix::process::Signal;
use support::deadline::poll_until;
use support::{BadServer, Manner, RedisServer, servers};

/// Notes its term, and runs until it is asked to end.
const LEADS: &str = "echo $REDFENCE_TOKEN >> terms; trap 'exit 0' TERM; while :; do sleep 0.02; done";

fn candidate(nodes: &[RedisServer], dir: &Path, script: &str) -> Running {
    let args = ["elect", "r", "--ttl", "2s", "--", "sh", "-c", script];
    Running::start(with_nodes(nodes).current_dir(dir), &args)
}

/// The terms, once there are at least `count`.
fn terms(dir: &Path, count: usize) -> Vec<u64> {
    let read = || fs::read_to_string(dir.join("terms")).unwrap_or_default();
    let terms = || read().lines().map(|term| term.parse().unwrap()).collect::<Vec<u64>>();
    poll_until(LIMIT, || Some(terms()).filter(|terms| terms.len() >= count))
        .unwrap_or_else(|limit| panic!("no {count} terms after {limit:?}: {:?}", terms()))
}

fn status(nodes: &[RedisServer]) -> serde_json::Value {
    run(with_nodes(nodes).arg("--json"), &["status", "r"]).json()
}

#[test]
fn one_leads_and_the_next_takes_over_with_a_greater_term() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    let mut first = candidate(&nodes, dir.path(), LEADS);
    terms(dir.path(), 1);
    let mut second = candidate(&nodes, dir.path(), LEADS);
    poll_until(LIMIT, || (status(&nodes)["nodes"][0]["waiting"] == 1).then_some(())).unwrap();
    assert_eq!(terms(dir.path(), 1).len(), 1, "the second waits");
    first.signal(Signal::KILL);
    first.killed();
    terms(dir.path(), 2);
    let third = candidate(&nodes, dir.path(), LEADS);
    poll_until(LIMIT, || (status(&nodes)["nodes"][0]["waiting"] == 1).then_some(())).unwrap();
    second.signal(Signal::TERM);
    assert_eq!(second.code(), 0, "the command ended as it was asked to, and no campaign followed");
    let terms = terms(dir.path(), 3);
    assert!(terms.windows(2).all(|two| two[0] < two[1]), "{terms:?}");
    drop(third);
}

#[test]
fn a_lost_lease_stops_the_command_and_the_campaign_begins_again() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    let _leader = candidate(&nodes, dir.path(), LEADS);
    terms(dir.path(), 1);
    let holder = status(&nodes)["holder"].as_str().unwrap().to_owned();
    let args = ["force-release", "r", "--expect-holder", &holder, "--reason", "a test"];
    assert_eq!(run(&mut with_nodes(&nodes), &args).code, 0);
    let terms = terms(dir.path(), 2);
    assert!(terms[0] < terms[1], "{terms:?}");
}

#[test]
fn a_command_that_fails_is_started_again_and_one_that_is_done_ends_it() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    let script = "echo $REDFENCE_TOKEN >> terms; [ $(wc -l < terms) -lt 3 ] && exit 7; exit 0";
    let mut leader = candidate(&nodes, dir.path(), script);
    assert_eq!(leader.code(), 0);
    let stderr = leader.stderr();
    assert!(stderr.contains("the command ended with 7; this machine campaigns for \"r\" again in 1s"), "{stderr}");
    assert!(stderr.contains("again in 2s"), "{stderr}");
    assert_eq!(terms(dir.path(), 3).len(), 3);
    assert_eq!(status(&nodes)["agreement"], "free");
}

#[test]
fn a_signal_ends_the_campaign_and_what_cannot_run_ends_it_too() {
    let nodes = servers(3);
    assert_eq!(run(&mut with_nodes(&nodes), &["acquire", "r", "--ttl", "30s"]).code, 0);
    let mut waiting = candidate(&nodes, Path::new("/"), LEADS);
    poll_until(LIMIT, || (status(&nodes)["nodes"][0]["waiting"] == 1).then_some(())).unwrap();
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.code(), 128 + 15);
    assert_eq!(run(&mut with_nodes(&nodes), &["elect", "other", "--", "redfence-no-such-command"]).code, 127);
}

#[test]
fn a_candidate_waits_for_nodes_that_are_down() {
    let (mut nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    let urls = urls(&nodes);
    nodes.iter_mut().for_each(RedisServer::kill);
    let mut command = program::redfence();
    let args = ["--json", "elect", "r", "--max-ttl", "2s", "--ttl", "2s", "--", "sh", "-c", LEADS];
    let mut candidate = Running::start(command.env("REDFENCE_NODES", urls).current_dir(dir.path()), &args);
    let resigned = candidate.events().expect("resigned");
    assert!(resigned["reason"].as_str().unwrap().contains("no quorum"), "{resigned}");
    nodes.iter_mut().for_each(RedisServer::restart);
    terms(dir.path(), 1);
}

#[test]
fn a_candidate_says_that_nodes_are_silent_and_leads_once_they_answer() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    let slow: Vec<_> = nodes.iter().map(|server| BadServer::in_front_of(server.port())).collect();
    slow.iter().for_each(|server| server.turn(Manner::Silent));
    let mut command = program::redfence();
    command.env("REDFENCE_NODES", slow.iter().map(BadServer::url).collect::<Vec<_>>().join(","));
    let args = ["--json", "elect", "r", "--", "sh", "-c", LEADS];
    let mut candidate = Running::start(command.current_dir(dir.path()), &args);
    let resigned = candidate.events().expect("resigned");
    assert!(resigned["reason"].as_str().unwrap().contains("no quorum"), "{resigned}");
    slow.iter().for_each(|server| server.turn(Manner::Well));
    terms(dir.path(), 1);
}
