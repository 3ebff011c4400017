//! W: if nothing goes wrong, a waiter has the lease soon after the lock was released, and not only when it would have
//! expired: no wake is lost.

use super::{Promise, Violation, at};
use crate::history::{Micros, Stay};
use crate::plan::{Bootstrap, NetworkProfile, Operation, Plan};

/// A call that waited for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Whose.
    pub client: u8,
    /// For what.
    pub resource: String,
    /// Since when.
    pub since_us: Micros,
    /// Until it had the lease, or gave up.
    pub until_us: Micros,
    /// Whether it had the lease.
    pub served: bool,
}

/// Judges the waits of a run. A plan with disturbances is not judged, and neither is one whose TTL is so short that
/// locks expire soon anyway.
#[must_use]
pub fn woken(plan: &Plan, waits: &[Wait], stays: &[Stay]) -> Option<Violation> {
    let within_us = u64::from(plan.terms.ttl_ms) * 1_000 / 2;
    if within_us < WITHIN_MIN_US || is_disturbed(plan) {
        return None;
    }
    let in_vain = |wait: &&Wait| {
        let ends = stays.iter().filter(|stay| stay.resource == wait.resource && stay.returned_us < wait.until_us);
        let free_us = ends.map(|stay| stay.until_us).max().unwrap_or_default();
        wait.until_us.saturating_sub(free_us.max(wait.since_us)) > within_us
    };
    waits.iter().find(in_vain).map(|Wait { resource, since_us, until_us, .. }| Violation {
        promise: Promise::W,
        at_us: *until_us,
        description: format!("{resource} was free, and a client still waited since {}", at(*since_us)),
    })
}

/// Attempts that block each other pause for up to a quarter of a second.
const WITHIN_MIN_US: Micros = 500_000;

/// Whether something goes wrong, or a call is dropped. A client of another library wakes no waiter.
pub(super) fn is_disturbed(plan: &Plan) -> bool {
    let NetworkProfile { loss_per_mille, tail_per_mille, .. } = plan.network;
    let stalls = |operation: &Operation| match *operation {
        Operation::Stall { .. } => true,
        Operation::Write { stall_ms, .. } => stall_ms > 0,
        Operation::Work { .. } | Operation::Extend { .. } => false,
    };
    let mut sections = plan.clients.iter().flat_map(|client| &client.sections);
    !plan.faults.is_empty()
        || !plan.foreign.is_empty()
        || loss_per_mille + tail_per_mille > 0
        || plan.bootstrap != Bootstrap::Done
        || sections.any(|section| section.cancel_ms.is_some() || section.operations.iter().any(stalls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Profile, Scale};

    #[test]
    fn a_client_that_waits_while_the_lock_is_free_is_found() {
        let seeds = 0..;
        let mut plans = seeds.map(|seed| Plan::draw(seed, Profile::Healthy, Scale::default()));
        let plan = plans.find(|plan| plan.terms.ttl_ms == 2_000 && !is_disturbed(plan)).unwrap();
        let stay = Stay {
            resource: "r".to_owned(),
            holder: "h".to_owned(),
            token: redfence::FencingToken::new(1_767_225_600_000_000).unwrap(),
            began_us: 0,
            returned_us: 10,
            ttl_us: 2_000_000,
            extended_us: None,
            valid_until_us: 1_900_000,
            until_us: 500_000,
            latecomer: false,
        };
        let wait = |until_us| [Wait { client: 1, resource: "r".to_owned(), since_us: 20, until_us, served: true }];
        assert_eq!(woken(&plan, &wait(1_400_000), std::slice::from_ref(&stay)), None);
        let found = woken(&plan, &wait(1_600_000), std::slice::from_ref(&stay)).unwrap();
        assert_eq!(found.promise, Promise::W);
        let disturbed = Plan { bootstrap: Bootstrap::JustStarted, ..plan };
        assert_eq!(woken(&disturbed, &wait(1_600_000), &[stay]), None, "nodes rest");
    }
}
