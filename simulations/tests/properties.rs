//! The promises of the protocol on random walks through large worlds: any number of nodes; messages in any order, lost
//! and late; locks vanish and nodes forget at any moment; many attempts, two or three at a time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use proptest::prelude::*;
use simulations::model::{Mutant, Setup, Time, Walk};

fn walked(setup: Setup, choices: &[u32]) -> Walk {
    let (first, rest) = choices.split_first().map_or((0, choices), |(first, rest)| (*first, rest));
    let mut walk = Walk::new(setup, first).unwrap();
    for choice in rest {
        walk.choose(*choice);
    }
    walk.settle();
    walk
}

fn large(nodes: usize, clients: usize) -> Setup {
    Setup {
        nodes,
        clients,
        extensions: 4,
        restarts: 4,
        joins_late: true,
        leaves: true,
        releases: true,
        connection_losses: true,
        ..Setup::vanishing(24)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2500, failure_persistence: None, ..ProptestConfig::default() })]

    /// T1, T2, E and F under every fault; also every attempt ends, and decides as early as it safely can.
    #[test]
    fn tokens_are_unique_and_ordered_whatever_happens(
        nodes in 1_usize..=9,
        clients in 2_usize..=3,
        choices in prop::collection::vec(any::<u32>(), 0..300),
    ) {
        let walk = walked(large(nodes, clients), &choices);
        prop_assert!(walk.violation().is_none(), "\n{}", walk.trace());
    }

    /// Also X and the stated validity, if no lock vanishes and clocks run at one rate.
    #[test]
    fn one_holder_believes_at_a_time_where_locks_last(
        nodes in 1_usize..=9,
        clients in 2_usize..=3,
        restarts in 0_u8..=2,
        choices in prop::collection::vec(any::<u32>(), 0..300),
    ) {
        let setup = Setup { restarts, time: Time::Ticks(40), ..large(nodes, clients) };
        let walk = walked(setup, &choices);
        prop_assert!(walk.violation().is_none(), "\n{}", walk.trace());
    }
}

/// Numbers for walks, by plain arithmetic, so that a failure can be repeated.
fn numbers(seed: u32) -> impl Iterator<Item = u32> {
    let mut state = u64::from(seed) + 1;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((state >> 33) as u32)
    })
}

fn drawn(setup: Setup, seed: u32, steps: usize) -> Walk {
    walked(setup, &numbers(seed).take(steps).collect::<Vec<_>>())
}

/// The walks above are not vacuous: leases are issued, and often several in one walk.
#[test]
fn leases_are_issued() {
    for time in [Time::Still, Time::Ticks(40)] {
        let leases = |seed| drawn(Setup { time, ..large(3, 2) }, seed, 300).state().leases().count();
        let leases: Vec<_> = (0..200).map(leases).collect();
        let several = leases.iter().filter(|leases| **leases > 1).count();
        assert!(several > 40, "{time:?}: {several} of 200 {leases:?}");
    }
}

/// The same numbers give the same walk.
#[test]
fn a_way_is_repeatable() {
    let trace = |seed| drawn(large(5, 3), seed, 200).trace();
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

/// Random walks catch mutants, so the checks can fail. The search finds the shortest trace of each mutant, also of
/// mutants that random walks hardly ever catch.
#[test]
fn random_ways_catch_mutants() {
    let rare = [
        Mutant::BlockNotOwned,
        Mutant::HandOverToLatecomers,
        Mutant::HandOverAfterLoss,
        Mutant::NoAnchor,
        Mutant::ExtendWithoutAnchor,
    ];
    for mutant in Mutant::ALL.into_iter().filter(|mutant| !rare.contains(mutant)) {
        let setup = Setup { mutant: Some(mutant), connection_losses: false, ..large(3, 3) };
        let time = if mutant == Mutant::NoRest { Time::Ticks(40) } else { Time::Still };
        let caught = (0..20_000).find(|seed| drawn(Setup { time, ..setup }, *seed, 300).violation().is_some());
        assert!(caught.is_some(), "{mutant:?} was not caught in 20,000 walks");
    }
}
