//! The texts of the program: foreign text is escaped, a node that was not asked is not an outage, a node that forgot
//! is not free, and every fact is said once. Numbers are those of public bug reports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use program::{Ran, call, json, redfence, run, urls, with_nodes};
use redfence::Resource;
use support::{RedisServer, servers};

fn holder(ran: &Ran) -> String {
    ran.json()["holder"].as_str().unwrap().to_owned()
}

/// Characters that change the writing direction, have no width, or have no visible form.
const HOSTILE: &str = "web\u{202e}7\u{200b}\u{2066}\u{feff}\u{3164}x";
/// The same, and characters that names and labels may not have: other programs write them.
const FOREIGN: &str = "a\u{202e}\u{1b}[2J\u{9b}31m\r\nb";

fn assert_clean(what: &str, ran: &Ran) {
    let everything = ran.everything();
    let is_plain = |line: &str| redfence::Printable(line).is_plain();
    assert!(everything.split('\n').all(is_plain), "{what}: {ran:?}");
}

#[test]
fn r13_text_of_others_is_escaped_wherever_it_is_shown() {
    let nodes = servers(3);
    let lease = json(&nodes, &["acquire", HOSTILE, "--label", HOSTILE, "--ttl", "30s"]);
    let holder = holder(&lease);
    assert!(holder.ends_with(HOSTILE), "machines get the value itself: {holder:?}");
    let slot = Resource::new("foreign").unwrap().slot();
    for node in &nodes {
        node.command(&["SET", &format!("{{redfence:{slot}}}:lock:foreign"), FOREIGN]);
        node.command(&[
            "ZADD",
            &format!("{{redfence:{slot}}}:queue:foreign"),
            "1",
            &format!("{:032x}:1:50 {FOREIGN}", 7),
        ]);
    }
    let no_one = "0".repeat(32);
    for args in [
        &["list"][..],
        &["list", "--prefix", HOSTILE],
        &["list", "--prefix", FOREIGN],
        &["status", HOSTILE],
        &["status", "foreign"],
        &["who", HOSTILE],
        &["who", "foreign"],
        &["acquire", HOSTILE, "--wait", "0"],
        &["acquire", "foreign", "--wait", "0"],
        &["run", HOSTILE, "--wait", "0", "--", "true"],
        &["run", "free", "--wait", "0", "--", "no\u{202e}such\u{1b}[2Jcommand"],
        &["extend", HOSTILE, "--holder", &no_one],
        &["extend", "foreign", "--holder", &holder],
        &["release", "foreign", "--holder", &holder],
        &["release", HOSTILE, "--holder", &format!("{no_one} {HOSTILE}")],
        &["force-release", "foreign", "--expect-holder", &holder, "--reason", FOREIGN],
        &["force-release", HOSTILE, "--expect-holder", &no_one, "--reason", FOREIGN],
        &["status", FOREIGN],
        &["status", "x", FOREIGN],
        &["status", "x", &format!("--{FOREIGN}")],
        &[FOREIGN],
        &["release", "x", "--holder", FOREIGN],
        &["acquire", "x", "--label", FOREIGN],
        &["acquire", "x", "--ttl", FOREIGN],
        &["status", "x", "--key-prefix", FOREIGN],
        &["status", "x", "--ca-file", FOREIGN],
        &["status", "x", "--nodes", FOREIGN],
        &["status", "x", "--nodes", &format!("redis://{FOREIGN}:1")],
        &["doctor", "--acl", FOREIGN],
        &["reset", "--all"],
    ] {
        assert_clean(&format!("{args:?}"), &call(&nodes, args));
        assert_clean(&format!("{args:?} -vvv"), &run(with_nodes(&nodes).arg("-vvv"), args));
        assert_clean(&format!("{args:?} --json"), &json(&nodes, args));
    }
    let list = call(&nodes, &["list"]).stdout;
    assert!(list.contains(r"web\u{202e}7\u{200b}\u{2066}\u{feff}\u{3164}x"), "{list}");
    assert_eq!(list.lines().count(), 3, "one line a lock: {list}");
    assert_eq!(json(&nodes, &["status", HOSTILE]).json()["nodes"][0]["label"], HOSTILE);
    assert_clean("reset", &call(&nodes, &["reset", "--all", "--yes"]));
}

#[test]
fn r13_words_of_servers_are_escaped() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        listener.incoming().map_while(Result::ok).for_each(|client| drop(std::thread::spawn(|| refuse(client))))
    });
    let nodes = format!("redis://127.0.0.1:{port}?protocol=resp2");
    for args in
        [&["status", "r"][..], &["who", "r"], &["list"], &["acquire", "r", "--wait", "0"], &["bootstrap"], &["doctor"]]
    {
        for more in [&[][..], &["-vvv"], &["--json"]] {
            let ran = run(redfence().args(["--nodes", &nodes]).args(more), args);
            assert_clean(&format!("{args:?} {more:?}"), &ran);
            // `who` counts votes.
            let says_it = ["status", "list", "acquire"].contains(&args[0]) && more != ["--json"];
            assert!(!says_it || ran.everything().contains(r"you\u{202e} are"), "{args:?}: {ran:?}");
        }
    }
}

/// Answers every command with the same text.
fn refuse(mut client: std::net::TcpStream) {
    use std::io::{Read as _, Write as _};
    let mut bytes = [0; 65_536];
    while let Ok(len @ 1..) = client.read(&mut bytes) {
        // Each command is an array, whose first line begins with a star.
        let commands = bytes[..len].split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"*")).count();
        let words = "-ERR you\u{202e} are\u{9b}31m \u{1b}[2J\u{200b}fooled\r\n".repeat(commands);
        if client.write_all(words.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn r14_contention_on_healthy_nodes_does_not_read_like_an_outage() {
    let mut nodes = servers(3);
    assert_eq!(call(&nodes, &["acquire", "r", "--label", "nightly", "--ttl", "30s"]).code, 0);
    for wait in ["0", "100ms"] {
        for ran in [call(&nodes, &["acquire", "r", "--wait", wait]), json(&nodes, &["acquire", "r", "--wait", wait])] {
            assert_eq!(ran.code, 75, "{ran:?}");
            assert!(ran.stderr.contains("held by another") && ran.stderr.contains("nightly"), "{ran:?}");
            assert!(!ran.stderr.contains("no answer"), "{ran:?}");
        }
    }
    // If one node is down, it is still contention, and that node is named with its reason.
    nodes[2].kill();
    let ran = call(&nodes, &["acquire", "r", "--wait", "100ms"]);
    assert!(ran.code == 75 && ran.stderr.contains("unreachable") && !ran.stderr.contains("no answer"), "{ran:?}");
}

#[test]
fn r15_a_node_that_forgot_does_not_count_as_free() {
    let mut nodes = servers(3);
    nodes[2].restart();
    let free = "free on 2 of 3 nodes, 1 resting";
    let status = call(&nodes, &["status", "r"]);
    assert!(status.code == 0 && status.stdout.contains(free), "{status:?}");
    let who = call(&nodes, &["who", "r"]);
    assert!(who.code == 1 && who.stdout.starts_with(free), "{who:?}");
    let status = json(&nodes, &["status", "r"]).json();
    assert_eq!((&status["agreement"], &status["nodes"][2]["takes_part"]), (&"free".into(), &false.into()));
    let who = json(&nodes, &["who", "r"]).json();
    assert_eq!((&who["free_on"], &who["resting"]), (&2.into(), &1.into()));

    nodes[1].restart();
    let who = json(&nodes, &["who", "r"]);
    assert_eq!(
        (who.code, &who.json()["agreement"]),
        (69, &"unknown".into()),
        "one of three cannot say that it is free"
    );
    let list = call(&nodes, &["list"]);
    assert!(list.code == 69 && !list.stdout.contains("nothing is held"), "{list:?}");
    assert!(list.stderr.contains("rest and may have forgotten locks"), "{list:?}");
    assert_eq!(json(&nodes, &["list"]).json()["partial"]["resting"].as_array().unwrap().len(), 2);
}

#[test]
fn r15_a_node_that_was_emptied_a_moment_ago_is_not_free_either() {
    let nodes = servers(1);
    let other = servers(1);
    let set = format!("{},{}", urls(&nodes), urls(&other));
    nodes[0].command(&["FLUSHALL"]);
    let who = run(redfence().args(["--nodes", &set]), &["who", "r"]);
    assert!(who.code == 69 && who.stdout.contains("free on 1 of 2 nodes, 1 resting"), "{who:?}");
}

#[test]
fn r15_a_list_that_no_node_told_is_an_error() {
    let mut nodes = servers(3);
    nodes.iter_mut().for_each(RedisServer::kill);
    let list = call(&nodes, &["list"]);
    assert_eq!((list.code, &*list.stdout), (69, ""), "{list:?}");
    assert!(list.stderr.contains("none of 3 nodes answered") && list.stderr.contains("unreachable"), "{list:?}");
    let list = json(&nodes, &["list"]);
    assert_eq!((list.code, &*list.stdout), (69, ""), "{list:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&list.stderr).unwrap()["reason"], "no_quorum");
}

#[test]
fn new_servers_with_one_away_get_one_next_step_too() {
    let mut nodes: Vec<_> = (0..3).map(|_| RedisServer::bare()).collect();
    nodes[2].kill();
    let ran = call(&nodes, &["acquire", "r", "--wait", "0"]);
    let next = format!("start {} and run `redfence bootstrap`", nodes[2].url().trim_start_matches("redis://"));
    assert!(ran.code == 69 && ran.stderr.contains(next.trim_end_matches('/')), "{ran:?}");
    let ran = call(&nodes, &["acquire", "r", "--wait", "100ms"]);
    assert!(ran.stderr.contains("This wait ends earlier: use --wait 3"), "{ran:?}");
    // Two nodes answer, and none of them counts.
    let status = call(&nodes, &["status", "r"]);
    assert!(status.code == 69 && status.stdout.contains("2 resting"), "{status:?}");
}

#[test]
fn the_first_use_is_one_short_paragraph_with_one_next_step() {
    let nodes: Vec<_> = (0..5).map(|_| RedisServer::bare()).collect();
    for args in [&["acquire", "r", "--wait", "0"][..], &["run", "r", "--wait", "0", "--", "true"]] {
        let ran = call(&nodes, args);
        assert_eq!((ran.code, ran.stderr.lines().count()), (69, 1), "{ran:?}");
        assert_eq!(ran.stderr.matches("redfence bootstrap").count(), 1, "{ran:?}");
        assert!(ran.stderr.len() < 250 && ran.stderr.contains("take part in"), "{ran:?}");
    }
    // A command that waits gets a note at once, and the outcome at the end.
    let ran = call(&nodes, &["acquire", "r", "--wait", "100ms"]);
    assert_eq!(
        (ran.code, ran.stderr.lines().count(), ran.stderr.matches("redfence bootstrap").count()),
        (69, 2, 1),
        "{ran:?}"
    );
    let ran = json(&nodes, &["acquire", "r", "--wait", "100ms"]);
    let events: Vec<serde_json::Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[1]["reason"]), (&"resting".into(), &"no_quorum".into()), "{ran:?}");
    let doctor = call(&nodes, &["doctor"]);
    assert_eq!(doctor.stdout.matches("redfence bootstrap").count(), 1, "{}", doctor.stdout);
}

#[test]
fn a_refused_bootstrap_does_not_offer_a_reset() {
    let mut nodes = servers(3);
    nodes[1].restart();
    for args in [&["bootstrap"][..], &["acquire", "r", "--wait", "0"], &["doctor"]] {
        let ran = call(&nodes, args);
        assert!(!ran.everything().contains("reset --all"), "{args:?}: {ran:?}");
    }
    let refused = call(&nodes, &["reset", "--all"]);
    assert!(refused.code == 2 && !refused.stderr.contains("--yes"), "{refused:?}");
}

#[test]
fn a_degraded_set_is_said_once_a_command() {
    let mut nodes = servers(3);
    let healthy = call(&nodes, &["run", "r", "--", "true"]);
    assert_eq!((healthy.code, &*healthy.stderr), (0, ""));
    nodes[2].kill();
    let lease = call(&nodes, &["acquire", "r"]);
    let holder = lease.stdout.lines().next().unwrap().strip_prefix("holder     ").unwrap().to_owned();
    for ran in [
        lease,
        call(&nodes, &["extend", "r", "--holder", &holder]),
        call(&nodes, &["release", "r", "--holder", &holder]),
        call(&nodes, &["run", "r", "--", "true"]),
    ] {
        assert_eq!((ran.code, ran.stderr.lines().count()), (0, 1), "{ran:?}");
        assert!(ran.stderr.contains("1 of 3 nodes does not take part: 127.0.0.1:"), "{ran:?}");
    }
    let ran = json(&nodes, &["acquire", "q"]);
    let event: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((&event["event"], event["nodes"].as_array().unwrap().len()), (&"degraded".into(), 1), "{ran:?}");
}

#[test]
fn a_second_release_says_that_it_is_not_held() {
    let nodes = servers(3);
    let holder = holder(&json(&nodes, &["acquire", "r"]));
    assert_eq!(call(&nodes, &["release", "r", "--holder", &holder]).code, 0);
    let id = holder.split_once(' ').unwrap().0;
    for name in [&holder, id] {
        let again = call(&nodes, &["release", "r", "--holder", name]);
        let sentence = "redfence: not held (released before, or expired)\n";
        assert_eq!((again.code, &*again.stderr), (1, sentence), "{again:?}");
    }
    let next = call(&nodes, &["acquire", "r", "--label", "the next"]);
    assert_eq!(next.code, 0);
    let taken = json(&nodes, &["release", "r", "--holder", &holder]);
    assert!(taken.code == 1 && taken.stderr.contains("\"not_held\"") && taken.stderr.contains("the next"), "{taken:?}");
}
