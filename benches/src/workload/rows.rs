//! What the tables of several workloads have in common.

use crate::contestants::Contestant;
use crate::sample::Sample;
use crate::table::{Table, number};

/// The table if every task has its own resource. `load` is the heading of the first column.
pub(super) fn of_pairs(load: &str) -> Table {
    Table::new(&[
        load,
        "contestant",
        "pairs/s",
        "× limit",
        "p50 µs",
        "× limit",
        "p99 µs",
        "CPU µs/pair: client",
        "+ servers",
        "× limit",
        "failed",
    ])
}

/// One row for each contestant at one load.
pub(super) fn add_pairs(table: &mut Table, load: &str, contestants: &[Contestant], samples: &[Sample]) {
    let limit = of(Contestant::Limit, contestants, samples);
    for (contestant, sample) in contestants.iter().zip(samples) {
        table.row([
            load.to_owned(),
            contestant.name().to_owned(),
            number(sample.rate),
            number(sample.rate / limit.rate),
            number(sample.p50_us),
            number(sample.p50_us / limit.p50_us),
            number(sample.p99_us),
            number(sample.client_us),
            number(sample.servers_us),
            number(sample.cpu_us() / limit.cpu_us()),
            format!("{:.0}", sample.failed),
        ]);
    }
}

/// The table if all tasks want one resource.
pub(super) fn contended(contestants: &[Contestant], samples: &[Sample]) -> Table {
    let mut table = Table::new(&[
        "contestant",
        "sections/s",
        "× limit",
        "longest wait ms",
        "commands/section",
        "least/most sections of a task",
        "least share",
        "CPU µs/section: client",
        "+ servers",
        "failed",
    ]);
    let limit = of(Contestant::Limit, contestants, samples);
    for (contestant, sample) in contestants.iter().zip(samples) {
        table.row([
            contestant.name().to_owned(),
            number(sample.rate),
            number(sample.rate / limit.rate),
            number(sample.longest_wait_ms),
            number(sample.commands),
            number(sample.fairness),
            number(sample.least_share),
            number(sample.client_us),
            number(sample.servers_us),
            format!("{:.0}", sample.failed),
        ]);
    }
    table
}

/// The figures of one contestant; empty if it did not take part.
pub(super) fn of(contestant: Contestant, contestants: &[Contestant], samples: &[Sample]) -> Sample {
    let mut pairs = contestants.iter().zip(samples);
    pairs.find(|(other, _)| **other == contestant).map(|(_, sample)| *sample).unwrap_or(Sample::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_limit_of_the_same_run() {
        let sample = |rate| Sample { rate, ..Sample::NONE };
        let mut table = of_pairs("tasks");
        add_pairs(&mut table, "1", Contestant::ALONE, &[sample(200.0), sample(100.0), sample(500.0)]);
        let text = table.to_string();
        let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        assert!(row("raw fan-out").contains("| 200     | 1.00"), "{text}");
        assert!(row("redfence").contains("| 500     | 2.50"), "{text}");
    }
}
