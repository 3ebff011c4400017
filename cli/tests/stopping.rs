//! A command is stopped with everything that it started, and processes that cannot be stopped are named.
//!
//! The tests with `r2` in their names stand for a public bug report: a lock was released or lost while the program
//! that relied on it ran on.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::{LIMIT, Running, is_free, run, urls, with_nodes, written};
use rustix::process::{Pid, Signal, kill_process};
use support::deadline::poll_until;
use support::{RedisServer, servers};
use tempfile::TempDir;

/// A child, a process in a session of its own, a process that forked twice, and the command itself. Each writes down
/// its number.
const FAMILY: &str = "sh -c 'echo $$ > child; exec sleep 600' & \
     setsid sh -c 'echo $$ > session; exec sleep 600' & \
     (setsid sh -c 'sh -c \"echo \\$\\$ > twice; exec sleep 600\" & exit' &); \
     echo $PPID > monitor; echo $$ > leader; wait";
const MEMBERS: [&str; 4] = ["child", "session", "twice", "leader"];

/// The number that a script wrote, once it is there.
fn pid(path: &Path) -> i32 {
    written(path).trim().parse().unwrap()
}

fn runs(pid: i32) -> bool {
    // If the process is not collected, it stays listed as a zombie.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn until_gone(pid: i32, who: &str) {
    poll_until(LIMIT, || (!runs(pid)).then_some(())).unwrap_or_else(|_| panic!("{who} runs on"));
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The running family, and the numbers of its members.
fn family(nodes: &[RedisServer], dir: &TempDir, args: &[&str]) -> (Running, Vec<i32>) {
    let args = [args, &["--", "sh", "-c", FAMILY]].concat();
    let running = Running::start(with_nodes(nodes).current_dir(dir.path()), &args);
    let members = MEMBERS.iter().map(|name| pid(&dir.path().join(name))).collect();
    (running, members)
}

fn all_gone(members: &[i32]) {
    for (member, name) in members.iter().zip(MEMBERS) {
        until_gone(*member, name);
    }
}

#[test]
fn r2_nothing_that_the_command_started_survives_a_kill_of_the_program() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let (mut running, members) = family(&nodes, &dir, &["run", "r"]);
    running.killed();
    all_gone(&members);
}

#[test]
fn r2_a_program_that_stands_still_does_not_let_its_command_outlive_the_lease() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let (mut running, members) = family(&nodes, &dir, &["run", "r", "--ttl", "2s"]);
    running.signal(Signal::STOP);
    all_gone(&members);
    running.signal(Signal::CONT);
    assert_eq!(running.code(), 74);
}

#[test]
fn r2_a_monitor_that_is_killed_takes_the_command_with_it() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let (mut running, members) = family(&nodes, &dir, &["run", "r"]);
    kill(pid(&dir.path().join("monitor")), Signal::KILL);
    assert_eq!(running.code(), 1);
    assert!(!members.iter().any(|member| runs(*member)), "the lock went while something ran");
    assert!(running.stderr().contains("__monitor"));
    assert!(is_free(&nodes, "r"));
}

#[test]
fn r2_a_monitor_that_stands_still_keeps_nothing_from_its_end() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let (mut running, members) = family(&nodes, &dir, &["run", "r", "--ttl", "2s"]);
    kill(pid(&dir.path().join("monitor")), Signal::STOP);
    nodes[0].pause();
    all_gone(&members);
    assert_eq!(running.code(), 74);
    nodes[0].resume();
}

#[test]
fn r2_the_lock_goes_after_all_that_a_killed_command_left() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    for (signal, to_leader, code) in [(Signal::TERM, false, 128 + 15), (Signal::KILL, true, 128 + 9)] {
        let (mut running, members) = family(&nodes, &dir, &["run", "r"]);
        match to_leader {
            true => kill(members[3], signal),
            false => running.signal(signal),
        }
        assert_eq!(running.code(), code);
        assert!(!members.iter().any(|member| runs(*member)), "the lock went while something ran");
        assert!(is_free(&nodes, "r"));
        MEMBERS.iter().for_each(|name| fs::remove_file(dir.path().join(name)).unwrap());
    }
}

#[test]
fn what_a_command_leaves_running_when_it_ends_by_itself_is_named() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    // It ends once the shell in the background has become the program.
    let script = "sleep 600 > /dev/null 2>&1 & echo $! > left; until ps -o comm= -p $! | grep -q sleep; do sleep 0.02; done; exit 3";
    let ran = run(with_nodes(&nodes).current_dir(dir.path()), &["run", "r", "--", "sh", "-c", script]);
    let left = pid(&dir.path().join("left"));
    assert!(ran.code == 3 && ran.stderr.contains(&format!("{left} (sleep)")), "{ran:?}");
    assert!(runs(left) && is_free(&nodes, "r"));
    kill(left, Signal::KILL);
}

/// A setuid program of root that any user may start. Other users may not signal it.
fn setuid_program(dir: &TempDir) -> PathBuf {
    assert!(
        rustix::process::getuid().is_root(),
        "this test needs root, for it installs a setuid program and runs redfence as another user; \
         run it in a container, or by `sudo -E env PATH=\"$PATH\" cargo test -p redfence-cli --test stopping`"
    );
    let program = dir.path().join("setpriv");
    let original = ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|path| Path::new(path).exists());
    fs::copy(original.unwrap_or("setpriv, of the package util-linux"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    program
}

/// `run` as the user nobody, around a shell around a program of root. The program runs when this returns.
fn around_another_users_program(nodes: &[RedisServer], dir: &TempDir) -> (Running, i32) {
    let program = setuid_program(dir);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Other users may not be able to read the build directory.
    let redfence = dir.path().join("redfence");
    fs::copy(env!("CARGO_BIN_EXE_redfence"), &redfence).unwrap();
    fs::set_permissions(&redfence, fs::Permissions::from_mode(0o755)).unwrap();
    let (program, file) = (program.display(), dir.path().join("pid"));
    // It must not keep the test's pipe open.
    let inner = format!("echo $$ > {}; exec sleep 600 > /dev/null 2>&1", file.display());
    let script = format!("{program} --reuid=0 sh -c '{inner}'; :");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(redfence).env("REDFENCE_NODES", urls(nodes));
    let running = Running::start(&mut command, &["run", "r", "--ttl", "3s", "--", "sh", "-c", &script]);
    (running, pid(&file))
}

#[test]
fn r2_a_program_of_another_user_is_named_and_keeps_the_lock_for_its_time() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let (mut running, pid) = around_another_users_program(&nodes, &dir);
    running.signal(Signal::TERM);
    // The shell ends at once. The program that it waited for cannot be signalled.
    assert_eq!(running.code(), 71);
    assert!(runs(pid) && !is_free(&nodes, "r"), "the lock was given back while it ran");
    let said = running.stderr();
    for word in ["SIGKILL was refused", &format!("{pid} (sleep)"), "not permitted", "was not released"] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    poll_until(LIMIT, || is_free(&nodes, "r").then_some(())).unwrap();
    kill(pid, Signal::KILL);
}

#[test]
fn r2_a_lost_lease_ends_the_wait_for_a_program_of_another_user() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let (mut running, pid) = around_another_users_program(&nodes, &dir);
    nodes[0].pause();
    assert_eq!(running.code(), 74);
    let said = running.stderr();
    assert!(said.contains(&format!("{pid} (sleep)")) && said.contains("runs on"), "{said}");
    nodes[0].resume();
    kill(pid, Signal::KILL);
}
