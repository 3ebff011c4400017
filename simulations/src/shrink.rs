//! Makes a plan smaller while it still breaks the same promise: fewer faults, clients, turns and acts, and calmer ones.

use crate::harness::Outcome;
use crate::invariant::Promise;
use crate::plan::{Act, Air, End, Founding, Machine, Plan, Sharing};

/// The most runs that shrinking may take.
const RUNS_MAX: usize = 4_000;

/// The smallest plan that was found to break `promise` as `plan` does, with what came of it. `run` runs a plan.
#[must_use]
pub fn shrink(plan: &Plan, promise: Promise, run: &dyn Fn(&Plan) -> Outcome) -> (Plan, Outcome) {
    let mut best = (plan.clone(), run(plan));
    let mut runs = 0;
    loop {
        let (before, mut at) = (best.0.clone(), 0);
        // After a success the next candidate has taken the place of this one.
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

/// Plans that are a little smaller, the boldest first. None equals `plan`.
fn candidates(plan: &Plan) -> impl Iterator<Item = Plan> {
    let whole = clients(plan).chain(faults(plan)).chain(turns(plan)).chain(acts(plan)).chain(calmer(plan));
    whole.filter(move |candidate| candidate != plan)
}

/// Without one of the clients. The others keep their numbers: one without turns does nothing.
fn clients(plan: &Plan) -> impl Iterator<Item = Plan> {
    let last = with(plan, |plan| drop(plan.clients.pop()));
    let idle = (0..plan.clients.len()).map(|at| {
        with(plan, |plan| {
            if let Some(client) = plan.clients.get_mut(at) {
                client.turns.clear();
            }
        })
    });
    std::iter::once(last).filter(|plan| !plan.clients.is_empty()).chain(idle)
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

fn turns(plan: &Plan) -> impl Iterator<Item = Plan> {
    places(plan).map(|(client, turn)| {
        with(plan, |plan| {
            if let Some(client) = plan.clients.get_mut(client) {
                client.turns.remove(turn);
            }
        })
    })
}

fn acts(plan: &Plan) -> impl Iterator<Item = Plan> {
    let acts = |(client, turn): (usize, usize)| {
        let acts = plan.clients.get(client).and_then(|client| client.turns.get(turn)).map_or(0, |turn| turn.acts.len());
        (0..acts).map(move |act| (client, turn, act))
    };
    places(plan).flat_map(acts).map(|(client, turn, act)| {
        with(plan, |plan| {
            if let Some(turn) = plan.clients.get_mut(client).and_then(|client| client.turns.get_mut(turn)) {
                turn.acts.remove(act);
            }
        })
    })
}

/// With one thing less that is out of the ordinary.
fn calmer(plan: &Plan) -> impl Iterator<Item = Plan> {
    let right = Machine { offset_ms: 0, drift_ppm: 0 };
    let still = Air { tail_per_mille: 0, tail_ms: 0, loss_per_mille: 0, latency_ms: (1, 1) };
    let whole = [
        with(plan, |plan| plan.air = still),
        with(plan, |plan| plan.air.loss_per_mille = 0),
        with(plan, |plan| plan.air.tail_per_mille = 0),
        with(plan, |plan| plan.founding = Founding::Done),
        with(plan, |plan| plan.sharing = Sharing::default()),
        with(plan, |plan| plan.clients.iter_mut().for_each(|client| client.tasks = 1)),
        with(plan, |plan| plan.nodes.fill(right)),
        with(plan, |plan| plan.clients.iter_mut().for_each(|client| client.machine = right)),
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
    let plainer = places(plan).map(|(client, turn)| {
        with(plan, |plan| {
            if let Some(turn) = plan.clients.get_mut(client).and_then(|client| client.turns.get_mut(turn)) {
                turn.cancel_ms = None;
                turn.end = End::Release { cancel_ms: None };
                for act in &mut turn.acts {
                    match act {
                        Act::Write { flight_ms, .. } => *flight_ms = 0,
                        Act::Extend { cancel_ms } => *cancel_ms = None,
                        Act::Work { .. } | Act::Stall { .. } => {}
                    }
                }
            }
        })
    });
    whole.into_iter().chain(fewer_tasks).chain(machines).chain(plainer)
}

/// Every turn, by client and number.
fn places(plan: &Plan) -> impl Iterator<Item = (usize, usize)> {
    let clients = plan.clients.iter().enumerate();
    clients.flat_map(|(number, client)| (0..client.turns.len()).map(move |turn| (number, turn)))
}

fn with(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan.clone();
    change(&mut plan);
    plan
}
