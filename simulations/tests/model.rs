//! Small worlds, searched completely. `cargo run --release -p simulations -- model` searches the larger ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use simulations::model::{Bounds, Found, Knows, Mutant, Setup, Time, World, search};
use simulations::waiting;

fn searched(setup: Setup) -> Found {
    search(&World::new(setup).unwrap(), Bounds::default())
}

fn exhausted(setup: Setup) -> Found {
    let found = searched(setup);
    assert!(found.broken.is_none(), "\n{}", found.broken.unwrap());
    assert!(found.exhausted);
    for (what, trace) in &found.happens {
        assert!(trace.is_some(), "never: {what}");
    }
    found
}

/// The number of states is part of the test: if it changes, the search has changed, and the reason must be checked.
#[test]
fn two_attempts_over_locks_that_vanish_at_any_moment() {
    let level = Setup { spread: 0, floors: false, ..Setup::vanishing(2) };
    assert_eq!(exhausted(level).states, 40_555);
}

#[test]
fn two_attempts_and_an_extension_over_locks_that_vanish_at_any_moment() {
    let level = Setup { spread: 0, floors: false, extensions: 1, ..Setup::vanishing(2) };
    assert_eq!(exhausted(level).states, 115_900);
}

#[test]
fn two_attempts_over_locks_that_last() {
    let short = Setup { time: Time::Ticks(0), ..Setup::lasting(2) };
    assert_eq!(exhausted(short).states, 14_070);
}

/// An anchor changes which nodes are a quorum, and so which token is chosen: T1, T2, E and F hold as before.
#[test]
fn an_anchor_over_locks_that_vanish_at_any_moment() {
    let level = Setup { spread: 1, floors: false, anchor: true, prompt: true, extensions: 1, ..Setup::vanishing(2) };
    exhausted(level);
}

/// A client of another library excludes redfence and is excluded: on a majority of the nodes, and on the anchor alone.
#[test]
fn a_foreign_client_over_locks_that_last() {
    for (foreign, anchor) in [(Knows::All, false), (Knows::One, true)] {
        let mixed = Setup { foreign: Some(foreign), anchor, prompt: true, extensions: 1, ..Setup::lasting(1) };
        exhausted(Setup { only_rivals: true, ..mixed });
    }
}

/// Every short cut breaks the expected promise. A grant that is delivered twice takes a larger search, which the
/// command runs.
#[test]
fn every_short_cut_has_a_shortest_trace() {
    for (mutant, promise, steps) in [
        (Mutant::NoSeal, "T1", 10),
        (Mutant::SealWithoutHolder, "T1", 12),
        (Mutant::ForgottenCounterVotes, "T1", 11),
        (Mutant::ReachableQuorum, "T1", 6),
        (Mutant::ExtendReseeds, "E", 15),
        (Mutant::NoRest, "X", 13),
        (Mutant::NoAnchor, "X", 5),
        (Mutant::ExtendWithoutAnchor, "X", 15),
    ] {
        let trace = searched(Setup::showing(mutant)).broken.unwrap_or_else(|| panic!("{mutant:?} went unnoticed"));
        assert_eq!(trace.steps(), steps, "{mutant:?}\n{trace}");
        let last = trace.lines().last().unwrap();
        assert!(last.starts_with(promise), "{mutant:?} breaks another promise\n{trace}");
    }
}

#[test]
fn a_story_reads_as_one() {
    let trace = searched(Setup::showing(Mutant::ReachableQuorum)).broken.unwrap();
    assert_eq!(
        trace.lines(),
        [
            "the counters of n1, n2 and n3 are at 0, 0, 0",
            "A asks n1 for the lock",
            "B asks n2 for the lock",
            "n1 grants A with counter 1",
            "A receives that n1 granted with counter 1: A holds token 1",
            "n2 grants B with counter 1",
            "B receives that n2 granted with counter 1: B holds token 1",
            "T1 broken: A and B both hold token 1",
        ]
    );
}

#[test]
fn every_process_that_waits_gets_the_lock() {
    let (two, prompt) = (waiting::Setup::well(3, 2), true);
    for (setup, states) in [
        (waiting::Setup { held: true, prompt, nodes_lost: 1, ..two }, 48_016),
        (waiting::Setup { anchor: true, prompt, steps_max: Some(15), ..two }, 13_074),
    ] {
        let found = waiting::search(&waiting::World::new(setup).unwrap());
        assert!(found.broken.is_none(), "{}", found.broken.unwrap());
        let all_seen = setup.steps_max.is_some() || found.happens.iter().all(|(_, seen)| *seen);
        assert!(all_seen, "{:?}", found.happens);
        assert_eq!(found.states, states, "{setup:?}");
    }
}

#[test]
fn every_wrong_way_to_wait_has_a_shortest_trace() {
    for mutant in waiting::Mutant::ALL {
        let found = waiting::search(&waiting::World::new(waiting::Setup::showing(mutant)).unwrap());
        let trace = found.broken.unwrap_or_else(|| panic!("{mutant:?} breaks nothing"));
        assert!((4..=15).contains(&trace.steps()), "{trace}");
    }
}
