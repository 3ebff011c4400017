//! Whether every process can still be served, if nothing goes wrong from a state on.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::PoisonError;

use super::Action;
use super::state::State;
use super::world::World;

/// A living process that waits and is not served, if messages arrive, holders release and timers fire from `state` on.
/// This follows one path of many. One path that ends well proves that `state` is no dead end. States on such a path are
/// remembered.
pub(super) fn unserved(world: &World, state: &State) -> Option<usize> {
    let waits = |state: &State| state.processes.iter().position(|process| process.wants());
    let served_from = || world.served_from.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut passed, mut lately, mut is_late) = (HashSet::new(), HashSet::new(), false);
    let mut state = state.clone();
    while let Some(process) = waits(&state) {
        let print = fingerprint(&state);
        if served_from().contains(&print) {
            break;
        }
        passed.insert(print);
        if !lately.insert(print) {
            if is_late {
                return Some(process);
            }
            // Processes ask again and again until the lock or reservation that blocks them has ended.
            is_late = true;
            lately.clear();
        }
        match next(world, &state, is_late) {
            Some(later) => state = later,
            None => return Some(process),
        }
    }
    served_from().extend(passed);
    None
}

/// Messages first, then releases, short timers and long ones. Among several processes it takes one that was woken, or
/// else the one that has waited longest. If `is_late`, locks and reservations that may have ended have ended.
fn next(world: &World, state: &State, is_late: bool) -> Option<State> {
    let on = world.going_on(state);
    let lapsed = |action: &&Action| matches!(action, Action::Arrive { lapsed: true, .. });
    let woken = |action: &&Action| match action {
        Action::TimerFires { process } => state.processes.get(*process).is_some_and(|process| process.overrides()),
        _ => false,
    };
    let calmly = || match on.first() {
        Some(Action::TimerFires { .. }) => on.iter().find(woken).or(on.first()),
        first => first,
    };
    let first = on.iter().filter(|_| is_late).find(lapsed).or_else(calmly).copied();
    world.step(state, first.or_else(|| world.timers(state, false).next())?)
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}
