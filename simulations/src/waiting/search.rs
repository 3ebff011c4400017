//! [`search`]: every state of a world of waiting, breadth first.

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::process::Phase;
use super::{Action, State, Trace, World};

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// How often states were reached. A state counts each time.
    pub reached: usize,
    /// The most steps from the beginning.
    pub steps: usize,
    /// The shortest trace in which a promise breaks.
    pub broken: Option<Trace>,
    /// Whether each thing happened that should happen in some world, to show that the promises were really tested.
    pub happens: Vec<(&'static str, bool)>,
}

const HOLDS: &str = "everything holds";
type Seen = fn(&World, &State) -> bool;
/// What happens in some world.
const HAPPENS: [(&str, Seen); 3] = [
    ("every process is served", |_, state| state.processes.iter().all(|is| matches!(is.phase, Phase::Served(_)))),
    ("a process sleeps while another has the lock", |_, state| {
        state.processes.iter().any(|is| is.holds()) && state.processes.iter().any(|is| is.fires_soon() == Some(false))
    }),
    ("a process was woken by a quorum", |world, state| {
        let woken =
            |is: &super::process::Process| is.wait_state.as_ref().is_some_and(|it| world.quorum.is_met_by(it.woken));
        state.processes.iter().any(|is| woken(is))
    }),
];

/// Visits every state of `world`, until a promise breaks.
#[must_use]
pub fn search(world: &World) -> Found {
    // One thread, because several would not visit traces in the order of length.
    let mut builder = world.clone().checker().finish_when(HasDiscoveries::AnyFailures);
    if let Some(steps_max) = world.setup.steps_max {
        builder = builder.target_max_depth(steps_max);
    }
    let checker = builder.spawn_bfs().join();
    let broken = checker.discovery(HOLDS).map(|path| {
        let steps = path.into_vec().into_iter().filter_map(|(_, action)| action);
        Trace::of(world, steps)
    });
    // A search with a bound need not reach the end.
    let is_right = world.setup.mutant.is_none() && world.setup.steps_max.is_none();
    let happens = HAPPENS.into_iter().filter(|_| is_right).map(|(name, _)| (name, checker.discovery(name).is_some()));
    Found {
        states: checker.unique_state_count(),
        reached: checker.state_count(),
        steps: checker.max_depth().saturating_sub(1),
        broken,
        happens: happens.collect(),
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.choices(state));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.step(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let holds = Property::always(HOLDS, |world: &Self, state: &State| world.verdict(state).is_none());
        let is_right = self.setup.mutant.is_none();
        let happens = HAPPENS.into_iter().filter(|_| is_right).map(|(name, seen)| Property::sometimes(name, seen));
        std::iter::once(holds).chain(happens).collect()
    }
}
