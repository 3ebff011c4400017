//! [`Sample`]: the figures of one round, and of all rounds together.

use crate::contestants::Contestant;
use crate::load::Tally;
use crate::meter::Spent;

/// The figures of one contestant: of one round, or the medians of all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sample {
    /// Pairs, or sections, per second.
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) client_us: f64,
    pub(crate) servers_us: f64,
    /// Commands that were sent to all servers, for each section.
    pub(crate) commands: f64,
    /// The longest wait of all rounds, not the median.
    pub(crate) longest_wait_ms: f64,
    /// Sections of the task or process with the fewest, divided by those of the one with the most: 1 is fair. The least
    /// of all rounds.
    pub(crate) fairness: f64,
    /// Sections of the task with the fewest, as a part of an equal share. The least of all rounds.
    pub(crate) least_share: f64,
    /// Sections that failed, in all rounds.
    pub(crate) failed: f64,
}

impl Sample {
    /// The figures of a contestant that did not take part.
    pub(crate) const NONE: Self = Self {
        rate: f64::NAN,
        p50_us: f64::NAN,
        p99_us: f64::NAN,
        client_us: f64::NAN,
        servers_us: f64::NAN,
        commands: f64::NAN,
        longest_wait_ms: f64::NAN,
        fairness: f64::NAN,
        least_share: f64::NAN,
        failed: f64::NAN,
    };

    /// Computes the figures of one round from its counts and costs.
    pub(crate) fn new(contestant: Contestant, tally: &Tally, spent: &Spent) -> Self {
        let sections = tally.sections.iter().sum::<u64>() as f64;
        let each = |total: f64| if sections > 0.0 { total / sections } else { f64::NAN };
        let percentile = |per_mille: usize| {
            let at = tally.section_ns.len() * per_mille / 1000;
            tally.section_ns.get(at).map_or(f64::NAN, |ns| *ns as f64 / 1e3)
        };
        let least = tally.sections.iter().min().copied().unwrap_or_default() as f64;
        let most = tally.sections.iter().max().copied().unwrap_or_default() as f64;
        Self {
            rate: sections / tally.time.as_secs_f64(),
            p50_us: percentile(500),
            p99_us: percentile(990),
            client_us: each(spent.client.as_secs_f64() * 1e6),
            servers_us: each(spent.servers.as_secs_f64() * 1e6),
            commands: each(spent.commands_of(contestant) as f64),
            longest_wait_ms: tally.longest_wait.as_secs_f64() * 1e3,
            fairness: if most > 0.0 { least / most } else { 0.0 },
            least_share: Self::least_share(&tally.sections),
            failed: tally.failed as f64,
        }
    }

    /// The sections of the task with the fewest, as a part of an equal share.
    pub(crate) fn least_share(sections: &[u64]) -> f64 {
        let (least, total) = (sections.iter().min().copied().unwrap_or_default(), sections.iter().sum::<u64>());
        if total > 0 { (least * sections.len() as u64) as f64 / total as f64 } else { 0.0 }
    }

    /// Medians of all rounds; the worst of all rounds for figures in which one bad round matters.
    pub(crate) fn of_rounds(rounds: &[Self]) -> Self {
        let values = |of: fn(&Self) -> f64| rounds.iter().map(of);
        let median = |of: fn(&Self) -> f64| {
            let mut sorted: Vec<_> = values(of).collect();
            sorted.sort_by(f64::total_cmp);
            sorted.get(sorted.len() / 2).copied().unwrap_or_default()
        };
        Self {
            rate: median(|s| s.rate),
            p50_us: median(|s| s.p50_us),
            p99_us: median(|s| s.p99_us),
            client_us: median(|s| s.client_us),
            servers_us: median(|s| s.servers_us),
            commands: median(|s| s.commands),
            longest_wait_ms: values(|s| s.longest_wait_ms).fold(0.0, f64::max),
            fairness: values(|s| s.fairness).fold(1.0, f64::min),
            least_share: values(|s| s.least_share).fold(1.0, f64::min),
            failed: values(|s| s.failed).sum(),
        }
    }

    /// CPU of client and servers together.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.client_us + self.servers_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_round_is_shown_for_each_section() {
        let tally = Tally {
            sections: vec![10, 30],
            time: Duration::from_secs(2),
            section_ns: (1..=40).map(|n| n * 1_000).collect(),
            longest_wait: Duration::from_millis(7),
            ..Tally::default()
        };
        let spent =
            Spent { client: Duration::from_micros(400), servers: Duration::from_micros(80), ..Spent::default() };
        let sample = Sample::new(Contestant::Limit, &tally, &spent);
        assert_eq!((sample.rate, sample.client_us, sample.servers_us), (20.0, 10.0, 2.0));
        assert_eq!((sample.p50_us, sample.p99_us, sample.longest_wait_ms), (21.0, 40.0, 7.0));
        assert_eq!((sample.fairness, sample.least_share), (10.0 / 30.0, 0.5));
    }

    #[test]
    fn rounds_are_shown_by_their_median_and_waits_by_the_worst() {
        let round = |rate, longest_wait_ms, fairness| Sample { rate, longest_wait_ms, fairness, ..Sample::default() };
        let all = Sample::of_rounds(&[round(3.0, 1.0, 0.9), round(1.0, 9.0, 0.8), round(2.0, 2.0, 0.2)]);
        assert_eq!((all.rate, all.longest_wait_ms, all.fairness), (2.0, 9.0, 0.2));
    }

    #[test]
    fn a_round_without_a_section_has_no_figures_to_show() {
        let tally = Tally { sections: vec![0], time: Duration::from_secs(1), ..Tally::default() };
        let sample = Sample::new(Contestant::Limit, &tally, &Spent::default());
        assert!(sample.p50_us.is_nan() && sample.client_us.is_nan());
        assert_eq!((sample.rate, sample.fairness), (0.0, 0.0));
    }
}
