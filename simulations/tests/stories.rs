//! Short stories, each under the right protocol and under the wrong one that it is about.

use simulations::farm::Outcome;
use simulations::invariant::Promise;
use simulations::plan::{Act, Blow, Memory, Turn, Way};
use simulations::{Level, Mutant, Plan};

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn run(plan: &Plan, mutant: Option<Mutant>) -> Outcome {
    plan.check().unwrap();
    Level::Node.run(plan, mutant, false)
}

/// Nothing is broken by the shipped lock, and this promise by the mutant.
fn assert_only_falls(plan: &Plan, mutant: Mutant, promise: Promise) {
    let right = run(plan, None);
    assert_eq!(right.violations, Vec::new());
    assert!(right.seen.acquired > 0, "nobody held anything: {:?}", right.seen);
    let broken: Vec<Promise> = run(plan, Some(mutant)).violations.iter().map(|violation| violation.promise).collect();
    assert!(broken.contains(&promise), "{mutant:?} broke {broken:?}");
}

#[test]
fn a_holder_that_stands_still_between_check_and_write_is_refused() {
    let plan =
        Plan::of(3).client([Turn::after(0).stall(900).write()]).client([Turn::after(10).wait(2_000).write().work(600)]);
    let outcome = run(&plan, None);
    assert_eq!(outcome.violations, Vec::new());
    assert_eq!(outcome.seen.stale, 1);
}

#[test]
fn a_verifier_that_writes_later_than_it_checks_lets_an_old_write_land_on_a_newer_one() {
    let old = Turn::after(0).then(Act::Write { stall_ms: 0, flight_ms: 0 });
    let plan = |seed| {
        let mut plan = Plan::of(3).client([old.clone()]).client([Turn::after(3).wait(100).write()]);
        plan.seed = seed;
        plan
    };
    // How much later is chance.
    let fell = (0..50).any(|seed| {
        assert_eq!(run(&plan(seed), None).violations, Vec::new());
        run(&plan(seed), Some(Mutant::CheckThenWrite)).violation().is_some_and(|it| it.promise == Promise::F)
    });
    assert!(fell);
}

#[test]
fn a_node_that_restarts_empty_rests_until_what_it_forgot_has_expired() {
    let plan = Plan::of(1)
        .client([Turn::after(0).stall(400)])
        .client([Turn::after(150).wait(1_000)])
        .fault(99, Blow::Crash { node: 0, down_ms: 1, memory: Memory::Lost });
    assert_only_falls(&plan, Mutant::NoRest, Promise::X);
}

#[test]
fn a_holder_who_hears_nothing_stops_in_time() {
    let cut = Blow::Cut { client: Some(0), node: None, way: Way::Both, arrives_after: false, for_ms: 1_800 };
    let plan =
        Plan::of(3).client([Turn::after(0).work(1_500)]).client([Turn::after(50).wait(1_500).work(100)]).fault(20, cut);
    assert_only_falls(&plan, Mutant::LossByReplyOnly, Promise::X);
    assert_eq!(run(&plan, None).seen.lost, 1);
}

#[test]
fn a_release_that_does_not_look_whose_lock_it_is_removes_another_ones() {
    // Everything that the first client did stands still on its way until the second one holds the lock.
    let plan = Plan::of(1)
        .client([Turn::after(0).stall(700)])
        .client([Turn::after(520).wait(200).work(400)])
        .client([Turn::after(710).wait(100)]);
    assert_only_falls(&plan, Mutant::ReleaseWithoutHolder, Promise::X);
}

#[test]
fn what_was_not_answered_is_released_all_the_same() {
    let cut = Blow::Cut { client: Some(0), node: Some(2), way: Way::Back, arrives_after: false, for_ms: 300 };
    let mut plan = Plan::of(3).client([Turn::after(0), Turn::after(20)]).client([]).fault(10, cut).calm_at(1_000);
    (plan.terms.ttl_ms, plan.terms.max_ttl_ms) = (8_000, 8_000);
    assert_only_falls(&plan, Mutant::UnknownNotReleased, Promise::Clean);
}

#[test]
fn uneven_counters_need_a_seal() {
    let mut plan = Plan::of(3)
        .client([Turn::after(0).wait(500)])
        .client([Turn::after(40).wait(500)])
        .fault(0, Blow::Cut { client: Some(0), node: Some(2), way: Way::Both, arrives_after: false, for_ms: 30 })
        .fault(35, Blow::Cut { client: Some(1), node: Some(0), way: Way::Both, arrives_after: false, for_ms: 900 });
    plan.ahead = vec![2, 0, 0];
    assert_only_falls(&plan, Mutant::NoSeal, Promise::T2);
}

#[test]
fn a_process_that_stands_still_renews_nothing() {
    let plan = Plan::of(3)
        .client([Turn::after(0).work(1_500)])
        .client([Turn::after(10).wait(1_500).write()])
        .fault(50, Blow::Pause { client: 0, for_ms: 1_000 });
    let outcome = run(&plan, None);
    assert_eq!(outcome.violations, Vec::new());
    assert_eq!(outcome.seen.lost, 1, "{:?}", outcome.seen);
    // The second client got it while the first stood still, and not before the first one's validity was over.
    let stays = outcome.history.stays();
    assert!((500_000..1_050_000).contains(&stays[1].returned_us), "{stays:?}");
    assert!(stays[0].until_us < stays[1].returned_us);
}
