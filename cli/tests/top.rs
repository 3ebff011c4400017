//! `top` at a terminal, and `watch` in a pipe.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod program;
#[path = "program/pty.rs"]
mod pty;
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use program::{LIMIT, Running, acquired, run, with_nodes};
use pty::{Pty, has_colour};
use serde_json::Value;
use support::deadline::poll_until;
use support::servers;

#[cfg(feature = "top")]
#[test]
fn top_shows_nodes_locks_and_waiters_follows_changes_and_resizes() {
    let mut nodes = servers(3);
    let holder = acquired(&nodes, "invoice:1", "30s", "first");
    acquired(&nodes, "invoice:2\u{202e}", "30s", "second");
    let _waiting = Running::start(&mut with_nodes(&nodes), &["run", "invoice:1", "--label", "third", "--", "true"]);
    let mut top = Pty::start(&with_nodes(&nodes), &["top", "--every", "100ms"], (16, 110));
    let screen = top.until("the waiter", |screen| screen.contains("third") && screen.contains("q ends"));
    println!("{screen}");
    for text in ["3 of 3 nodes ready, 2 needed", "2 locks", "invoice:1", "first", "second", "3 of 3", "q ends", "ready"]
    {
        assert!(screen.contains(text), "{text}:\n{screen}");
    }
    let line = screen.lines().find(|line| line.starts_with("invoice:1")).unwrap();
    assert!(line.split_whitespace().rev().take(2).eq(["third", "1"]), "how many wait, and the next: {line}");
    assert!(screen.contains(r"invoice:2\u{202e}"), "names of others are escaped:\n{screen}");
    assert!(top.is_alternate() && has_colour(&top.bytes()));

    top.resize(12, 60);
    let screen = top.until("all of it on the smaller screen", |screen| {
        screen.starts_with("redfence   3 of 3 nodes ready")
            && screen.lines().nth(11).is_some_and(|line| line.contains("q ends"))
    });
    println!("{screen}");
    let line = screen.lines().find(|line| line.starts_with("invoice:1 ")).unwrap_or_else(|| panic!("{screen}"));
    assert!(line.contains("first") && line.trim_end().ends_with(" 1"), "what is too wide is left out: {line}");
    assert!(screen.contains(&nodes[0].url()["redis://".len()..]), "{screen}");

    assert_eq!(run(&mut with_nodes(&nodes), &["release", "invoice:1", "--holder", &holder]).code, 0);
    top.until("the lock is gone", |screen| screen.contains("1 lock") && !screen.contains("invoice:1"));
    nodes[0].kill();
    let screen =
        top.until("the outage", |screen| screen.contains("2 of 3 nodes ready") && screen.contains("this is not all"));
    println!("{screen}");
    top.types("q");
    assert_eq!(top.code(), 0);
    top.leaves_alternate();
}

#[cfg(feature = "top")]
#[test]
fn top_moves_through_many_locks_without_colour_and_ends_with_ctrl_c() {
    let nodes = servers(3);
    let mut held: Vec<_> = (10..40)
        .map(|n| {
            with_nodes(&nodes)
                .args(["acquire", &format!("r{n}"), "--ttl", "30s"])
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    held.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    let mut command = with_nodes(&nodes);
    command.env("NO_COLOR", "1");
    let mut top = Pty::start(&command, &["top", "--prefix", "r"], (14, 100));
    top.until("the first", |screen| screen.contains("30 locks under \"r\"") && screen.contains("r10 "));
    top.types("j");
    top.until("one line on", |screen| !screen.contains("r10 ") && screen.contains("r11 "));
    top.types("\x1b[F");
    top.until("the last", |screen| screen.contains("r39 ") && !screen.contains("r11 "));
    top.types("\x1b[5~");
    top.until("a page back", |screen| !screen.contains("r39 "));
    top.types("\x1b[H");
    top.until("the first again", |screen| screen.contains("r10 "));
    assert!(!has_colour(&top.bytes()));
    top.types("\x03");
    assert_eq!(top.code(), 0);
    top.leaves_alternate();
}

#[cfg(feature = "top")]
#[test]
fn top_needs_a_terminal_and_says_what_scripts_use() {
    let nodes = servers(1);
    let ran = run(&mut with_nodes(&nodes), &["top"]);
    assert!(ran.code == 2 && ran.stderr.contains("redfence list --json"), "{ran:?}");
}

#[test]
fn watch_prints_a_line_for_every_change_and_no_other() {
    let nodes = servers(3);
    let mut command = with_nodes(&nodes);
    command.args(["--json", "watch", "r", "--every", "50ms"]).stdout(Stdio::piped());
    let mut watching = command.spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["agreement"], "free");
    // It is held for a third of a second at least: the watch cannot miss it. A renewal every 50 ms changes nothing.
    let held = ["run", "r", "--ttl", "400ms", "--label", "first", "--", "sh", "-c", "read line"];
    let mut command = with_nodes(&nodes);
    let mut holder = command.args(held).stdin(Stdio::piped()).spawn().unwrap();
    let line = next();
    assert_eq!((&line["agreement"], &line["label"], &line["waiting"]), (&"held".into(), &"first".into(), &0.into()));
    let _waiting = Running::start(&mut with_nodes(&nodes), &["run", "r", "--label", "second", "--", "sleep", "1"]);
    let line = next();
    assert_eq!((&line["label"], &line["waiting"], &line["next"]), (&"first".into(), &1.into(), &"second".into()));
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().code().is_some());
    let line = poll_until(LIMIT, || Some(next()).filter(|line| line["label"] == "second")).unwrap();
    assert!(line["waiting"] == 0 && line["at_ms"].as_u64().unwrap() > 1_700_000_000_000, "{line}");
    watching.kill().unwrap();
    watching.wait().unwrap();
    let once = run(&mut with_nodes(&nodes), &["watch", "other", "--for", "200ms"]);
    assert!(once.code == 0 && once.stdout.lines().count() == 1, "{once:?}");
    assert!(once.stdout.trim_end().ends_with("Z free on 3 of 3 nodes; none waits"), "{once:?}");
}
