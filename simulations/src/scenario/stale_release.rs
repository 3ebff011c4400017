//! Stale release.
//!
//! Client 0 is paused until its lease is over and client 1 has the lock, and then it releases. A release checks the
//! holder of the lock. It is no longer client 0, so nothing is removed, and client 2 has to wait for client 1.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stale-release",
    source: include_str!("stale_release.rs"),
    plan: || {
        Plan::of(1)
            .client([Section::after(0).stall(700)])
            .client([Section::after(520).wait(200).work(400)])
            .client([Section::after(710).wait(600).work(100)])
            .faults_end_at(1_300)
    },
    expectations: &[
        Expectation { what: "client 1 gets the lock when client 0's lease has ended", holds: |run| run.follows(0, 1) },
        Expectation { what: "client 2 gets it when client 1 has released", holds: |run| run.follows(1, 2) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::ReleaseWithoutHolder,
        what: "a release removes the lock, also that of another holder",
        breaks: Promise::X,
    }),
};
