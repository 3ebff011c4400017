//! A wait on a terminal shows what it waits for, in one line; in a pipe it shows nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod program;
#[path = "program/pty.rs"]
mod pty;
mod support;

use program::{LIMIT, acquired, run, with_nodes};
use pty::{Pty, has_colour};
use support::deadline::poll_until;
use support::{RedisServer, servers};

const RUN: [&str; 5] = ["run", "r", "--", "echo", "it ran"];

fn release(nodes: &[RedisServer], holder: &str) {
    assert_eq!(run(&mut with_nodes(nodes), &["release", "r", "--holder", holder]).code, 0);
}

#[test]
fn a_wait_shows_the_holder_and_the_place_in_the_queue_and_goes_away() {
    let nodes = servers(3);
    let holder = acquired(&nodes, "r", "30s", "first");
    let mut one = Pty::start(&with_nodes(&nodes), &RUN, (10, 160));
    let screen = one.shows("next of 1 in the queue");
    assert!(screen.contains("s for r: held by") && screen.contains("first for "), "{screen}");
    let mut other = Pty::start(&with_nodes(&nodes), &RUN, (10, 160));
    other.shows("1 before this one, 2 in the queue");
    one.shows("next of 2 in the queue");
    one.until("the time of the holder goes on", |screen| screen.contains("first for 1 s or longer"));
    release(&nodes, &holder);
    for waiting in [&mut one, &mut other] {
        assert_eq!((waiting.code(), waiting.shows("it ran").trim()), (0, "it ran"));
    }
    assert!(!has_colour(&one.bytes()));
}

#[test]
fn the_line_fits_a_narrow_terminal_and_has_no_colour() {
    let nodes = servers(3);
    let holder = acquired(&nodes, "r", "30s", "first");
    let mut command = with_nodes(&nodes);
    command.env("NO_COLOR", "1");
    let mut waiting = Pty::start(&command, &RUN, (10, 30));
    waiting.shows("for r: held by");
    let screen = waiting.until("the line is drawn again", |screen| screen.contains("1 s for r"));
    assert_eq!(screen.trim_end().lines().count(), 1, "{screen}");
    release(&nodes, &holder);
    assert_eq!((waiting.code(), waiting.shows("it ran").trim()), (0, "it ran"));
    assert!(!has_colour(&waiting.bytes()));
}

#[test]
fn nothing_is_shown_in_a_pipe_or_with_json() {
    let nodes = servers(3);
    let holder = acquired(&nodes, "r", "30s", "first");
    let piped = run(&mut with_nodes(&nodes), &["run", "r", "--wait", "1s", "--", "echo", "it ran"]);
    assert!(piped.code == 75 && piped.stderr.starts_with("redfence: held by another"), "{piped:?}");
    let mut command = with_nodes(&nodes);
    let mut json = Pty::start(command.arg("--json"), &RUN, (10, 160));
    let has_joined = || run(with_nodes(&nodes).arg("--json"), &["status", "r"]).json()["nodes"][0]["waiting"] == 1;
    poll_until(LIMIT, || has_joined().then_some(())).unwrap();
    // When this one shows a second, the other one has waited for as long.
    let other = Pty::start(&with_nodes(&nodes), &RUN, (10, 160));
    other.shows("waiting 1 s for r");
    release(&nodes, &holder);
    assert_eq!(json.code(), 0);
    json.shows("released");
    let bytes = json.bytes();
    assert!(!bytes.contains(&0x1b) && !String::from_utf8_lossy(&bytes).contains("held by"), "{bytes:?}");
}
