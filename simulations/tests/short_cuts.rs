//! The short cuts that tempt everybody who writes a quorum lock with tokens, each as a story of three nodes that shows
//! what goes wrong, and that the same story is harmless without the short cut.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use redfence::{NodeId, NodeSet};
use simulations::{Mutant, Setup, Violation, World};

fn world(mutant: Option<Mutant>) -> World {
    World::new(Setup { nodes: 3, clients: 3, mutant, locks_vanish: true }).unwrap()
}

/// The counters of the three nodes, above a common base.
fn counters(world: &mut World, above: [u64; 3]) {
    let slot = world.slot();
    for (node, above) in above.into_iter().enumerate() {
        world.node(node).unwrap().set_counter(slot, 1_700_000_000_000_000 + above);
    }
}

/// `attempt` asks `node`, and hears its answer.
fn ask(world: &mut World, attempt: usize, node: usize) {
    world.deliver(attempt, node);
    world.answer(attempt, node);
}

fn begin(world: &mut World) -> usize {
    world.begin_reaching(NodeSet::first(3), 0).unwrap()
}

/// Runs `story` with the short cut and without: only the first may break a promise.
fn shows(mutant: Mutant, story: impl Fn(&mut World)) -> Violation {
    let mut right = world(None);
    story(&mut right);
    assert_eq!(right.violation(), None, "the protocol itself breaks");
    let mut wrong = world(Some(mutant));
    story(&mut wrong);
    wrong.violation().unwrap_or_else(|| panic!("{mutant:?} went unnoticed: {:?}", wrong.history()))
}

#[test]
fn a_maximum_without_a_seal_issues_tokens_out_of_order() {
    let violation = shows(Mutant::NoSeal, |world| {
        counters(world, [2, 0, 0]);
        let a = begin(world);
        ask(world, a, 0); // draws 3
        ask(world, a, 1); // draws 1: the token is 3, and node 2 is not told
        ask(world, a, 1); // the seal, without the short cut
        world.leave(0);
        world.deliver(a, 0);
        world.deliver(a, 1);
        let b = begin(world);
        ask(world, b, 1); // draws 2
        ask(world, b, 2); // draws 1: the token is 2
        ask(world, b, 2);
    });
    assert!(matches!(violation, Violation::OutOfOrder(..)), "{violation}");
}

#[test]
fn a_seal_without_the_holder_check_issues_one_token_twice() {
    let violation = shows(Mutant::SealWithoutHolder, |world| {
        counters(world, [4, 2, 4]);
        let a = begin(world);
        ask(world, a, 0); // draws 5
        ask(world, a, 1); // draws 3: a seal of 5 is on its way to node 2
        world.lock_vanishes(1);
        let b = begin(world);
        ask(world, b, 1); // draws 4
        ask(world, b, 2); // draws 5: a seal of 5 is on its way to node 2 as well
        ask(world, a, 1); // the seal of A, whose lock is not there any more
        ask(world, b, 1);
    });
    assert!(matches!(violation, Violation::SameToken(..)), "{violation}");
}

#[test]
fn a_forgotten_counter_that_votes_issues_an_old_token_again() {
    let violation = shows(Mutant::ForgottenCounterVotes, |world| {
        let a = begin(world);
        for node in [0, 1] {
            ask(world, a, node);
        }
        ask(world, a, 0);
        ask(world, a, 1);
        world.leave(0);
        for node in 0..3 {
            world.deliver(a, node);
            world.deliver(a, node);
            world.node_forgets(node);
        }
        let b = begin(world);
        for node in [0, 1, 0, 1] {
            ask(world, b, node);
        }
    });
    assert!(matches!(violation, Violation::SameToken(..) | Violation::OutOfOrder(..)), "{violation}");
}

#[test]
fn a_quorum_of_reachable_nodes_has_two_holders() {
    let only = |node| NodeSet::from_iter([NodeId::new(node).unwrap()]);
    let mut wrong =
        World::new(Setup { nodes: 3, clients: 3, mutant: Some(Mutant::ReachableQuorum), locks_vanish: false }).unwrap();
    let a = wrong.begin_reaching(only(0), 0).unwrap();
    ask(&mut wrong, a, 0);
    let b = wrong.begin_reaching(only(1), 0).unwrap();
    ask(&mut wrong, b, 1);
    assert_eq!(wrong.history().leases.len(), 2);
    assert!(wrong.violation().is_some());

    let mut right = world(None);
    let a = right.begin_reaching(only(0), 0).unwrap();
    ask(&mut right, a, 0);
    right.settle();
    assert!(right.history().leases.is_empty(), "one of three configured nodes is no quorum");
}

#[test]
fn a_reseeded_node_that_votes_in_extend_hides_a_lost_lease() {
    let violation = shows(Mutant::ExtendReseeds, |world| {
        counters(world, [0, 0, 0]);
        let a = begin(world);
        ask(world, a, 0);
        ask(world, a, 1);
        world.lock_vanishes(0);
        world.lock_vanishes(1);
        let b = begin(world);
        ask(world, b, 0);
        ask(world, b, 1);
        world.leave(1);
        world.deliver(b, 2); // its grant
        for node in 0..3 {
            world.deliver(b, node); // its releases
        }
        world.extend(0);
        for node in 0..2 {
            ask(world, a, node);
        }
        ask(world, a, 2);
        ask(world, a, 2);
    });
    assert!(matches!(violation, Violation::Bridged(..)), "{violation}");
}

#[test]
fn a_grant_that_is_delivered_twice_lets_an_old_attempt_pass_its_seal() {
    let violation = shows(Mutant::GrantTwice, |world| {
        counters(world, [4, 2, 4]);
        let a = begin(world);
        ask(world, a, 0); // draws 5
        ask(world, a, 1); // draws 3: a seal of 5 is on its way to node 2
        world.lock_vanishes(1);
        let b = begin(world);
        ask(world, b, 1); // draws 4
        ask(world, b, 2); // draws 5: a seal of 5 is on its way to node 2
        world.deliver(b, 1); // its seal, or the repeated grant first
        world.deliver(b, 1);
        world.answer(b, 1); // B holds 5
        world.leave(1);
        world.deliver(b, 1); // its release
        world.deliver(a, 1); // the repeated grant of A, with the short cut; its seal, without
        world.deliver(a, 1); // its seal
        world.answer(a, 1);
    });
    assert!(matches!(violation, Violation::SameToken(..)), "{violation}");
}
