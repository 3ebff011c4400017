//! The workloads, one per file.

mod contended;
mod faults;
mod growth;
mod herd;
mod herd_faults;
mod herd_start;
mod leases;
mod pairs;
mod processes;
mod rows;
mod sizes;
mod start;

use std::time::Duration;

use clap::ValueEnum;

use crate::contestants::{Contestant, Locker};
use crate::load::{Load, Tally};
use crate::meter::Reading;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::sample::Sample;
use crate::stage::Stage;
use crate::stint::Record;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// 1, 64 and 1024 tasks, each with its own resource
    Pairs,
    /// 16 tasks of one process that want one resource
    Contended,
    /// Processes of 4 tasks each that want one resource
    Processes,
    /// One task, while one node of five hangs or is gone
    Faults,
    /// One task on 1, 3, 5, 7 and 9 nodes
    Sizes,
    /// 1 to 10,000 tasks, each with its own resource
    Growth,
    /// Many leases, held and renewed by one process
    Leases,
    /// The start of `redfence run -- true`
    Start,
    /// 4 to 300 processes of one task each that want one resource
    Herd,
    /// 200 such processes, while nodes or some processes hang or are gone
    HerdFaults,
    /// 300 times `redfence run` of one resource at one moment
    HerdStart,
}

impl Workload {
    /// Starts the servers, measures, and ends them.
    pub(crate) async fn run(self, plan: &Plan) -> Outcome<Report> {
        match self {
            Self::Pairs => pairs::run(plan).await,
            Self::Contended => contended::run(plan).await,
            Self::Processes => processes::run(plan).await,
            Self::Faults => faults::run(plan).await,
            Self::Sizes => sizes::run(plan).await,
            Self::Growth => growth::run(plan).await,
            Self::Leases => leases::run(plan).await,
            Self::Start => start::run(plan),
            Self::Herd => herd::run(plan).await,
            Self::HerdFaults => herd_faults::run(plan).await,
            Self::HerdStart => herd_start::run(plan).await,
        }
    }
}

/// The usual number of nodes.
const NODES: usize = 5;

/// A contestant that is connected to a stage.
type Entrant = (Contestant, Locker);

async fn connect(contestants: &[Contestant], urls: &[String]) -> Outcome<Vec<Entrant>> {
    let mut entrants = Vec::new();
    for contestant in contestants {
        entrants.push((*contestant, contestant.connect(urls).await?));
    }
    Ok(entrants)
}

/// All entrants under one load, by turns.
async fn compare(plan: &Plan, stage: &Stage, entrants: &[Entrant], load: &Load) -> Outcome<Vec<Sample>> {
    plan.interleave(entrants, async |entrant, time| round(stage, entrant, load, time).await).await
}

/// One entrant under a load, once.
async fn round(stage: &Stage, (contestant, locker): &Entrant, load: &Load, time: Duration) -> Outcome<Sample> {
    let before = Reading::take(stage)?;
    let tally = Load { time, ..load.clone() }.run(locker).await?;
    complain(*contestant, &tally);
    Ok(Sample::new(*contestant, &tally, &before.spent(stage)?))
}

/// Prints an error of the failed sections, which the tables only count.
fn complain(contestant: Contestant, tally: &Tally) {
    if let Some(complaint) = &tally.complaint {
        eprintln!("benches: {}: {} sections failed; one of the errors: {complaint}", contestant.name(), tally.failed);
    }
}

/// The same for processes that report more than a tally.
fn complain_of(contestant: Contestant, records: &[Record]) {
    complain(contestant, &Record::tally(records, Duration::ZERO));
}
