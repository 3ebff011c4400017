//! `run --once-per` and `--hold-at-least`, on machines whose clocks differ.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod program;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use program::{LIMIT, Ran, Running, redfence, run, urls, with_nodes};
use support::deadline::poll_until;
use support::faketime::{environment, set_offset};
use support::{RedisServer, servers};
use tempfile::TempDir;

/// A machine: the directory with its clock.
struct Machine(TempDir);

impl Machine {
    fn with_clock(seconds: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        set_offset(dir.path(), seconds);
        Self(dir)
    }

    /// The program on this machine.
    fn command(&self, nodes: &str) -> Command {
        let mut command = redfence();
        command.env("REDFENCE_NODES", nodes).envs(environment(self.0.path()));
        command
    }
}

/// Notes the uptime in ms. It is one clock for all machines of the test, which no test sets.
const NOTES: &str = "read up rest < /proc/uptime; echo $up >> runs";

fn runs_in(dir: &Path) -> Vec<f64> {
    let runs = fs::read_to_string(dir.join("runs")).unwrap_or_default();
    runs.lines().map(|line| line.parse().unwrap()).collect()
}

fn is_held(nodes: &[RedisServer]) -> bool {
    run(with_nodes(nodes).arg("--json"), &["who", "job"]).json()["agreement"] == "held"
}

fn left_ms(nodes: &[RedisServer], resource: &str) -> u64 {
    let who = run(with_nodes(nodes).arg("--json"), &["who", resource]).json();
    who["ttl_left_ms"].as_u64().unwrap_or_else(|| panic!("{who}"))
}

#[test]
fn machines_with_different_clocks_run_a_job_once_per_period() {
    const PERIOD: &str = "3s";
    // The nodes' clocks differ as well.
    let machines: Vec<_> = [0, 3_600, -3_600].into_iter().map(Machine::with_clock).collect();
    let timed: Vec<_> = [7_200, 0, -7_200].into_iter().map(Machine::with_clock).collect();
    let nodes: Vec<_> = timed
        .into_iter()
        .map(|Machine(dir)| {
            let environment = environment(dir.path());
            RedisServer::in_environment(dir, environment)
        })
        .collect();
    let (urls, dir) = (urls(&nodes), tempfile::tempdir().unwrap());
    for (machine, apart) in machines.iter().zip([0_i64, 3_600_000, -3_600_000]) {
        let status = run(machine.command(&urls).arg("--json"), &["status", "job"]).json();
        let offset = status["nodes"][1]["clock_offset_ms"].as_i64().unwrap();
        assert!((offset + apart).abs() < 60_000, "the clock of the machine is set: {offset}, {apart}");
    }
    // Every machine tries again and again, as a crontab does whose clock is early, late or right.
    let enough = || runs_in(dir.path()).len() >= 3;
    std::thread::scope(|threads| {
        for machine in &machines {
            threads.spawn(|| {
                let tried = poll_until(LIMIT, || {
                    let mut command = machine.command(&urls);
                    let args = ["run", "job", "--once-per", PERIOD, "--wait", "100ms", "--", "sh", "-c", NOTES];
                    let ran = run(command.current_dir(dir.path()), &args);
                    assert!(ran.code == 0 && (ran.stderr.is_empty() || ran.stderr.contains("skipped")), "{ran:?}");
                    enough().then_some(())
                });
                tried.unwrap();
            });
        }
    });
    let runs = runs_in(dir.path());
    // The command starts some time after the acquire, and uptimes have two digits. Far less than a period.
    assert!(runs.windows(2).all(|two| two[1] - two[0] > 2.0), "{runs:?}");
}

fn job(nodes: &[RedisServer], dir: &Path, flags: &[&str], script: &str) -> Ran {
    named("job", nodes, dir, flags, script)
}

fn named(resource: &str, nodes: &[RedisServer], dir: &Path, flags: &[&str], script: &str) -> Ran {
    let args = [&["run", resource], flags, &["--", "sh", "-c", script]].concat();
    run(with_nodes(nodes).current_dir(dir), &args)
}

/// Starts a run, and kills it while its command runs.
fn crashes(resource: &str, nodes: &[RedisServer], flags: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let args = [&["run", resource], flags, &["--", "sh", "-c", "echo up > up; sleep 600"]].concat();
    let mut running = Running::start(with_nodes(nodes).current_dir(dir.path()), &args);
    poll_until(LIMIT, || fs::read(dir.path().join("up")).ok()).unwrap();
    running.killed();
}

#[test]
fn a_job_that_failed_runs_again_and_one_that_succeeded_does_not() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    let once = ["--once-per", "30s", "--wait", "0"];
    assert_eq!(job(&nodes, dir.path(), &once, &format!("{NOTES}; exit 3")).code, 3);
    assert!(!is_held(&nodes), "a period that failed is not used up");
    assert_eq!(job(&nodes, dir.path(), &once, NOTES).code, 0);
    assert!(left_ms(&nodes, "job") > 20_000, "it stays for the rest of the period, far longer than the 10 s of --ttl");
    let skipped = job(&nodes, dir.path(), &once, NOTES);
    assert!(skipped.code == 0 && skipped.stderr.contains("skipped: \"job\" is held"), "{skipped:?}");
    let failed = job(&nodes, dir.path(), &["--once-per", "30s", "--if-held", "fail"], NOTES);
    assert_eq!(failed.code, 75, "{failed:?}");
    assert_eq!(runs_in(dir.path()).len(), 2);
}

#[test]
fn a_skip_does_not_wait_for_a_period_that_outlasts_the_wait() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    assert_eq!(job(&nodes, dir.path(), &["--once-per", "30s"], NOTES).code, 0);
    let skipped = job(&nodes, dir.path(), &["--once-per", "30s", "--wait", "20s"], NOTES);
    assert!(skipped.code == 0 && skipped.stderr.contains("after 1 attempt "), "{skipped:?}");
    // The end of a period is waited for: a crontab that is a little early loses no run.
    for _ in 0..2 {
        assert_eq!(named("short", &nodes, dir.path(), &["--once-per", "2s"], NOTES).code, 0);
    }
    let runs = runs_in(dir.path());
    assert!(runs.len() == 3 && runs[2] - runs[1] > 1.0, "{runs:?}");
}

#[test]
fn a_lock_is_held_at_least_that_long_however_the_command_ends() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 128 + 9)] {
        let resource = format!("ends-{code}");
        assert_eq!(named(&resource, &nodes, dir.path(), &["--hold-at-least", "20s"], script).code, code);
        let left = left_ms(&nodes, &resource);
        assert!((10_001..=20_000).contains(&left), "{script}: {left}");
    }
    // So little of a period is left that it is held for the rest, and released then.
    assert_eq!(named("soon", &nodes, dir.path(), &["--once-per", "1500ms"], "sleep 1").code, 0);
    assert_eq!(run(with_nodes(&nodes).arg("--json"), &["who", "soon"]).json()["agreement"], "free");
    // It was held for longer already: it is released at once.
    assert_eq!(job(&nodes, dir.path(), &["--ttl", "2s", "--hold-at-least", "500ms"], "sleep 1").code, 0);
    assert!(!is_held(&nodes));
}

#[test]
fn a_crash_uses_up_no_period_but_does_not_free_the_lock_before_its_least_time() {
    let (nodes, dir) = (servers(3), tempfile::tempdir().unwrap());
    let once = ["--ttl", "1s", "--once-per", "30s"];
    crashes("held", &nodes, &[&once[..], &["--hold-at-least", "25s"]].concat());
    crashes("retried", &nodes, &once);
    let ran = named("retried", &nodes, dir.path(), &once, NOTES);
    assert_eq!((ran.code, runs_in(dir.path()).len()), (0, 1), "another machine runs it: {ran:?}");
    let skipped = named("held", &nodes, dir.path(), &[&once[..], &["--wait", "2s"]].concat(), NOTES);
    assert!(skipped.code == 0 && skipped.stderr.contains("skipped"), "{skipped:?}");
    assert!(left_ms(&nodes, "held") > 10_000);
}

#[test]
fn a_period_that_no_quorum_stores_is_an_error() {
    let mut nodes = servers(3);
    let dir = tempfile::tempdir().unwrap();
    let mut command = with_nodes(&nodes);
    let script = "echo up > up; while [ ! -e go ]; do sleep 0.01; done";
    let args = ["run", "job", "--ttl", "4s", "--once-per", "30s", "--", "sh", "-c", script];
    let mut running = Running::start(command.current_dir(dir.path()), &args);
    poll_until(LIMIT, || fs::read(dir.path().join("up")).ok()).unwrap();
    nodes.iter_mut().take(2).for_each(RedisServer::kill);
    fs::write(dir.path().join("go"), "").unwrap();
    let code = running.code();
    let stderr = running.stderr();
    assert!(code == 69 && stderr.contains("the nodes did not store its period"), "{code}: {stderr}");
}

#[test]
fn a_period_above_the_longest_time_to_live_names_the_limit_and_the_fix() {
    let nodes = servers(1);
    for (flags, part) in [
        (
            &["--once-per", "1h"][..],
            "--once-per 1h needs a lock that lasts that long, and --max-ttl is 30s: pass --max-ttl 1h",
        ),
        (&["--hold-at-least", "10m"], "--hold-at-least 10m needs a lock"),
        (&["--once-per", "25h", "--max-ttl", "24h"], "1day at most"),
        (&["--once-per", "0"], "above zero"),
    ] {
        let ran = run(&mut with_nodes(&nodes), &[&["run", "job"], flags, &["--", "echo", "ran"]].concat());
        assert!((ran.code, &*ran.stdout) == (2, "") && ran.stderr.contains(part), "{flags:?}: {ran:?}");
    }
    let long = ["run", "job", "--once-per", "24h", "--max-ttl", "24h", "--", "true"];
    assert_eq!(run(&mut with_nodes(&nodes), &long).code, 0);
    assert!(left_ms(&nodes, "job") > Duration::from_secs(86_000).as_millis() as u64);
}
