//! [`Plan`]: how long and how often everything is measured.

use std::path::PathBuf;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::sample::Sample;

/// How long and how often everything is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How often each contestant is measured.
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    /// The time before the first round of each contestant, which is not measured.
    pub(crate) warm_up: Duration,
    /// The loads of `pairs`, in tasks.
    pub(crate) crowds: &'static [usize],
    /// The loads of `growth`, in tasks.
    pub(crate) growth: &'static [usize],
    /// How many processes want one resource in `processes`.
    pub(crate) processes: usize,
    /// The loads of `herd`, in processes, if they were given.
    pub(crate) herds: Option<Vec<usize>>,
    /// The default loads of `herd`.
    pub(crate) herds_unnamed: &'static [usize],
    /// How many processes want one resource in `herd-faults`.
    pub(crate) fault_herd: usize,
    /// How many processes wait while the holder is stopped.
    pub(crate) waiters: usize,
    /// How many processes are near, beside the far one.
    pub(crate) near: usize,
    /// The unit of the times of `herd-faults`.
    pub(crate) beat: Duration,
    /// How many commands start at one moment in `herd-start`.
    pub(crate) herd_starts: usize,
    pub(crate) leases: usize,
    pub(crate) lease_ttl: Duration,
    pub(crate) lease_time: Duration,
    /// How often the command is started.
    pub(crate) starts: usize,
    pub(crate) redfence: Option<PathBuf>,
}

impl Plan {
    /// The plan for real figures.
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        round: Duration::from_secs(2),
        warm_up: Duration::from_millis(300),
        crowds: &[1, 64, 1_024],
        growth: &[1, 4, 16, 64, 256, 1_024, 4_096, 10_000],
        processes: 4,
        herds: None,
        herds_unnamed: &[4, 10, 30, 100, 200, 300],
        fault_herd: 200,
        waiters: 50,
        near: 20,
        beat: Duration::from_secs(1),
        herd_starts: 300,
        leases: 100_000,
        lease_ttl: Duration::from_secs(30),
        lease_time: Duration::from_secs(60),
        starts: 40,
        redfence: None,
    };

    /// A short plan that only shows that the bench runs.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        round: Duration::from_millis(50),
        warm_up: Duration::from_millis(10),
        crowds: &[1, 64],
        growth: &[1, 64],
        herds_unnamed: &[2, 4],
        fault_herd: 8,
        waiters: 4,
        near: 4,
        beat: Duration::from_millis(200),
        herd_starts: 10,
        leases: 200,
        lease_ttl: Duration::from_secs(1),
        lease_time: Duration::from_secs(1),
        starts: 2,
        ..Self::FULL
    };

    /// The loads of `herd`, in processes.
    pub(crate) fn herds(&self) -> &[usize] {
        self.herds.as_deref().unwrap_or(self.herds_unnamed)
    }

    /// Measures `entrants` by turns: first a warm-up of each, then in every round each once. So other work of the
    /// machine affects all equally.
    pub(crate) async fn interleave<E>(
        &self,
        entrants: impl IntoIterator<Item = E>,
        mut measure: impl AsyncFnMut(&mut E, Duration) -> Outcome<Sample>,
    ) -> Outcome<Vec<Sample>> {
        let mut entrants: Vec<(E, Vec<Sample>)> = entrants.into_iter().map(|entrant| (entrant, Vec::new())).collect();
        for (entrant, _) in &mut entrants {
            measure(entrant, self.warm_up).await?;
        }
        for _ in 0..self.rounds {
            for (entrant, samples) in &mut entrants {
                samples.push(measure(entrant, self.round).await?);
            }
        }
        Ok(entrants.iter().map(|(_, samples)| Sample::of_rounds(samples)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn contestants_take_turns_after_a_warm_up_that_is_not_counted() {
        let plan = Plan { rounds: 3, ..Plan::QUICK };
        let mut turns = Vec::new();
        let samples = plan.interleave([0, 1], async |entrant, time| {
            turns.push(*entrant);
            let rate = if time == plan.warm_up { 1e9 } else { f64::from(*entrant) };
            Ok(Sample { rate, ..Sample::default() })
        });
        let rates: Vec<_> = samples.await.unwrap().iter().map(|sample| sample.rate).collect();
        assert_eq!(turns, [0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(rates, [0.0, 1.0]);
    }
}
