//! When each holder believed in its lease, on one clock, and whether that was right.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redfence::{Clock, FencingToken, Moment, SystemClock};

/// One lease, as its holder saw it.
#[derive(Debug, Clone, Copy)]
pub struct Tenure {
    pub began: Moment,
    pub returned: Moment,
    /// When the holder stopped believing in it.
    pub ended: Moment,
    pub token: FencingToken,
}

/// All leases of a run, and why attempts failed.
#[derive(Default)]
pub struct Log {
    tenures: Mutex<Vec<Tenure>>,
    failures: Mutex<Vec<(Moment, String)>>,
}

/// What is wrong with a run.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub leases: usize,
    /// Pairs of holders that believed at the same time.
    pub overlaps: usize,
    /// Pairs of leases with the same token.
    pub twice: usize,
    /// Pairs of leases one after the other whose tokens did not grow.
    pub disordered: usize,
    /// From the disaster to the next lease.
    pub next: Option<Duration>,
    /// Errors of contenders: the time since the disaster, and the error.
    pub failures: Vec<String>,
}

impl Findings {
    /// What two runs showed together.
    pub fn and(self, other: Self) -> Self {
        Self {
            leases: self.leases + other.leases,
            overlaps: self.overlaps + other.overlaps,
            twice: self.twice + other.twice,
            disordered: self.disordered + other.disordered,
            // In both runs a lease must follow.
            next: self.next.zip(other.next).map(|(one, other)| one.max(other)),
            failures: self.failures.into_iter().chain(other.failures).collect(),
        }
    }

    pub fn has_bad_tokens(&self) -> bool {
        self.twice + self.disordered > 0
    }
}

pub fn now() -> Moment {
    SystemClock.now()
}

impl Log {
    pub fn note(&self, tenure: Tenure) -> usize {
        let mut tenures = self.tenures();
        tenures.push(tenure);
        tenures.len() - 1
    }

    pub fn failed(&self, error: &impl std::fmt::Display) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push((now(), error.to_string()));
    }

    pub fn ended(&self, index: usize, at: Moment) {
        self.tenures()[index].ended = at;
    }

    pub fn len(&self) -> usize {
        self.tenures().len()
    }

    /// How many leases were both asked for and granted after `moment`.
    pub fn since(&self, moment: Moment) -> usize {
        self.tenures().iter().filter(|tenure| tenure.returned > moment).count()
    }

    pub fn findings(&self, struck: Moment) -> Findings {
        let tenures = self.tenures();
        let mut found = Findings { leases: tenures.len(), ..Findings::default() };
        for (index, a) in tenures.iter().enumerate() {
            for b in &tenures[index + 1..] {
                found.overlaps += usize::from(a.returned < b.ended && b.returned < a.ended);
                found.twice += usize::from(a.token == b.token);
                let wrong = |first: &Tenure, then: &Tenure| first.returned < then.began && first.token > then.token;
                found.disordered += usize::from(wrong(a, b) || wrong(b, a));
            }
        }
        found.next = tenures.iter().map(|t| t.returned).filter(|at| *at > struck).min().map(|at| at.since(struck));
        if found.next.is_none() {
            let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            let told = failures.iter().filter(|(at, _)| *at > struck);
            found.failures = told.map(|(at, error)| format!("{:?}: {error}", at.since(struck))).collect();
        }
        found
    }

    fn tenures(&self) -> MutexGuard<'_, Vec<Tenure>> {
        self.tenures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
