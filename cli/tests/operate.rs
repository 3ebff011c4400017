//! The commands of operators: bootstrap, status, list, force-release, reset.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use program::{LIMIT, Running, call, json, redfence, run, with_nodes};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use support::deadline::poll_until;
use support::{RedisServer, servers};

fn bare(count: usize) -> Vec<RedisServer> {
    (0..count).map(|_| RedisServer::bare()).collect()
}

#[test]
fn a_new_installation_says_why_it_rests_and_takes_part_after_bootstrap() {
    let nodes = bare(5);
    let early = call(&nodes, &["acquire", "r", "--wait", "0"]);
    assert_eq!(early.code, 69, "{early:?}");
    for part in ["no quorum: 5 of 5 nodes rest", "take part in 3", "redfence bootstrap"] {
        assert!(early.stderr.contains(part), "{part}: {early:?}");
    }
    let initialized = call(&nodes, &["bootstrap"]);
    assert!(initialized.code == 0 && initialized.stdout.contains("initialized: 5 of 5 nodes"), "{initialized:?}");
    assert_eq!(initialized.stdout.matches("takes part from now on").count(), 5, "{initialized:?}");
    assert_eq!(call(&nodes, &["acquire", "r", "--wait", "0"]).code, 0);

    let again = json(&nodes, &["bootstrap"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.json()["nodes"].as_array().unwrap().iter().all(|node| node["was_ready"] == true), "{again:?}");
}

#[test]
fn a_new_installation_takes_part_by_itself_after_a_while() {
    let nodes = bare(3);
    let acquired = call(&nodes, &["acquire", "r", "--max-ttl", "1s", "--ttl", "500ms", "--wait", "15s"]);
    assert_eq!(acquired.code, 0, "{acquired:?}");
}

#[test]
fn one_node_can_be_bootstrapped_too() {
    let nodes = bare(1);
    assert_eq!(call(&nodes, &["bootstrap"]).code, 0);
    assert_eq!(call(&nodes, &["acquire", "r", "--wait", "0"]).code, 0);
}

#[test]
fn founding_is_refused_where_a_node_cannot_be_asked_or_remembers() {
    let mut nodes = bare(3);
    nodes[2].kill();
    let unseen = call(&nodes, &["bootstrap"]);
    assert!(unseen.code == 69 && unseen.stderr.contains("cannot be asked whether it remembers"), "{unseen:?}");

    let mut nodes = servers(3);
    nodes[1].restart();
    let remembers = json(&nodes, &["bootstrap"]);
    assert!(remembers.code == 1 && remembers.stderr.contains("no new installation"), "{remembers:?}");
    assert!(remembers.stderr.contains("rests, takes part in"), "the others are shown: {remembers:?}");
}

#[test]
fn status_tells_how_each_node_stands() {
    let mut nodes = servers(3);
    nodes[0].restart();
    nodes[1].kill();
    let status = call(&nodes, &["status", "r"]);
    assert_eq!(status.code, 69, "one of two nodes that answer takes part: {status:?}");
    let line = |at: usize| status.stdout.lines().nth(at).unwrap();
    assert!(
        line(1).contains("rests, takes part in 3") && line(2).contains("unreachable") && line(3).contains("ready"),
        "{status:?}"
    );
    assert!(line(3).ends_with(" ms"), "round trip and clock: {status:?}");

    let status = json(&nodes, &["status", "r"]).json();
    let of = |at: usize, key: &str| &status["nodes"][at][key];
    let conditions = [0, 1, 2].map(|at| of(at, "condition").as_str().unwrap());
    assert_eq!(conditions, ["resting", "unreachable", "ready"]);
    assert!((1..=31_000).contains(&of(0, "rests_for_ms").as_u64().unwrap()) && of(2, "rests_for_ms").is_null());
    assert!(of(2, "round_trip_ms").as_f64().unwrap() > 0.0 && of(1, "round_trip_ms").is_null());
    assert!(of(2, "clock_offset_ms").as_i64().unwrap().abs() < 5_000, "one machine has one clock: {status}");
}

#[test]
fn status_tells_how_many_processes_wait_and_who_is_next() {
    let nodes = servers(3);
    assert_eq!(call(&nodes, &["acquire", "r", "--ttl", "30s"]).code, 0);
    let queue = || {
        let status = json(&nodes, &["status", "r"]).json();
        let of_node =
            |node: &serde_json::Value| (node["waiting"].as_u64().unwrap(), node["next"].as_str().map(str::to_owned));
        status["nodes"].as_array().unwrap().iter().map(of_node).collect::<Vec<_>>()
    };
    let until = |expected: (u64, Option<&str>)| {
        let expected = vec![(expected.0, expected.1.map(str::to_owned)); 3];
        poll_until(LIMIT, || (queue() == expected).then_some(())).unwrap_or_else(|_| panic!("{:?}", queue()));
    };
    let mut waiting = Vec::new();
    for (count, label) in (1..).zip(["the first", "the second"]) {
        waiting.push(Running::start(&mut with_nodes(&nodes), &["acquire", "r", "--label", label]));
        until((count, Some("the first")));
    }
    let table = call(&nodes, &["status", "r"]).stdout;
    assert!(table.contains("waiting") && table.contains("the first"), "{table}");
    // Each waiter leaves the queue when it ends.
    for (mut one, left) in waiting.into_iter().zip([(1, Some("the second")), (0, None)]) {
        one.signal(Signal::TERM);
        assert_eq!(one.code(), 128 + 15);
        until(left);
    }
}

#[test]
fn dev_starts_servers_that_take_part_and_end_with_it() {
    let mut dev = Running::start(redfence().arg("--json"), &["dev", "--count", "3"]);
    let mut events = dev.events();
    let ready: serde_json::Value = serde_json::from_str(&dev.close_stdout_after_a_line()).unwrap();
    let pid = |at: usize| Pid::from_raw(i32::try_from(ready["servers"][at]["pid"].as_i64().unwrap()).unwrap()).unwrap();
    let nodes = ready["nodes"].as_str().unwrap();
    let acquired = run(redfence().env("REDFENCE_NODES", nodes), &["acquire", "r", "--wait", "0"]);
    assert!(acquired.code == 0 && nodes.matches("redis://127.0.0.1:").count() == 3, "{nodes}: {acquired:?}");

    kill_process(pid(1), Signal::KILL).unwrap();
    let ended = events.expect("server_ended");
    assert_eq!((&ended["url"], &ended["left"]), (&ready["servers"][1]["url"], &2.into()));
    dev.signal(Signal::TERM);
    assert_eq!(dev.code(), 0);
    for at in [0, 2] {
        poll_until(LIMIT, || test_kill_process(pid(at)).is_err().then_some(())).expect("the server to be gone");
    }
}

#[test]
fn dev_prints_a_line_for_shells_and_leaves_no_server_behind_when_it_is_killed() {
    let mut dev = Running::start(&mut redfence(), &["dev", "--count", "1"]);
    let line = dev.close_stdout_after_a_line();
    let port: u16 = line.trim().strip_prefix("export REDFENCE_NODES=redis://127.0.0.1:").unwrap().parse().unwrap();
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(listens());
    dev.killed();
    if cfg!(target_os = "linux") {
        poll_until(LIMIT, || (!listens()).then_some(())).expect("the server to be gone");
    }
}

#[test]
fn dev_says_what_to_install() {
    let dev = run(redfence().env("PATH", ""), &["dev"]);
    assert!(dev.code == 69 && dev.stderr.contains("redis-server is not installed"), "{dev:?}");
    assert_eq!(run(&mut redfence(), &["dev", "--count", "0"]).code, 2);
}

#[test]
fn who_says_it_in_a_line_and_in_its_code() {
    let mut nodes = servers(3);
    let free = call(&nodes, &["who", "r"]);
    assert!(free.code == 1 && free.stdout.starts_with("free on 3 of 3"), "{free:?}");
    let acquired = json(&nodes, &["acquire", "r", "--label", "nightly", "--ttl", "30s"]).json();
    let holder = acquired["holder"].clone();
    // An acquire ends with a quorum; the last node may be later.
    let everywhere = || {
        let held = call(&nodes, &["who", "r"]);
        (held.code == 0 && held.stdout.contains("nightly on 3 of 3 nodes, ")).then_some(held)
    };
    let held = poll_until(LIMIT, everywhere).unwrap();
    assert!(held.stdout.trim_end().ends_with(" s left"), "{held:?}");
    let held = json(&nodes, &["who", "r"]).json();
    assert_eq!((&held["agreement"], &held["holder"], &held["label"]), (&"held".into(), &holder, &"nightly".into()));
    assert_eq!((&held["held_on"], &held["needed"], &held["nodes"]), (&3.into(), &2.into(), &3.into()));
    nodes[0].kill();
    assert_eq!(call(&nodes, &["who", "r"]).code, 0);
    nodes[1].kill();
    assert_eq!(call(&nodes, &["who", "r"]).code, 69);
    assert_eq!(json(&nodes, &["who", "r"]).json()["agreement"], "unknown");

    let nodes = servers(1);
    assert_eq!(call(&nodes, &["who", "r"]).code, 1);
}

#[test]
fn a_split_is_told_as_one() {
    let nodes = servers(3);
    let slot_of_r = redfence::Resource::new("r").unwrap().slot();
    for (node, value) in nodes.iter().zip(["one", "two"]) {
        node.command(&["SET", &format!("{{redfence:{slot_of_r}}}:lock:r"), value]);
    }
    let split = json(&nodes, &["who", "r"]);
    assert_eq!((split.code, &split.json()["agreement"]), (1, &"split".into()));
}

#[test]
fn list_shows_what_is_held_and_says_when_it_is_not_all() {
    let mut nodes = servers(3);
    assert!(call(&nodes, &["list"]).stdout.contains("nothing is held"));
    for name in ["a:1", "a:2", "b*"] {
        assert_eq!(call(&nodes, &["acquire", name, "--label", "nightly", "--ttl", "30s"]).code, 0);
    }
    let list = call(&nodes, &["list"]);
    assert!(list.code == 0 && list.stderr.is_empty(), "{list:?}");
    assert_eq!((list.stdout.lines().count(), list.stdout.matches("nightly").count()), (4, 3), "{list:?}");
    assert_eq!(list.stdout.matches("3 of 3").count(), 3, "{list:?}");
    let names = |args: &[&str]| {
        let list = json(&nodes, args).json();
        let locks = list["locks"].as_array().unwrap().clone();
        locks.iter().map(|lock| lock["resource"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["list", "--prefix", "a:"]), ["a:1", "a:2"]);
    assert_eq!(names(&["list", "--prefix", "*"]), Vec::<String>::new());
    assert_eq!(names(&["list", "--prefix", "b*"]), ["b*"]);

    let limited = call(&nodes, &["list", "--limit", "1"]);
    assert!(limited.code == 0 && limited.stderr.contains("this is not all: 2 more left off"), "{limited:?}");
    nodes[2].kill();
    let partial = json(&nodes, &["list"]);
    assert_eq!((partial.code, partial.json()["partial"]["unanswered"].as_array().unwrap().len()), (0, 1));
    nodes[1].kill();
    let lonely = call(&nodes, &["list"]);
    assert!(lonely.code == 69 && lonely.stdout.contains("1 of 3, no majority"), "{lonely:?}");
}

#[test]
fn force_release_takes_from_the_expected_holder_only() {
    let mut nodes = servers(3);
    let lease = json(&nodes, &["acquire", "r", "--label", "stuck", "--ttl", "30s"]).json();
    let (holder, token) = (lease["holder"].as_str().unwrap(), lease["token"].as_str().unwrap());
    let id = holder.split_once(' ').unwrap().0;
    let force = |nodes: &[RedisServer], holder: &str| {
        json(nodes, &["force-release", "r", "--expect-holder", holder, "--reason", "host is gone"])
    };
    let other = force(&nodes, &"0".repeat(32));
    assert!(other.code == 75 && other.stderr.contains("stuck"), "{other:?}");
    let released = force(&nodes, id);
    assert_eq!((released.code, &released.json()["released"]), (0, &true.into()), "{released:?}");
    assert!(released.json()["nodes"].as_array().unwrap().iter().all(|node| node["outcome"] == "released"));
    assert_eq!(call(&nodes, &["who", "r"]).code, 1);
    for name in [holder, id] {
        assert_eq!(force(&nodes, name).code, 1, "not held any more");
    }
    let next = json(&nodes, &["acquire", "r"]).json();
    let number = |text: &str| text.parse::<u64>().unwrap();
    assert!(number(next["token"].as_str().unwrap()) > number(token) + 3);

    let holder = next["holder"].as_str().unwrap();
    let told =
        run(with_nodes(&nodes).arg("-v"), &["force-release", "r", "--expect-holder", holder, "--reason", "a test"]);
    assert!(told.code == 0 && told.stderr.contains("WARN") && told.stderr.contains("a test"), "{told:?}");
    assert_eq!(told.stdout.matches("  released").count(), 3, "{told:?}");
    assert_eq!(call(&nodes, &["force-release", "r", "--expect-holder", holder]).code, 2, "a reason is required");
    nodes[0].kill();
    nodes[1].kill();
    assert_eq!(force(&nodes, holder).code, 69);
}

#[test]
fn reset_begins_anew_and_only_when_told_that_no_lock_is_held() {
    let mut nodes = servers(3);
    assert_eq!(call(&nodes, &["acquire", "r", "--ttl", "30s"]).code, 0);
    nodes[0].restart();
    nodes[1].restart();
    assert_eq!(call(&nodes, &["acquire", "other", "--wait", "0"]).code, 69, "two of three rest");
    assert_eq!(call(&nodes, &["reset", "--yes"]).code, 2);
    let refused = call(&nodes, &["reset", "--all"]);
    assert!(refused.code == 2 && refused.stderr.contains("only if certainly no process holds a lock"), "{refused:?}");
    assert_eq!(json(&nodes, &["list"]).json()["locks"].as_array().unwrap().len(), 1, "nothing was done");

    let reset = json(&nodes, &["reset", "--all", "--yes"]);
    assert_eq!((reset.code, &reset.json()["nodes"][2]["locks_removed"]), (0, &1.into()), "{reset:?}");
    assert_eq!(call(&nodes, &["acquire", "r", "--wait", "0"]).code, 0);
    let again = call(&nodes, &["reset", "--all", "--yes"]);
    assert!(again.code == 0 && again.stdout.contains("reset: 3 of 3 nodes take part from now on"), "{again:?}");
    nodes[2].kill();
    let refused = call(&nodes, &["reset", "--all", "--yes"]);
    assert!(refused.code == 69 && refused.stderr.contains("nothing was done"), "{refused:?}");

    let one = servers(1);
    assert_eq!(call(&one, &["reset", "--all", "--yes"]).code, 0);
}

#[test]
fn no_operation_shows_a_password() {
    let node = RedisServer::with(&["--requirepass", "hunter2"]);
    let holder = "0".repeat(32);
    for (password, found) in [("hunter2", 0), ("hunter3", 69)] {
        let url = format!("redis://:{password}@127.0.0.1:{}", node.port());
        for (args, code) in [
            (&["bootstrap"][..], found),
            (&["who", "r"], if found == 0 { 1 } else { 69 }),
            (&["list"], found),
            (&["status", "r"], found),
            (&["force-release", "r", "--expect-holder", &holder, "--reason", "x"], if found == 0 { 1 } else { 69 }),
            (&["reset", "--all", "--yes"], found),
        ] {
            let ran = run(redfence().env("REDFENCE_NODES", &url).arg("-vvv"), args);
            assert_eq!(ran.code, code, "{args:?}: {ran:?}");
            assert!(!ran.everything().contains("hunter"), "{args:?}: {ran:?}");
        }
    }
}
