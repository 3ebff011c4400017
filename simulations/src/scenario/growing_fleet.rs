//! Growing fleet.
//!
//! A program with a lock of another library knows the first node only, and has its lock there. Redfence is already
//! rolled out on three nodes. The other two nodes are a majority, and nothing is locked there. With the first node as
//! the anchor client 0 waits until the program has removed its lock. No node wakes client 0: it asks again and again.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Foreign, ForeignSection, Knows, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "growing-fleet",
    source: include_str!("growing_fleet.rs"),
    plan: || {
        let section = ForeignSection { think_ms: 0, resource: 0, wait_ms: 0, work_ms: 600 };
        Plan::of(3)
            .client([Section::after(50).wait(1_500).work(100)])
            .foreign(Foreign { knows: Knows::One, endless: true, sections: vec![section] })
            .anchor(0)
    },
    expectations: &[
        Expectation {
            what: "client 0 asks again and again, after pauses that grow",
            holds: |run| (9..=60).contains(&run.requests_between("Grant", 50, 600)),
        },
        Expectation {
            what: "it gets the lock soon after the other program has removed its own",
            holds: |run| run.acquired_within(0, 600, 900),
        },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::NoAnchor,
        what: "two nodes are a majority, with or without the node that the other program knows",
        breaks: Promise::X,
    }),
};
