//! The promises of the protocol, over random worlds: any number of nodes, replies in any order, lost and late, locks
//! that vanish and nodes that forget at any moment, two or three attempts interleaved.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use proptest::prelude::*;
use simulations::{Mutant, Setup, World};

fn run(setup: Setup, choices: &[u32]) -> World {
    let mut world = World::new(setup).unwrap();
    for choice in choices {
        world.choose(*choice);
        if world.violation().is_some() {
            return world;
        }
    }
    world.settle();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2500, failure_persistence: None, ..ProptestConfig::default() })]

    /// T1, T2, the earliest sound moment and the end of every attempt, under every fault.
    #[test]
    fn tokens_are_unique_and_ordered_whatever_happens(
        nodes in 1_usize..=9,
        clients in 2_usize..=3,
        choices in prop::collection::vec(any::<u32>(), 0..300),
    ) {
        let world = run(Setup { nodes, clients, mutant: None, locks_vanish: true }, &choices);
        prop_assert_eq!(world.violation(), None);
    }

    /// X and the stated validity as well, where no lock vanishes and clocks run alike.
    #[test]
    fn one_holder_believes_at_a_time_where_no_lock_vanishes(
        nodes in 1_usize..=9,
        clients in 2_usize..=3,
        choices in prop::collection::vec(any::<u32>(), 0..300),
    ) {
        let world = run(Setup { nodes, clients, mutant: None, locks_vanish: false }, &choices);
        prop_assert_eq!(world.violation(), None);
    }
}

/// The worlds above are not vacuous: leases are issued, and often several in one world.
#[test]
fn leases_are_issued() {
    let leases: Vec<_> = (0..200).map(|seed| simulations::run_seed(seed, None, None, None).unwrap().leases).collect();
    let several = leases.iter().filter(|leases| **leases > 1).count();
    assert!(leases.iter().sum::<u64>() > 200 && several > 40, "{leases:?}");
}

/// Random worlds see every mutant fall: the checks can fail. `short_cuts.rs` tells the shortest story of each.
#[test]
fn random_worlds_catch_every_mutant() {
    for mutant in [
        Mutant::NoSeal,
        Mutant::ForgottenCounterVotes,
        Mutant::ReachableQuorum,
        Mutant::ExtendReseeds,
        Mutant::GrantTwice,
        Mutant::SealWithoutHolder,
    ] {
        let caught = (0..20_000).find(|seed| simulations::run_seed(*seed, Some(3), Some(3), Some(mutant)).is_err());
        assert!(caught.is_some(), "{mutant:?} was not caught in 20,000 seeds");
    }
}
