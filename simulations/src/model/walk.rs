//! [`Walk`]: one path through a world that is too large to search.

use super::attempt::Phase;
use super::{Action, Setup, State, Trace, Violation, World};

/// One path through a world. Each step is one number, drawn from a seed or by a property test. The same numbers give
/// the same path.
#[derive(Debug)]
pub struct Walk {
    world: World,
    beginning: State,
    state: State,
    taken: Vec<Action>,
}

impl Walk {
    /// Starts at one of the beginnings of `setup`, as `choice` decides. `None` for an impossible setup.
    #[must_use]
    pub fn new(setup: Setup, choice: u32) -> Option<Self> {
        let world = World::new(setup)?;
        let beginnings = world.beginnings();
        let beginning = beginnings.get(choice as usize % beginnings.len().max(1))?.clone();
        Some(Self { world, state: beginning.clone(), beginning, taken: Vec::new() })
    }

    /// Takes one step. Messages are likelier than anything else, and every action stays possible.
    pub fn choose(&mut self, choice: u32) {
        let choices = self.world.choices(&self.state);
        let total: u32 = choices.iter().map(weight).sum();
        let mut left = choice.checked_rem(total).unwrap_or_default();
        for action in choices {
            match left.checked_sub(weight(&action)) {
                Some(less) => left = less,
                None => return self.take(action),
            }
        }
    }

    /// Lets every message arrive, and then ends every attempt that still waits.
    pub fn settle(&mut self) {
        loop {
            let is_mail = |action: &Action| matches!(action, Action::Arrive { .. } | Action::Receive { .. });
            let Some(in_flight) = self.world.choices(&self.state).into_iter().find(is_mail) else { break };
            self.take(in_flight);
        }
        for attempt in 0..self.state.attempts.len() {
            if matches!(self.state.attempts.get(attempt).map(|a| &a.phase), Some(Phase::Acquiring(..))) {
                self.take(Action::Leave { attempt });
            }
        }
    }

    /// The state that it has reached.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The promise that was broken.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        self.state.violation()
    }

    /// The path so far, in words.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace::of(&self.world, &self.beginning, self.taken.iter().copied())
    }

    fn take(&mut self, action: Action) {
        if self.state.violation().is_some() {
            return;
        }
        if let Some(next) = self.world.step(&self.state, action) {
            self.state = next;
            self.taken.push(action);
        }
    }
}

/// The weight of an action: messages are the most likely, and restarts are rare because nodes rest for long after them.
const fn weight(action: &Action) -> u32 {
    match action {
        Action::Arrive { vanished: false, .. } | Action::Receive { .. } => 64,
        Action::Begin { .. } | Action::Extend { .. } => 48,
        Action::Join { .. } | Action::HandOver { .. } | Action::Foreign(_) => 16,
        Action::Tick => 8,
        Action::Arrive { .. } | Action::Leave { .. } | Action::LoseConnection { .. } => 4,
        Action::Restart { .. } => 1,
    }
}

impl State {
    /// Whether an attempt waits for an extension although a lease with a greater token was returned.
    pub(super) fn extends_behind(&self) -> bool {
        let newest = self.greatest_token();
        self.attempts
            .iter()
            .any(|attempt| matches!(&attempt.phase, Phase::Extending(lease, ..) if Some(lease.tokens.last) < newest))
    }

    /// Whether a lease was handed over while a lease with a greater token existed.
    pub(super) fn hands_over_behind(&self) -> bool {
        let newest = self.greatest_token();
        let behind =
            |phase: &Phase| phase.lease().is_some_and(|lease| lease.handed_over && Some(lease.tokens.last) < newest);
        self.attempts.iter().any(|attempt| behind(&attempt.phase))
    }
}
