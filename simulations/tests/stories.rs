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

#[test]
fn a_plan_that_cannot_be_run_is_refused_with_a_sentence() {
    let plan = || Plan::of(3).client([Turn::after(0)]);
    let mut endless = plan();
    endless.terms.max_ttl_ms = u32::MAX;
    let rows = [
        (plan(), None),
        (Plan::of(0), Some("0 nodes, 0 clients")),
        (plan().fault(2_001, Blow::Flush { node: 0 }), Some("comes after the calm")),
        (plan().fault(0, Blow::Hang { node: 0, for_ms: 600_001 }), Some("600001 ms are too long")),
        (Plan::of(3).client([Turn::after(0).work(u32::MAX)]), Some("are too long")),
        (endless, Some("are too long")),
    ];
    for (plan, complaint) in rows {
        let verdict = plan.check();
        match complaint {
            None => assert_eq!(verdict, Ok(())),
            Some(part) => {
                assert!(verdict.as_ref().is_err_and(|why| why.contains(part)), "{verdict:?} without {part:?}")
            }
        }
    }
}

/// A node that lost the lock of a living holder grants it to whoever waits, and the others refuse: the release of what was
/// granted is told to the waiter itself, which must not take it for its turn.
#[test]
fn whoever_waits_is_not_woken_by_its_own_rollback() {
    for node in 0..3 {
        let plan = Plan::of(3)
            .client([Turn::after(0).work(400)])
            .client([Turn::after(20).wait(1_000)])
            .fault(10, Blow::Evict { node, resource: 0 });
        plan.check().unwrap_or_default();
        let outcome = Level::Node.run(&plan, None, true);
        assert_eq!(outcome.violations, Vec::new());
        let asked = outcome.trace.lines().filter(|line| line.contains("c1.0 -> ") && line.contains("Grant")).count();
        assert!(asked < 60, "the waiter asked {asked} times in 400 ms, node {node}");
        assert!(asked > 3, "it never waited: {asked}");
    }
}
