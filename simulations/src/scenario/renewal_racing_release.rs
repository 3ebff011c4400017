//! Renewal racing release.
//!
//! Client 0 releases at many different times, some of them just when a renewal is due or on its way. A renewal that is
//! sent after the release would extend a lock that its holder has released, or a lock of another holder. No extension
//! is sent after a release, and client 1 gets the lock every time.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "renewal-racing-release",
    source: include_str!("renewal_racing_release.rs"),
    plan: || {
        // Renewals are due at thirds of the validity.
        let sections: Vec<Section> = (160..170).map(|ms| Section::after(20).wait(3_000).work(ms)).collect();
        let others: Vec<Section> = (0..10).map(|_| Section::after(20).wait(3_000).work(5)).collect();
        Plan::of(3).client(sections).client(others).faults_end_at(3_500)
    },
    expectations: &[
        Expectation {
            what: "both clients get all their sections",
            holds: |run| run.seen().failed == 0 && run.leases().len() >= 20,
        },
        Expectation { what: "some leases were renewed", holds: |run| run.requests("Extend") >= 3 },
        Expectation { what: "no lease is lost", holds: |run| run.seen().lost == 0 },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::ExtendAfterRelease,
        what: "the renewal that is due is sent after the release",
        breaks: Promise::Quiet,
    }),
};
