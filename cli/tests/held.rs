//! `run --if-held`: what is done while another holds the lock.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod program;
mod support;

use program::{LIMIT, Ran, Running, acquired, run, with_nodes};
use support::deadline::poll_until;
use support::{RedisServer, servers};

fn tries(nodes: &[RedisServer], flags: &[&str]) -> Ran {
    run(&mut with_nodes(nodes), &[&["run", "r"], flags, &["--", "echo", "ran"]].concat())
}

#[test]
fn one_word_says_what_is_done_while_another_holds_it() {
    let nodes = servers(3);
    let holder = acquired(&nodes, "r", "30s", "first");
    for (flags, code, told) in [
        (&["--if-held", "fail"][..], 75, "held by another after 1 attempt"),
        (&["--if-held", "skip"], 0, "skipped: \"r\" is held by another after 1 attempt"),
        (&["--if-held", "skip", "--wait", "300ms"], 0, "skipped: \"r\" is held by another after"),
        (&["--if-held", "wait", "--wait", "300ms"], 75, "held by another after"),
        (&["--wait", "300ms", "-E", "9"], 9, "held by another"),
        (&["--if-held", "fail", "-E", "9"], 9, "held by another"),
        (&["--if-held", "skip", "-E", "9"], 0, "skipped"),
        (&["--if-held", "fail", "--wait", "1s"], 2, "leave one of them out"),
        (&["--if-held", "never"], 2, "possible values: fail, wait, skip"),
    ] {
        let ran = tries(&nodes, flags);
        assert_eq!((ran.code, &*ran.stdout), (code, ""), "{flags:?}: {ran:?}");
        assert!(ran.stderr.contains(told), "{flags:?}: {ran:?}");
    }
    let skipped = run(with_nodes(&nodes).arg("--json"), &["run", "r", "--if-held", "skip", "--", "echo", "ran"]);
    assert!(skipped.code == 0 && skipped.stderr.starts_with(r#"{"event":"skipped","resource":"r""#), "{skipped:?}");

    let mut waiting =
        Running::start(&mut with_nodes(&nodes), &["run", "r", "--if-held", "wait", "--", "sh", "-c", "exit 5"]);
    let has_joined = || run(with_nodes(&nodes).arg("--json"), &["status", "r"]).json()["nodes"][0]["waiting"] == 1;
    let waits = poll_until(LIMIT, || has_joined().then_some(()));
    assert!(waits.is_ok(), "it waits");
    assert_eq!(run(&mut with_nodes(&nodes), &["release", "r", "--holder", &holder]).code, 0);
    assert_eq!(waiting.code(), 5);
}

#[test]
fn a_lock_that_is_free_is_never_skipped_and_an_outage_is_not_held() {
    let mut nodes = servers(3);
    for word in ["fail", "wait", "skip"] {
        assert_eq!(tries(&nodes, &["--if-held", word]).stdout, "ran\n", "{word}");
    }
    nodes.iter_mut().take(2).for_each(RedisServer::kill);
    for word in ["fail", "skip"] {
        let ran = tries(&nodes, &["--if-held", word]);
        assert_eq!((ran.code, &*ran.stdout), (69, ""), "{ran:?}");
    }
}
