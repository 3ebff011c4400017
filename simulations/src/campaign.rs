//! [`Campaign`]: many runs, one per seed, on several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::Mutant;
use crate::harness::{Outcome, lock};
use crate::invariant::{Coverage, Violation};
use crate::level::Level;
use crate::plan::{Plan, Profile, Scale};
use crate::shrink::shrink;
use crate::workload::{Broken, Workload};

/// The settings of a campaign, without the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Campaign {
    /// What simulates nodes and network.
    pub level: Level,
    /// How much goes wrong.
    pub profile: Profile,
    /// How many nodes and clients.
    pub scale: Scale,
    /// A wrong protocol, which a promise must catch.
    pub mutant: Option<Mutant>,
    /// Whether only those promises count that the mutant is expected to break.
    pub expected_only: bool,
}

/// The result of many runs.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How often each thing happened.
    pub seen: Coverage,
    /// The violation of the lowest seed that has one. Of the seeds above it not all were run.
    pub fallen: Option<Fallen>,
}

/// A seed that broke a promise.
#[derive(Debug, Clone)]
pub struct Fallen {
    /// The seed.
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
}

impl Campaign {
    /// Runs of the shipped protocol at the node level. The seed decides how many nodes and clients there are.
    #[must_use]
    pub const fn of(profile: Profile) -> Self {
        let scale = Scale { nodes: None, clients: None };
        Self { level: Level::Node, profile, scale, mutant: None, expected_only: false }
    }

    /// The plan of a seed.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        Plan::draw(seed, self.profile, self.scale)
    }

    /// The first violation that counts.
    fn counted(&self, violations: Vec<Violation>) -> Option<Violation> {
        let expected = self.mutant.filter(|_| self.expected_only).map(Mutant::breaks);
        violations.into_iter().find(|violation| expected.is_none_or(|expected| expected.contains(&violation.promise)))
    }

    /// Runs seeds on `jobs` threads until one breaks a promise; which one does not depend on the threads. `after_each`
    /// is called after every run.
    #[must_use]
    pub fn run(&self, seeds: Range<u64>, jobs: usize, after_each: &(dyn Fn() + Sync)) -> Report {
        self.run_each(seeds, jobs, after_each, &|plan| self.level.run(plan, self.mutant, false))
    }

    /// Runs seeds on `jobs` threads with a workload of your own, a new one for each run, until one breaks its check or a
    /// promise of the lock. Returns how often each thing happened.
    ///
    /// # Errors
    ///
    /// [`Broken`] with the lowest seed that breaks something, and the smallest plan that breaks it too.
    pub fn run_workload<W: Workload>(
        &self,
        seeds: Range<u64>,
        jobs: usize,
        new: impl Fn() -> W + Sync,
    ) -> Result<Coverage, Box<Broken>> {
        let run = |plan: &Plan| self.level.run_workload(plan, Arc::new(new()), self.mutant, false);
        let Report { seen, fallen } = self.run_each(seeds, jobs, &|| (), &run);
        let Some(Fallen { seed, violation }) = fallen else { return Ok(seen) };
        let (plan, outcome) = shrink(&self.plan(seed), violation.promise, &run);
        Err(Box::new(Broken { seed, violation, plan, outcome }))
    }

    fn run_each(
        &self,
        seeds: Range<u64>,
        jobs: usize,
        after_each: &(dyn Fn() + Sync),
        run: &(dyn Fn(&Plan) -> Outcome + Sync),
    ) -> Report {
        let next = AtomicU64::new(seeds.start);
        let end = AtomicU64::new(seeds.end);
        let report = Mutex::new(Report::default());
        let work = || {
            let mut seen = Coverage::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end.load(Ordering::Relaxed) {
                    break;
                }
                let outcome = run(&self.plan(seed));
                seen.add(&outcome.seen);
                if let Some(violation) = self.counted(outcome.violations) {
                    end.fetch_min(seed, Ordering::Relaxed);
                    let mut report = lock(&report);
                    if report.fallen.as_ref().is_none_or(|fallen| seed < fallen.seed) {
                        report.fallen = Some(Fallen { seed, violation });
                    }
                }
                after_each();
            }
            lock(&report).seen.add(&seen);
        };
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        });
        report.into_inner().unwrap_or_default()
    }
}
