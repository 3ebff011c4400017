//! [`Campaign`]: many runs, one per seed, on several threads.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Mutant;
use crate::harness::lock;
use crate::invariant::{Coverage, Violation};
use crate::level::Level;
use crate::plan::{Plan, Profile, Scale};

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
                let outcome = self.level.run(&self.plan(seed), self.mutant, false);
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
