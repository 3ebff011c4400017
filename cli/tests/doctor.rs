//! The doctor on the command line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod program;
mod support;

use program::{redfence, run, with_nodes};
use support::{RedisServer, servers};

#[test]
fn five_healthy_servers_are_healthy() {
    let nodes = servers(5);
    let ran = run(&mut with_nodes(&nodes), &["doctor"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // Servers before Redis 7 cannot report what a user may do.
    let said = if nodes[0].is_redis_7() { "healthy\n" } else { "healthy, 5 could not be checked\n" };
    assert!(ran.stdout.starts_with(said), "{}", ran.stdout);
}

#[test]
fn what_is_bad_is_named_with_its_risk_and_its_fix() {
    let nodes = servers(3);
    nodes[1].command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let ran = run(&mut with_nodes(&nodes), &["doctor"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in
        ["1 thing is bad", "maxmemory-policy allkeys-lru", "risk: ", "fix: CONFIG SET maxmemory-policy noeviction"]
    {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let ran = run(&mut with_nodes(&nodes), &["doctor", "--json"]);
    let diagnosis = ran.json();
    assert_eq!((&diagnosis["healthy"], &diagnosis["quorum"]), (&false.into(), &true.into()));
    let findings = diagnosis["findings"].as_array().unwrap();
    let bad: Vec<_> = findings.iter().filter(|finding| finding["result"] == "bad").collect();
    assert!(bad.len() == 1 && bad[0]["check"] == "eviction" && bad[0]["fix"].is_string(), "{bad:?}");
}

#[test]
fn one_server_under_two_urls_is_examined_and_not_refused() {
    let node = RedisServer::start();
    let urls = format!("redis://127.0.0.1:{port},redis://localhost:{port}", port = node.port());
    let ran = run(&mut redfence(), &["doctor", "--nodes", &urls]);
    assert_eq!(ran.code, 69, "one server under two names is one vote of two: {ran:?}");
    assert!(ran.stdout.contains("the same server as 127.0.0.1"), "{}", ran.stdout);
}

#[test]
fn without_a_quorum_the_exit_code_says_so() {
    let mut nodes = servers(3);
    nodes[0].kill();
    nodes[1].kill();
    let ran = run(&mut with_nodes(&nodes), &["doctor"]);
    assert_eq!(ran.code, 69, "{ran:?}");
    assert!(ran.stdout.starts_with("no quorum of nodes takes part"), "{}", ran.stdout);
}

#[test]
fn the_rule_for_a_user_is_printed_without_any_node() {
    let ran = run(&mut redfence(), &["doctor", "--acl", "app", "--key-prefix", "shop"]);
    assert!(
        ran.code == 0 && ran.stdout.starts_with("ACL SETUSER app on >PASSWORD resetkeys ~shop:node ~{shop:*}:*"),
        "{ran:?}"
    );
}
