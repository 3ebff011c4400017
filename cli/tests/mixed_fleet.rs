//! Locks under plain names, as other clients use them, and the anchor: what the commands do and say.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use program::{Ran, redfence, run, with_nodes};
use support::{RedisServer, servers};

fn call(nodes: &[RedisServer], args: &[&str]) -> Ran {
    run(with_nodes(nodes).args(["--key-style", "plain:redlock:"]), args)
}

#[test]
fn a_foreign_lock_is_shown_as_one_and_named_if_it_never_ends() {
    let nodes = servers(3);
    nodes.iter().for_each(|node| drop(node.command(&["SET", "redlock:job", "of pottery", "NX", "PX", "60000"])));
    let held = call(&nodes, &["acquire", "job", "--wait", "0"]);
    assert!(held.code == 75 && held.stderr.contains("held by a foreign client (\"of pottery\") for"), "{held:?}");
    for command in ["who", "status"] {
        let shown = call(&nodes, &[command, "job"]);
        assert!(shown.stdout.contains("a foreign client (\"of pottery\")"), "{command}: {shown:?}");
    }
    nodes.iter().for_each(|node| drop(node.command(&["PERSIST", "redlock:job"])));
    let endless = call(&nodes, &["acquire", "job", "--wait", "0"]);
    assert_eq!(endless.code, 75, "{endless:?}");
    for part in ["held without a time to live by a foreign client", "it never ends by itself", "delete the lock's key"]
    {
        assert!(endless.stderr.contains(part), "{part}: {endless:?}");
    }
    nodes.iter().for_each(|node| drop(node.command(&["DEL", "redlock:job"])));
    assert_eq!(call(&nodes, &["acquire", "job", "--wait", "0"]).code, 0);
    let listed = call(&nodes, &["list"]);
    assert!(listed.code == 0 && listed.stdout.contains("job"), "{listed:?}");
}

#[test]
fn the_anchor_is_named_by_its_place() {
    let mut nodes = servers(3);
    nodes[1].command(&["SET", "redlock:job", "of a client of one node", "NX", "PX", "60000"]);
    assert_eq!(call(&nodes, &["acquire", "job", "--wait", "0", "--anchor", "2"]).code, 75);
    assert_eq!(call(&nodes, &["acquire", "job", "--wait", "0", "--anchor", "1"]).code, 0);

    nodes[0].kill();
    let named = format!("among them the anchor, 127.0.0.1:{}", nodes[0].port());
    let held = call(&nodes, &["acquire", "another", "--wait", "0", "--anchor", "1"]);
    assert!(
        held.code == 69 && held.stderr.contains(&format!("2 of 3 nodes could be reached, 2 are needed, {named}")),
        "{held:?}"
    );
    let shown = call(&nodes, &["status", "another", "--anchor", "1"]);
    assert!(shown.code == 69 && shown.stdout.contains(&format!("2 must agree, {named}")), "{shown:?}");
    assert_eq!(call(&nodes, &["status", "another", "--anchor", "2"]).code, 0);
}

#[test]
fn a_fleet_grows_at_once_if_its_new_nodes_were_declared() {
    let mut nodes = servers(1);
    nodes.extend((0..2).map(|_| RedisServer::bare()));
    let declared = run(&mut with_nodes(&nodes[1..]), &["bootstrap"]);
    assert_eq!(declared.code, 0, "{declared:?}");
    let grown = run(&mut with_nodes(&nodes), &["acquire", "job", "--wait", "0", "--anchor", "1"]);
    assert_eq!(grown.code, 0, "{grown:?}");
}

#[test]
fn contradictions_name_the_fix() {
    for (args, part) in [
        (&["status", "r", "--nodes", "redis://h", "--key-style", "simple"][..], "plain:PREFIX{}SUFFIX"),
        (&["status", "r", "--nodes", "redis://h", "--anchor", "0"], "0 is not in 1..=32"),
        (&["acquire", "r", "--nodes", "redis://h", "--anchor", "2"], "node 2 cannot be the anchor"),
    ] {
        let ran = run(&mut redfence(), args);
        assert!(ran.code == 2 && ran.stderr.contains(part), "{args:?}: {part}: {ran:?}");
    }
    let rule = run(&mut redfence(), &["doctor", "--acl", "app", "--key-style", "plain:redlock:"]);
    assert!(rule.stdout.contains(" ~{redfence:*}:* ~redlock:* resetchannels"), "{rule:?}");
}
