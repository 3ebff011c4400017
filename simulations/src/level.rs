//! [`Level`]: what simulates nodes and network.

use std::sync::Arc;

use crate::Mutant;
use crate::harness::{Build, NodeLevel, Outcome, run_on, run_workload_on};
use crate::plan::Plan;
use crate::stream::StreamLevel;
use crate::workload::Workload;

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
        run_on(self.cluster(), plan, mutant, traced)
    }

    /// Runs a plan with a workload of your own: writes of the plan are its operations.
    #[must_use]
    pub fn run_workload(
        self,
        plan: &Plan,
        workload: Arc<dyn Workload>,
        mutant: Option<Mutant>,
        traced: bool,
    ) -> Outcome {
        run_workload_on(self.cluster(), plan, Some(workload), mutant, traced)
    }

    /// How the nodes of a run are made.
    fn cluster(self) -> &'static Build {
        match self {
            Self::Node => &|world, plan, resources, mutant| NodeLevel::new(world, plan, resources, mutant),
            Self::Stream => &|world, plan, resources, mutant| StreamLevel::new(world, plan, resources, mutant),
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
