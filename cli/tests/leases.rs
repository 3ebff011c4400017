//! Leases for scripts: acquire, extend, release, status.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use program::{LIMIT, redfence, run, urls, with_nodes};
use serde_json::Value;
use support::deadline::poll_until;
use support::{RedisServer, servers};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_lease_goes_from_hand_to_hand() {
    let nodes = servers(3);
    let call = |args: &[&str]| run(with_nodes(&nodes).arg("--json"), args);
    assert_eq!(call(&["status", "r"]).json()["agreement"], "free");

    let acquired = call(&["acquire", "r", "--label", "nightly job", "--ttl", "20s"]).json();
    let (holder, token) = (text(&acquired["holder"]), text(&acquired["token"]));
    assert!(token.parse::<u64>().unwrap() > 0 && holder.ends_with(" nightly job"));
    assert!((19_000..20_000).contains(&acquired["valid_for_ms"].as_u64().unwrap()), "{acquired}");
    assert_eq!(acquired["nodes"].as_array().unwrap().len(), 3);

    let status = call(&["status", "r"]).json();
    assert_eq!(
        (&status["agreement"], &status["holder"], &status["needed"]),
        (&"held".into(), &holder.into(), &2.into())
    );
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!((&node["holder"], &node["label"]), (&holder.into(), &"nightly job".into()));
        assert!(node["ttl_left_ms"].as_u64().unwrap() <= 20_000 && text(&node["counter"]) >= "1");
    }

    let (id, _) = holder.split_once(' ').unwrap();
    for name in [holder, id] {
        let extended = call(&["extend", "r", "--holder", name, "--ttl", "30s"]);
        assert_eq!(extended.code, 0, "{extended:?}");
        assert!(extended.json()["valid_for_ms"].as_u64().unwrap() > 20_000);
    }
    let refused = call(&["acquire", "r", "--wait", "0"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    let refusal: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!((&refusal["event"], &refusal["reason"]), (&"failed".into(), &"contended".into()));
    assert!(refused.stderr.contains("nightly job") && !refused.stderr.contains(id), "ids are shortened: {refused:?}");

    let released = call(&["release", "r", "--holder", id]);
    assert_eq!((released.code, &released.json()["released"]), (0, &true.into()));
    assert_eq!(call(&["status", "r"]).json()["agreement"], "free");
    for name in [holder, id] {
        assert_eq!(call(&["release", "r", "--holder", name]).code, 1);
        assert_eq!(call(&["extend", "r", "--holder", name]).code, 74);
    }
    let refused = call(&["extend", "r", "--holder", holder]).stderr;
    assert!(refused.contains("`redfence status` shows what each node has now"), "{refused}");
}

#[test]
fn a_wrong_declaration_of_durability_is_shown_though_no_log_was_asked_for() {
    let nodes = servers(1);
    let said = |args: &[&str]| run(&mut with_nodes(&nodes), args).stderr;
    let (declared, undeclared) = (said(&["--durable", "status", "r"]), said(&["status", "r"]));
    assert!(declared.contains("declared durable, but appendfsync is not always"), "{declared}");
    assert!(!undeclared.contains("durable"), "{undeclared}");
}

#[test]
fn a_lease_that_another_has_taken_is_not_held_any_more_and_says_by_whom() {
    let nodes = servers(1);
    let old = run(with_nodes(&nodes).arg("--json"), &["acquire", "r", "--ttl", "300ms"]).json();
    let new = run(with_nodes(&nodes).arg("--json"), &["acquire", "r", "--wait", "10s", "--label", "successor"]);
    assert_eq!(new.code, 0, "{new:?}");
    let token = |lease: &Value| text(&lease["token"]).parse::<u64>().unwrap();
    assert!(token(&new.json()) > token(&old));

    let released = run(&mut with_nodes(&nodes), &["release", "r", "--holder", text(&old["holder"])]);
    assert!(released.code == 1 && released.stderr.contains("successor"), "{released:?}");
    assert_eq!(run(with_nodes(&nodes).arg("--json"), &["status", "r"]).json()["holder"], new.json()["holder"]);
}

#[test]
fn people_get_lines_and_can_copy_the_holder() {
    let nodes = servers(3);
    let acquired = run(&mut with_nodes(&nodes), &["acquire", "r", "--label", "me"]);
    assert!(!acquired.stdout.contains('\u{1b}'), "no colour in a pipe: {acquired:?}");
    let words: Vec<_> = acquired.stdout.lines().map(|line| line.split_once("  ").unwrap().0).collect();
    assert_eq!(words, ["holder", "token", "valid for"]);
    let holder = acquired.stdout.lines().next().unwrap().trim_start_matches("holder").trim();

    // A quorum has the lock when `acquire` ends, and has lost it when `release` ends. The third node may be later.
    let status = run(&mut with_nodes(&nodes), &["status", "r"]);
    let held = ["on 2 of 3 nodes", "on 3 of 3 nodes"].iter().any(|on| status.stdout.contains(on));
    assert!(status.stdout.contains(holder) && held, "{}", status.stdout);
    assert_eq!(run(&mut with_nodes(&nodes), &["release", "r", "--holder", holder]).code, 0);
    let status = run(&mut with_nodes(&nodes), &["status", "r"]);
    assert!(["free on 2 of 3", "free on 3 of 3"].iter().any(|on| status.stdout.contains(on)), "{}", status.stdout);
}

#[test]
fn nodes_are_named_before_or_after_the_command_or_in_the_environment() {
    let nodes = servers(1);
    let urls = urls(&nodes);
    for (environment, args) in [
        ("redis://127.0.0.1:1", &["--nodes", &urls, "status", "r"][..]),
        ("redis://127.0.0.1:1", &["status", "r", "--nodes", &urls]),
        (&urls, &["status", "r"]),
    ] {
        let status = run(redfence().env("REDFENCE_NODES", environment), args);
        assert!(status.code == 0 && status.stdout.contains("free on 1 of 1 nodes"), "{args:?}: {status:?}");
    }
}

#[test]
fn status_shows_who_does_not_answer() {
    let mut nodes = servers(3);
    nodes[1].kill();
    let status = run(with_nodes(&nodes).arg("--json"), &["status", "r"]);
    assert_eq!((status.code, &status.json()["agreement"]), (0, &"free".into()));
    assert!(text(&status.json()["nodes"][1]["error"]).contains("unreachable"));

    nodes[2].kill();
    let status = run(&mut with_nodes(&nodes), &["status", "r"]);
    assert_eq!(status.code, 69);
    assert!(status.stdout.contains("no majority") && status.stdout.matches("unreachable").count() == 2, "{status:?}");
    let holder = "0".repeat(32);
    for args in [&["acquire", "r"][..], &["release", "r", "--holder", &holder], &["extend", "r", "--holder", &holder]] {
        let ran = run(&mut with_nodes(&nodes), args);
        assert!(ran.code == 69 && ran.stderr.starts_with("redfence: no quorum: 1 of 3 nodes"), "{args:?}: {ran:?}");
        assert_eq!(ran.stderr.lines().count(), 3, "one line, and one a node: {ran:?}");
    }
}

#[test]
fn a_password_is_used_and_never_shown() {
    let node = RedisServer::with(&["--requirepass", "hunter2"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", node.port());
    for (password, code) in [("hunter2", 0), ("hunter3", 69)] {
        for args in [&["acquire", "r", "--ttl", "100ms"][..], &["status", "r"], &["run", "r", "-vvv", "--", "true"]] {
            let ran = run(redfence().env("REDFENCE_NODES", url(password)), args);
            assert_eq!(ran.code, code, "{args:?}: {ran:?}");
            assert!(!ran.everything().contains("hunter"), "{args:?}: {ran:?}");
        }
    }
}

#[test]
fn a_lease_whose_token_was_not_read_is_released() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let nodes = servers(1);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut acquire = with_nodes(&nodes);
    let status = acquire.args(["acquire", "r"]).stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    poll_until(LIMIT, || nodes[0].command(&["KEYS", "*lock*"]).trim().is_empty().then_some(())).unwrap();
}
