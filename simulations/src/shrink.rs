//! Makes a plan smaller while it still breaks the same promise: fewer and simpler faults, clients, sections and
//! operations.

use crate::harness::Outcome;
use crate::invariant::Promise;
use crate::plan::{Bootstrap, ClockError, End, NetworkProfile, Operation, Plan, Sharing};

/// The most runs that shrinking may take.
const RUNS_MAX: usize = 4_000;

/// The smallest plan found that breaks `promise` as `plan` does, with its outcome. `run` runs a plan.
#[must_use]
pub fn shrink(plan: &Plan, promise: Promise, run: &dyn Fn(&Plan) -> Outcome) -> (Plan, Outcome) {
    let mut best = (plan.clone(), run(plan));
    let mut runs = 0;
    loop {
        let (before, mut at) = (best.0.clone(), 0);
        // After a success the next candidate is at the same index.
        loop {
            let candidate = candidates(&best.0).nth(at);
            let Some(candidate) = candidate else { break };
            if runs >= RUNS_MAX {
                return best;
            }
            runs += 1;
            let outcome = run(&candidate);
            if outcome.violations.iter().any(|violation| violation.promise == promise) {
                best = (candidate, outcome);
            } else {
                at += 1;
            }
        }
        if best.0 == before {
            return best;
        }
    }
}

/// Smaller plans, the greatest changes first. None equals `plan`.
fn candidates(plan: &Plan) -> impl Iterator<Item = Plan> {
    let whole = clients(plan)
        .chain(foreign(plan))
        .chain(faults(plan))
        .chain(sections(plan))
        .chain(operations(plan))
        .chain(calmer(plan));
    whole.filter(move |candidate| candidate != plan)
}

/// Without one of the clients. The others keep their numbers: one without sections does nothing.
fn clients(plan: &Plan) -> impl Iterator<Item = Plan> {
    let last = with(plan, |plan| drop(plan.clients.pop()));
    let idle = (0..plan.clients.len()).map(|at| {
        with(plan, |plan| {
            if let Some(client) = plan.clients.get_mut(at) {
                client.sections.clear();
            }
        })
    });
    std::iter::once(last).filter(|plan| !plan.clients.is_empty()).chain(idle)
}

/// Without one of the clients of another library, or without one of its sections.
fn foreign(plan: &Plan) -> impl Iterator<Item = Plan> {
    let each = (0..plan.foreign.len()).map(|at| with(plan, |plan| drop(plan.foreign.remove(at))));
    let sections = plan.foreign.iter().enumerate();
    let sections = sections.flat_map(|(at, foreign)| (0..foreign.sections.len()).map(move |section| (at, section)));
    let shorter = sections.map(|(at, section)| {
        with(plan, |plan| {
            if let Some(foreign) = plan.foreign.get_mut(at) {
                foreign.sections.remove(section);
            }
        })
    });
    each.chain(shorter)
}

fn faults(plan: &Plan) -> impl Iterator<Item = Plan> {
    let count = plan.faults.len();
    let halves = [0..count / 2, count / 2..count].map(|half| with(plan, |plan| drop(plan.faults.drain(half))));
    let each = (0..count).map(|at| {
        with(plan, |plan| {
            plan.faults.remove(at);
        })
    });
    halves.into_iter().chain(each)
}

fn sections(plan: &Plan) -> impl Iterator<Item = Plan> {
    places(plan).map(|(client, section)| {
        with(plan, |plan| {
            if let Some(client) = plan.clients.get_mut(client) {
                client.sections.remove(section);
            }
        })
    })
}

fn operations(plan: &Plan) -> impl Iterator<Item = Plan> {
    let operations = |(client, section): (usize, usize)| {
        let operations = plan
            .clients
            .get(client)
            .and_then(|client| client.sections.get(section))
            .map_or(0, |section| section.operations.len());
        (0..operations).map(move |operation| (client, section, operation))
    };
    places(plan).flat_map(operations).map(|(client, section, operation)| {
        with(plan, |plan| {
            if let Some(section) = plan.clients.get_mut(client).and_then(|client| client.sections.get_mut(section)) {
                section.operations.remove(operation);
            }
        })
    })
}

/// With one unusual setting less.
fn calmer(plan: &Plan) -> impl Iterator<Item = Plan> {
    let right = ClockError { offset_ms: 0, drift_ppm: 0 };
    let still = NetworkProfile { tail_per_mille: 0, tail_ms: 0, loss_per_mille: 0, latency_ms: (1, 1) };
    let whole = [
        with(plan, |plan| plan.network = still),
        with(plan, |plan| plan.network.loss_per_mille = 0),
        with(plan, |plan| plan.network.tail_per_mille = 0),
        with(plan, |plan| plan.bootstrap = Bootstrap::Done),
        with(plan, |plan| plan.sharing = Sharing::default()),
        with(plan, |plan| plan.clients.iter_mut().for_each(|client| client.tasks = 1)),
        with(plan, |plan| plan.nodes.fill(right)),
        with(plan, |plan| plan.clients.iter_mut().for_each(|client| client.clock = right)),
    ];
    let fewer_tasks = (0..plan.clients.len()).map(move |at| {
        with(plan, |plan| {
            if let Some(client) = plan.clients.get_mut(at) {
                client.tasks = client.tasks.saturating_sub(1).max(1);
            }
        })
    });
    let machines = (0..plan.nodes.len()).map(move |at| {
        with(plan, |plan| {
            if let Some(machine) = plan.nodes.get_mut(at) {
                *machine = right;
            }
        })
    });
    let plainer = places(plan).map(|(client, section)| {
        with(plan, |plan| {
            if let Some(section) = plan.clients.get_mut(client).and_then(|client| client.sections.get_mut(section)) {
                section.cancel_ms = None;
                section.end = End::Release { cancel_ms: None };
                for operation in &mut section.operations {
                    match operation {
                        Operation::Write { flight_ms, .. } => *flight_ms = 0,
                        Operation::Extend { cancel_ms } => *cancel_ms = None,
                        Operation::Work { .. } | Operation::Stall { .. } => {}
                    }
                }
            }
        })
    });
    whole.into_iter().chain(fewer_tasks).chain(machines).chain(plainer)
}

/// Every section, by client and number.
fn places(plan: &Plan) -> impl Iterator<Item = (usize, usize)> {
    let clients = plan.clients.iter().enumerate();
    clients.flat_map(|(number, client)| (0..client.sections.len()).map(move |section| (number, section)))
}

fn with(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan.clone();
    change(&mut plan);
    plan
}
