//! W if clients pause, die, cancel and leave, and nodes and network are healthy: a waiting client has the lease soon
//! after the lock has expired or was released. The lock of a dead process ends when its TTL expires. The lock of a
//! paused process ends then too, or is released when the process continues. A waiter may also get no wake, because the
//! process that was woken before it died. It asks again when the lock that refused it would have expired: one TTL
//! later.

use super::{Promise, Violation, Wait, at};
use crate::history::{Micros, Stay};
use crate::plan::{Bootstrap, Fault, NetworkProfile, Plan};

/// A client that was paused or died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disturbance {
    /// Which.
    pub client: u8,
    /// From when on.
    pub from_us: Micros,
    /// Until when; `None` where it died.
    pub until_us: Option<Micros>,
}

/// Allowance for reservations, for pauses after attempts met, and for the order of waiters that ask at one time.
const SLACK_US: Micros = 1_000_000;

/// Judges the waits of a run in which only clients were disturbed.
#[must_use]
pub fn served(plan: &Plan, waits: &[Wait], stays: &[Stay], disturbances: &[Disturbance]) -> Option<Violation> {
    if !only_clients_are_disturbed(plan) {
        return None;
    }
    let ttl_us = u64::from(plan.terms.ttl_ms) * 1_000;
    let in_vain = |wait: &&Wait| {
        let ends = stays.iter().filter(|stay| stay.resource == wait.resource && stay.returned_us < wait.until_us);
        let disturbed = disturbances.iter().filter(|one| one.from_us < wait.until_us);
        let freed = disturbed.map(|one| match one.until_us {
            Some(until_us) if one.client == wait.client => until_us,
            Some(until_us) => until_us.min(one.from_us + ttl_us),
            None => one.from_us + ttl_us,
        });
        let free_us = ends.map(|stay| stay.until_us).chain(freed).max().unwrap_or_default();
        wait.until_us.saturating_sub(free_us.max(wait.since_us)) > ttl_us + SLACK_US
    };
    waits.iter().find(in_vain).map(|Wait { resource, since_us, until_us, .. }| Violation {
        promise: Promise::W,
        at_us: *until_us,
        description: format!("the lock of {resource} had expired, and a client still waited since {}", at(*since_us)),
    })
}

fn only_clients_are_disturbed(plan: &Plan) -> bool {
    let NetworkProfile { loss_per_mille, tail_per_mille, .. } = plan.network;
    let is_of_a_client = |fault: &Fault| {
        matches!(
            fault,
            Fault::Pause { .. } | Fault::Reboot { .. } | Fault::ClientClock { .. } | Fault::SlowStore { .. }
        )
    };
    loss_per_mille + tail_per_mille == 0
        && plan.bootstrap == Bootstrap::Done
        && plan.foreign.is_empty()
        && plan.faults.iter().all(|fault| is_of_a_client(&fault.fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Section;

    #[test]
    fn a_client_waits_for_the_locks_of_dead_and_paused_clients_and_no_longer() {
        let plan = Plan::of(3).client([Section::after(0)]).fault(0, Fault::Reboot { client: 1, down_ms: 10 });
        let wait = |until_us| [Wait { client: 0, resource: "r".to_owned(), since_us: 20, until_us, served: true }];
        let died = Disturbance { client: 1, from_us: 100_000, until_us: None };
        let still = Disturbance { until_us: Some(300_000), ..died };
        let itself = Disturbance { client: 0, until_us: Some(900_000), ..died };
        // A time to live is 500 ms.
        for (disturbance, late_us) in [(died, 2_100_000), (still, 1_800_000), (itself, 2_400_000)] {
            assert_eq!(served(&plan, &wait(late_us), &[], &[disturbance]), None, "{disturbance:?}");
            let found = served(&plan, &wait(late_us + 1), &[], &[disturbance]).unwrap();
            assert_eq!(found.promise, Promise::W, "{disturbance:?}");
        }
        let at_a_node = plan.fault(1, Fault::Flush { node: 0 });
        assert_eq!(served(&at_a_node, &wait(9_000_000), &[], &[died]), None, "a node was disturbed");
    }
}
