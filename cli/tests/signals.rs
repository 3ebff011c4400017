//! Every signal that can be caught is passed on, or stops the command in order.
//!
//! `r8` stands for a public bug report: signals that a wrapper did not expect killed it, and its lock stayed.

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
use std::sync::atomic::{AtomicUsize, Ordering};

use program::{LIMIT, Running, is_free, run, with_nodes, written};
use rustix::process::Signal;
use rustix_libc_wrappers::process::SignalExt as _;
use support::deadline::poll_until;
use support::{RedisServer, servers};

/// What `run` does with a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// The command gets it.
    Passed,
    /// It is ignored.
    Nothing,
    /// It reports a fault in redfence and ends it; the command ends too.
    Fault,
}

/// All signals but KILL and STOP, which cannot be caught; TTIN and TTOU, which stop a program as STOP does; and 32
/// and 33, which the C library uses itself.
fn table() -> Vec<(i32, Expected)> {
    let skipped = [9, 19, 21, 22, 32, 33];
    let expected = |number| match number {
        4 | 7 | 8 | 11 => Expected::Fault,
        // PIPE and CHLD concern only redfence. TSTP is refused, so that the lease is renewed.
        13 | 17 | 20 => Expected::Nothing,
        _ => Expected::Passed,
    };
    (1..=64).filter(|number| !skipped.contains(number)).map(|number| (number, expected(number))).collect()
}

fn one(nodes: &[RedisServer], number: i32, expected: Expected) {
    let (dir, resource) = (tempfile::tempdir().unwrap(), format!("r{number}"));
    // The shell gets TERM by name, so that signal 15 has only one trap.
    let ends = if number == 15 { "" } else { "trap 'exit 6' TERM;" };
    // A shell gets CHLD whenever a child ends.
    let trap = if number == 17 { String::new() } else { format!("trap 'exit 5' {number};") };
    let script = format!("{ends} {trap} echo $$ > up; while :; do sleep 0.02; done");
    let mut command = with_nodes(nodes);
    let mut running = Running::start(command.current_dir(dir.path()), &["run", &resource, "--", "sh", "-c", &script]);
    let pid = written(&dir.path().join("up"));
    let signal = Signal::from_raw(number).unwrap();
    match expected {
        Expected::Passed => {
            running.signal(signal);
            assert_eq!(running.code(), 5, "{number}");
        }
        Expected::Nothing => {
            running.signal(signal);
            running.signal(Signal::TERM);
            assert_eq!(running.code(), 6, "{number}");
        }
        Expected::Fault => {
            // Rust's check for stack overflow handles the first SEGV or BUS from outside.
            poll_until(LIMIT, || running.ended_by(signal)).unwrap_or_else(|_| panic!("{number} changed nothing"));
            let stat = format!("/proc/{}/stat", pid.trim());
            let is_gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
            poll_until(LIMIT, || is_gone().then_some(())).unwrap_or_else(|_| panic!("{number}: the command runs on"));
            return;
        }
    }
    assert!(is_free(nodes, &resource), "{number}");
}

#[test]
fn r8_every_signal_is_passed_on_or_ends_in_order() {
    let (nodes, table, next) = (servers(1), table(), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while let Some((number, expected)) = table.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one(&nodes, *number, *expected);
                }
            });
        }
    });
}

#[test]
fn r8_a_signal_without_a_command_to_pass_it_to_ends_the_wait_in_order() {
    let nodes = servers(1);
    assert_eq!(run(&mut with_nodes(&nodes), &["acquire", "r", "--ttl", "30s"]).code, 0);
    for number in [10, 12, 14, 24, 26, 30, 34, 64] {
        let mut waiting = Running::start(&mut with_nodes(&nodes), &["run", "r", "--", "true"]);
        let connected = || nodes[0].command(&["CLIENT", "LIST"]).lines().count() > 1;
        poll_until(LIMIT, || connected().then_some(())).unwrap();
        waiting.signal(Signal::from_raw(number).unwrap());
        assert_eq!(waiting.code(), 128 + number);
        assert!(waiting.stderr().contains("waiting for \"r\""), "{number}");
    }
}

#[test]
fn signals_go_to_whom_the_caller_says() {
    let nodes = servers(1);
    for (whom, child, code) in [("group", true, 5), ("command", false, 5), ("none", false, 6)] {
        let dir = tempfile::tempdir().unwrap();
        let inner = "trap \"echo got > got\" USR1; echo up > inner; while [ ! -e end ]; do sleep 0.02; done";
        let script = format!(
            "sh -c '{inner}' & trap 'echo got > outer; touch end; wait; exit 5' USR1; trap 'touch end; wait; exit 6' TERM; \
             echo up > up; while :; do sleep 0.02; done"
        );
        let mut command = with_nodes(&nodes);
        let args = ["run", "r", "--forward-signals", whom, "--", "sh", "-c", &script];
        let mut running = Running::start(command.current_dir(dir.path()), &args);
        written(&dir.path().join("inner"));
        written(&dir.path().join("up"));
        running.signal(Signal::USR1);
        // If USR1 is not passed on, it would end the program. So it stops the command, by TERM.
        assert_eq!(running.code(), code, "{whom}");
        assert_eq!(dir.path().join("got").exists(), child, "{whom}");
        assert!(is_free(&nodes, "r"), "{whom}");
    }
}
