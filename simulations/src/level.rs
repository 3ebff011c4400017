//! [`Level`]: what simulates nodes and network.

use crate::Mutant;
use crate::harness::{NodeLevel, Outcome, run_on};
use crate::plan::Plan;
use crate::stream::StreamLevel;

/// What simulates nodes and network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Level {
    /// The shipped node state, at the `Node` trait.
    #[default]
    Node,
    /// The real client and the shipped scripts over a network of bytes, with virtual servers.
    Stream,
}

impl Level {
    /// Runs a plan.
    #[must_use]
    pub fn run(self, plan: &Plan, mutant: Option<Mutant>, traced: bool) -> Outcome {
        match self {
            Self::Node => run_on(
                &|world, plan, resources, mutant| NodeLevel::new(world, plan, resources, mutant),
                plan,
                mutant,
                traced,
            ),
            Self::Stream => run_on(
                &|world, plan, resources, mutant| StreamLevel::new(world, plan, resources, mutant),
                plan,
                mutant,
                traced,
            ),
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Stream => "stream",
        }
    }
}
