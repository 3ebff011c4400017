//! Renewal starved. Client 0 holds the lock and works for long, but the network loses everything that it sends. No
//! renewal gets through, no connection breaks, and no node refuses. Silence does not extend a lease: it is lost at its
//! end, and client 0 stops before client 1 can begin.

use super::{Expectation, Scenario, ShortCut};
use crate::Mutant;
use crate::invariant::Promise;
use crate::plan::{Fault, Plan, Section};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "renewal-starved",
    source: include_str!("renewal_starved.rs"),
    plan: || {
        let cut = Fault::isolation(0, 1_400);
        Plan::of(3)
            .client([Section::after(0).work(1_300)])
            .client([Section::after(50).wait(1_500).work(600)])
            .fault(20, cut)
            .faults_end_at(1_500)
    },
    expectations: &[
        Expectation { what: "client 0 loses its lease", holds: |run| run.seen().lost == 1 },
        Expectation { what: "client 1 gets the lock when client 0's lease has ended", holds: |run| run.follows(0, 1) },
    ],
    short_cut: Some(ShortCut {
        mutant: Mutant::LossByReplyOnly,
        what: "a holder believes in its lease until a reply says that the lock is gone",
        breaks: Promise::X,
    }),
};
