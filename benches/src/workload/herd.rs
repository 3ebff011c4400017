//! Many processes of one task each that want one resource.

use super::{NODES, complain};
use crate::contestants::Contestant;
use crate::meter::Reading;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::plot::{Chart, Series};
use crate::report::Report;
use crate::sample::Sample;
use crate::stage::Stage;
use crate::stint::{Record, until};
use crate::table::{Table, number};
use crate::target::Target;
use crate::team::Team;
use crate::worker::Setup;

/// From this many processes on, the sections are compared with those of a few processes.
const HERDS: &[usize] = &[100, 200, 300];
const FEW: usize = 4;
/// Sections per second of a herd, compared with few processes.
const KEEPS: f64 = 0.8;
/// From this many on, they are also compared with the raw fan-out.
const BESIDE_LIMIT_AT: usize = 300;
const BESIDE_LIMIT: f64 = 1.0;
/// Calls of scripts and similar commands per section.
const CALLS_MAX: f64 = 20.0;
/// The longest wait: in rounds in which each process has one turn, and a constant.
const WAIT_ROUNDS: f64 = 2.0;
const WAIT_BEYOND_MS: f64 = 50.0;
/// Sections of the process with the fewest, divided by those of the process with the most.
const FAIRNESS: f64 = 0.9;

pub(super) const RESOURCE: &str = "herd";

/// All contestants at one count of processes.
struct Row {
    processes: usize,
    samples: Vec<Sample>,
}

impl Row {
    fn of(&self, contestant: Contestant) -> Sample {
        super::rows::of(contestant, Contestant::ALONE, &self.samples)
    }
}

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let mut rows = Vec::new();
    for processes in plan.herds().iter().copied() {
        let mut rounds = vec![Vec::new(); Contestant::ALONE.len()];
        for _ in 0..plan.rounds {
            for (contestant, samples) in Contestant::ALONE.iter().zip(&mut rounds) {
                samples.push(round(plan, *contestant, processes).await?);
            }
        }
        let samples = rounds.iter().map(|samples| Sample::of_rounds(samples)).collect();
        rows.push(Row { processes, samples });
    }
    let title = format!("Processes of one task each, one resource, {NODES} nodes");
    Ok(Report { title, tables: vec![table(&rows)], targets: targets(&rows), charts: charts(&rows) })
}

/// One contestant once, with new servers and processes, so that no idle processes of others disturb.
async fn round(plan: &Plan, contestant: Contestant, processes: usize) -> Outcome<Sample> {
    let stage = Stage::for_herd(NODES, processes)?;
    let setups: Vec<_> = (0..processes).map(|_| Setup::small(contestant, stage.urls())).collect();
    let mut team = Team::start(&setups).await?;
    team.warm_up(RESOURCE, plan.warm_up).await?;
    let stint = team.begin(RESOURCE, plan.round).await?;
    let before = Reading::take(&stage)?;
    until(stint.ends()).await;
    // Read now, and not after all answers: work after the end belongs to no counted section.
    let mut spent = before.spent(&stage)?;
    let records = team.records(&stint).await?;
    team.end().await;
    spent.client = records.iter().map(|record| record.cpu).sum();
    let tally = Record::tally(&records, plan.round);
    complain(contestant, &tally);
    Ok(Sample::new(contestant, &tally, &spent))
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "processes",
        "contestant",
        "sections/s",
        "× raw fan-out",
        "longest wait ms",
        "calls/section",
        "least/most sections of a process",
        "CPU µs/section: client",
        "+ servers",
        "failed",
    ]);
    for row in rows {
        let limit = row.of(Contestant::Limit);
        for (contestant, sample) in Contestant::ALONE.iter().zip(&row.samples) {
            table.row([
                row.processes.to_string(),
                contestant.name().to_owned(),
                number(sample.rate),
                number(sample.rate / limit.rate),
                number(sample.longest_wait_ms),
                number(sample.commands),
                number(sample.fairness),
                number(sample.client_us),
                number(sample.servers_us),
                format!("{:.0}", sample.failed),
            ]);
        }
    }
    table
}

fn targets(rows: &[Row]) -> Vec<Target> {
    let few = rows.iter().find(|row| row.processes == FEW).map(|row| row.of(Contestant::REDFENCE).rate);
    let mut targets = Vec::new();
    for row in rows {
        let (processes, redfence) = (row.processes, row.of(Contestant::REDFENCE));
        let of = |what: &str| format!("{processes} processes: {what}");
        if let (Some(few), true) = (few, HERDS.contains(&processes)) {
            targets.push(Target::at_least(of(&format!("sections/s, × those of {FEW}")), KEEPS, redfence.rate / few));
        }
        if processes == BESIDE_LIMIT_AT {
            let ratio = redfence.rate / row.of(Contestant::Limit).rate;
            targets.push(Target::at_least(of("sections/s, × raw fan-out"), BESIDE_LIMIT, ratio));
        }
        // A process without any section has no fairness to show.
        let turns_ms = if redfence.rate > 0.0 { processes as f64 / redfence.rate * 1e3 } else { f64::NAN };
        let wait_ms = WAIT_ROUNDS * turns_ms + WAIT_BEYOND_MS;
        targets.push(Target::at_most(of("calls per section"), CALLS_MAX, redfence.commands));
        targets.push(Target::at_most(of("longest wait, ms"), wait_ms, redfence.longest_wait_ms));
        targets.push(Target::at_least(of("least/most sections of a process"), FAIRNESS, redfence.fairness));
    }
    targets
}

fn charts(rows: &[Row]) -> Vec<Chart> {
    let series = |figure: fn(&Sample) -> f64| -> Vec<Series> {
        let points = |contestant| rows.iter().map(|row| (row.processes as f64, figure(&row.of(contestant)))).collect();
        Contestant::ALONE.iter().map(|c| Series { name: c.name(), points: points(*c) }).collect()
    };
    let rates = "one resource, 5 nodes: sections a second over processes of one task each";
    let waits = "one resource, 5 nodes: the longest wait in ms over processes of one task each";
    vec![
        Chart { heading: rates, over: "processes", series: series(|sample| sample.rate) },
        Chart { heading: waits, over: "processes", series: series(|sample| sample.longest_wait_ms) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_herd_is_compared_with_few_and_its_waits_with_turns_of_all() {
        let row = |processes, rate, longest_wait_ms| {
            let sample = Sample { rate, longest_wait_ms, commands: 20.0, fairness: 0.9, ..Sample::NONE };
            Row { processes, samples: vec![sample; Contestant::ALONE.len()] }
        };
        // At 1,000 sections a second 300 processes have their turns in 300 ms.
        let text = crate::target::table(&targets(&[row(4, 1_000.0, 58.0), row(300, 1_000.0, 651.0)])).to_string();
        assert_eq!(text.matches("**missed**").count(), 1, "{text}");
        let missed = text.lines().find(|line| line.contains("missed")).unwrap();
        assert!(missed.contains("300 processes: longest wait, ms") && missed.contains("≤ 650"), "{text}");
    }
}
