//! The stream level as a whole: runs repeat byte for byte, no promise breaks, and everything that should happen
//! happens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::process::Command;

use simulations::invariant::Coverage;
use simulations::{Level, Mutant, Plan, Profile, Scale};

/// Differences between two processes, such as addresses and the seeds of hash maps, must not matter.
#[test]
fn a_seed_gives_the_same_trace_in_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    for profile in ["healthy", "many-faults"] {
        let traces = ["one", "two"].map(|name| {
            let file = folder.path().join(format!("{profile}-{name}"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_simulations"));
            command.args(["run", "--level", "stream", "--seeds", "0..50", "--profile", profile, "--trace"]).arg(&file);
            assert!(command.status().unwrap().success());
            std::fs::read(file).unwrap()
        });
        assert!(traces[0].len() > 10_000, "{} bytes of trace show nothing", traces[0].len());
        assert!(traces[0] == traces[1], "the traces of profile {profile} differ");
    }
}

/// Also within one process: runs share the Lua interpreter, which must not remember anything.
#[test]
fn a_run_does_not_depend_on_the_runs_before_it() {
    let trace = |seed| Level::Stream.run(&Plan::draw(seed, Profile::ManyFaults, Scale::default()), None, true).trace;
    let first: Vec<String> = (0..8).map(trace).collect();
    let backwards: Vec<String> = (0..8).rev().map(trace).collect();
    assert!(first.iter().eq(backwards.iter().rev()));
}

#[test]
fn nothing_breaks_and_everything_happens() {
    let mut seen = Coverage::default();
    for seed in 0..150 {
        let outcome = Level::Stream.run(&Plan::draw(seed, Profile::ManyFaults, Scale::default()), None, false);
        if let Some(violation) = outcome.violation() {
            panic!("seed {seed}: {violation}");
        }
        seen.add(&outcome.seen);
    }
    let Coverage {
        acquired, failed, cancelled, lost, extended, seals, rests, wakes, late_grants, written, stale, ..
    } = seen;
    let counts = [acquired, failed, cancelled, lost, extended, seals, rests, wakes, late_grants, written, stale];
    assert!(counts.iter().all(|count| *count > 0), "{seen:?}");
}

/// Over RESP2 a node once sent nothing more until the courier's next check, if its subscription was confirmed late:
/// seed 51.
#[test]
fn in_a_crowd_every_client_is_served_in_turn() {
    for seed in 0..60 {
        let outcome = Level::Stream.run(&Plan::draw(seed, Profile::Contention, Scale::default()), None, false);
        assert_eq!(outcome.violation(), None, "seed {seed}");
    }
}

#[test]
fn clients_of_another_library_exclude_leases_under_plain_names() {
    let mut seen = Coverage::default();
    for seed in 0..20 {
        let outcome = Level::Stream.run(&Plan::draw(seed, Profile::MixedFleet, Scale::default()), None, false);
        assert_eq!(outcome.violations, Vec::new(), "seed {seed}");
        seen.add(&outcome.seen);
    }
    assert!(seen.foreign_held > 0 && seen.foreign_failed > 0 && seen.acquired > 0 && seen.wakes > 0, "{seen:?}");
}

/// The scripts of a wrong server run, and the invariants catch the result.
#[test]
fn wrong_scripts_fall() {
    for mutant in [
        Mutant::NoRest,
        Mutant::NoClockStart,
        Mutant::ReleaseWithoutHolder,
        Mutant::EmptyCounterVotes,
        Mutant::WakeIsLost,
        Mutant::DeadHeadIsNext,
        Mutant::ReservationWithoutEnd,
        Mutant::LeaveIgnored,
        Mutant::ForeignIgnored,
    ] {
        let falls = |seed| {
            let plan = Plan::draw(seed, mutant.profile(), Scale::default());
            let violation = Level::Stream.run(&plan, Some(mutant), false).violation().cloned();
            violation.is_some_and(|violation| mutant.breaks().contains(&violation.promise))
        };
        assert!((0..200).any(falls), "{} survived", mutant.name());
    }
}

/// The traces of a few seeds show every fault of connections.
#[test]
fn connections_break_in_every_way() {
    let mut traces = String::new();
    for seed in 0..60 {
        traces += &Level::Stream.run(&Plan::draw(seed, Profile::ManyFaults, Scale::default()), None, true).trace;
    }
    for kind in 0..5 {
        assert!(traces.contains(&format!("breaks, loss kind {kind}")), "loss kind {kind} never came up");
    }
    for sign in [": reset", ": end", "connects to n1", "Crash", "Hang", "Partition"] {
        assert!(traces.contains(sign), "{sign:?} never came up");
    }
}
