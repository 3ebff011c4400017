//! [`search`]: every state of a world, breadth first.

use std::num::NonZeroUsize;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::{Action, State, Trace, World};

/// The bounds of a search.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// The most steps from a beginning.
    pub steps_max: Option<NonZeroUsize>,
    /// About the most states. A state counts each time it is reached.
    pub states_max: Option<NonZeroUsize>,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// How often states were reached. A state counts each time.
    pub reached: usize,
    /// The most steps from a beginning.
    pub steps: usize,
    /// Whether all states were visited: no bound was reached, and no promise broke.
    pub exhausted: bool,
    /// The shortest trace in which a promise breaks.
    pub broken: Option<Trace>,
    /// The shortest trace of each thing that should happen, to show that the promises were really tested.
    pub happens: Vec<(&'static str, Option<Trace>)>,
}

/// The only property that must always hold. So a search ends at the first trace that breaks a promise. Traces are
/// visited in the order of their length, so there is no shorter one.
const HOLDS: &str = "every promise holds";
/// What happens in some world.
const HAPPENS: [(&str, Condition); 5] = [
    ("an attempt acquires", |_, state| state.leases().count() > 0),
    ("all attempts acquire, one after the other", |world, state| state.leases().count() == world.setup.attempts),
    ("a newer lease is returned while an older one waits for its extension", |_, state| state.extends_behind()),
    ("a lease is handed over although a newer one was returned", |_, state| state.hands_over_behind()),
    ("a foreign client acquires", |_, state| state.foreign.believes()),
];

type Condition = fn(&World, &State) -> bool;

/// Visits every state of `world` within `bounds`, until a promise breaks.
#[must_use]
pub fn search(world: &World, bounds: Bounds) -> Found {
    // One thread, because several would not visit traces in the order of length.
    let mut checker = world.clone().checker().finish_when(HasDiscoveries::AnyFailures);
    if let Some(steps) = bounds.steps_max {
        checker = checker.target_max_depth(steps.get() + 2);
    }
    if let Some(states) = bounds.states_max {
        checker = checker.target_state_count(states.get());
    }
    let checker = checker.spawn_bfs().join();
    let trace = |name| {
        let steps = checker.discovery(name)?.into_vec();
        let beginning = steps.first().map(|(state, _)| state.clone())?;
        Some(Trace::of(world, &beginning, steps.into_iter().filter_map(|(_, action)| action)))
    };
    let broken = trace(HOLDS);
    let cut_off = bounds.states_max.is_some_and(|max| checker.state_count() >= max.get());
    let steps = checker.max_depth().saturating_sub(1);
    let bounded = cut_off || bounds.steps_max.is_some_and(|max| steps > max.get());
    Found {
        states: checker.unique_state_count(),
        reached: checker.state_count(),
        steps,
        exhausted: !bounded && broken.is_none(),
        happens: world.happens().map(|(name, _)| (name, trace(name))).collect(),
        broken,
    }
}

impl World {
    /// What should happen in some world of this setup. A mutant only has to break a promise.
    fn happens(&self) -> impl Iterator<Item = (&'static str, Condition)> + use<> {
        let super::Setup { mutant, only_rivals, extensions, block, foreign, .. } = self.setup;
        let asked = [true, !only_rivals, !only_rivals && extensions > 0, !only_rivals && block > 1, foreign.is_some()];
        HAPPENS.into_iter().zip(asked).filter(move |(_, asked)| *asked && mutant.is_none()).map(|(what, _)| what)
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.beginnings()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.choices(state));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.step(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let holds = Property::always(HOLDS, |_, state: &State| state.violation().is_none());
        let happens = self.happens().map(|(name, condition)| Property::sometimes(name, condition));
        std::iter::once(holds).chain(happens).collect()
    }
}
