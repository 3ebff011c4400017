//! The shipped lock keeps its promises in every profile, and wrong ones are caught.

use simulations::invariant::{Promise, vacuous};
use simulations::{Campaign, Level, Mutant, Profile, Scale, shrink};

fn campaign(profile: Profile, mutant: Option<Mutant>) -> Campaign {
    Campaign { level: Level::Node, profile, scale: Scale::default(), mutant, expected_only: mutant.is_some() }
}

#[test]
fn every_promise_holds_in_every_profile() {
    let profiles = [
        (Profile::Healthy, 0..300),
        (Profile::SomeFaults, 0..300),
        (Profile::ManyFaults, 0..600),
        (Profile::Contention, 0..300),
        (Profile::MixedFleet, 0..300),
    ];
    for (profile, seeds) in profiles {
        let report = campaign(profile, None).run(seeds, 2, &|| ());
        let fallen = report.fallen.map(|fallen| (fallen.seed, fallen.violation.to_string()));
        assert_eq!(fallen, None, "{profile:?}");
        assert_eq!(vacuous(&report.seen, profile), Vec::<&str>::new(), "{profile:?}");
    }
}

/// The mutants that are caught within a few hundred seeds; `simulations mutants` runs all.
#[test]
fn wrong_protocols_fall() {
    let quick = [
        Mutant::NoSeal,
        Mutant::EmptyCounterVotes,
        Mutant::ReachableQuorum,
        Mutant::ValidFromReplies,
        Mutant::UnknownIsGranted,
        Mutant::UnknownNotReleased,
        Mutant::ReleaseWithoutHolder,
        Mutant::ExtendAfterRelease,
        Mutant::NoRest,
        Mutant::NoClockStart,
        Mutant::CheckThenWrite,
        Mutant::LossByReplyOnly,
        Mutant::WakeIsLost,
        Mutant::DeadHeadIsNext,
        Mutant::ReservationWithoutEnd,
        Mutant::OrdersDiffer,
        Mutant::LeaveIgnored,
        Mutant::NoAnchor,
        Mutant::ForeignIgnored,
    ];
    let survivors: Vec<String> = quick
        .into_iter()
        .filter(|mutant| campaign(mutant.profile(), Some(*mutant)).run(0..3_000, 2, &|| ()).fallen.is_none())
        .map(Mutant::name)
        .collect();
    assert_eq!(survivors, Vec::<String>::new());
}

#[test]
fn a_violation_shrinks_to_a_plan_that_breaks_the_same_promise() {
    let campaign = campaign(Profile::ManyFaults, Some(Mutant::NoRest));
    let fallen = campaign.run(0..3_000, 2, &|| ()).fallen.unwrap();
    let plan = campaign.plan(fallen.seed);
    let (small, outcome) =
        shrink(&plan, fallen.violation.promise, &|plan| campaign.level.run(plan, campaign.mutant, false));
    assert!(small.size() < plan.size() / 2, "{} parts of {}", small.size(), plan.size());
    assert!(outcome.violations.iter().any(|violation| violation.promise == Promise::X));
    // The small plan can be saved and read again, and breaks nothing under the right protocol.
    let again = serde_json::from_str(&serde_json::to_string(&small).unwrap()).unwrap();
    assert_eq!(small, again);
    assert_eq!(campaign.level.run(&again, None, false).violations, Vec::new());
}

#[test]
fn every_plan_that_is_drawn_can_be_run_and_written_down() {
    for seed in 0..2_000 {
        let profile = if seed % 2 == 0 { Profile::ManyFaults } else { Profile::MixedFleet };
        let plan = campaign(profile, None).plan(seed);
        assert_eq!(plan.check(), Ok(()), "seed {seed}");
        assert_eq!(serde_json::from_str::<simulations::Plan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    }
}
