//! The effect of a fault on a herd: sections per second before and after.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use redfence::{Clock as _, SystemClock};

use super::super::herd::RESOURCE;
use super::super::{NODES, complain_of};
use crate::contestants::Contestant;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::stint::{Record, until};
use crate::table::{Table, number};
use crate::target::Target;
use crate::team::Team;
use crate::worker::Worker;

/// Sections per second after a fault, compared with a herd without a fault.
const KEEPS: f64 = 0.8;
/// The longest wait if a node is in trouble.
const WAIT_MAX_MS: f64 = 1_000.0;
/// Beats until the herd runs evenly, until the fault, and of the measurement after it.
const RUN_UP: u32 = 1;
const BEFORE: u32 = 4;
const AFTER: u32 = 4;

/// A fault during a round, or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    NodeHungBefore,
    NodeHangs,
    NodeDies,
    HalfKilled,
    HalfStopped,
}

impl Fault {
    pub(super) const ALL: &[Self] =
        &[Self::None, Self::NodeHungBefore, Self::NodeHangs, Self::NodeDies, Self::HalfKilled, Self::HalfStopped];

    const fn name(self) -> &'static str {
        match self {
            Self::None => "all well",
            Self::NodeHungBefore => "first node of the slot hung before",
            Self::NodeHangs => "first node of the slot hangs",
            Self::NodeDies => "first node of the slot dies",
            Self::HalfKilled => "half of the processes killed",
            Self::HalfStopped => "half of the processes stopped",
        }
    }

    /// Beats from the fault to the measurement.
    const fn settles_in(self) -> u32 {
        if matches!(self, Self::HalfStopped) { 5 } else { 1 }
    }

    const fn is_of_nodes(self) -> bool {
        matches!(self, Self::NodeHungBefore | Self::NodeHangs | Self::NodeDies)
    }

    /// Causes the fault; returns the workers that it stops.
    async fn befall(self, stage: &mut Stage, team: &mut Team) -> Outcome<Vec<Worker>> {
        let first = stage.first_of(RESOURCE)?;
        match self {
            Self::None | Self::NodeHungBefore => {}
            Self::NodeHangs => stage.hang(first),
            Self::NodeDies => stage.kill(first),
            // They are stopped first: a process that is killed with the lock delays the others by its TTL, which is
            // measured separately.
            Self::HalfKilled => {
                let stopped = team.stop_half(stage, RESOURCE).await?;
                try_join_all(stopped.into_iter().map(Worker::kill)).await?;
            }
            Self::HalfStopped => return team.stop_half(stage, RESOURCE).await,
        }
        Ok(Vec::new())
    }
}

/// A herd during a fault. All figures are those of the remaining processes.
pub(super) struct Course {
    processes: usize,
    /// `None` if the fault was there from the beginning.
    before: f64,
    after: f64,
    longest_wait_ms: f64,
    failed: u64,
}

impl Course {
    pub(super) async fn take(plan: &Plan, fault: Fault) -> Outcome<Self> {
        let mut stage = Stage::for_herd(NODES, plan.fault_herd)?;
        let mut team = super::start::herd(plan, &stage, plan.fault_herd).await?;
        if fault == Fault::NodeHungBefore {
            let first = stage.first_of(RESOURCE)?;
            stage.hang(first);
        }
        let beats = |count: u32| plan.beat * count;
        let time = beats(BEFORE + fault.settles_in() + AFTER);
        let stint = team.begin(RESOURCE, time).await?;
        until(stint.begins().after(beats(BEFORE))).await;
        let began = SystemClock.now().since(stint.begins());
        let stopped = fault.befall(&mut stage, &mut team).await?;
        let befell = SystemClock.now().since(stint.begins());
        let records = team.records(&stint).await?;
        stopped.iter().try_for_each(Worker::go_on)?;
        join_all(stopped.into_iter().map(Worker::end)).await;
        team.end().await;
        let lasting = matches!(fault, Fault::None | Fault::NodeHungBefore);
        let settled = if lasting { beats(RUN_UP) } else { befell + beats(fault.settles_in()) };
        Ok(Self::of(&records, (beats(RUN_UP), if lasting { Duration::ZERO } else { began }), (settled, time)))
    }

    fn of(records: &[Record], before: (Duration, Duration), after: (Duration, Duration)) -> Self {
        complain_of(Contestant::REDFENCE, records);
        let longest = records.iter().map(|record| record.longest_wait).max().unwrap_or_default();
        Self {
            processes: records.len(),
            before: Record::rate(records, before.0, before.1),
            after: Record::rate(records, after.0, after.1),
            longest_wait_ms: longest.as_secs_f64() * 1e3,
            failed: records.iter().map(|record| record.failed).sum(),
        }
    }
}

pub(super) fn table(courses: &[(Fault, Course)]) -> Table {
    let mut table = Table::new(&[
        "state",
        "processes that remain",
        "their sections/s before",
        "after",
        "× all well",
        "longest wait ms",
        "failed",
    ]);
    let healthy = healthy(courses);
    for (fault, course) in courses {
        table.row([
            fault.name().to_owned(),
            course.processes.to_string(),
            number(course.before),
            number(course.after),
            number(course.after / healthy),
            number(course.longest_wait_ms),
            course.failed.to_string(),
        ]);
    }
    table
}

pub(super) fn targets(courses: &[(Fault, Course)]) -> Vec<Target> {
    let healthy = healthy(courses);
    let mut targets = Vec::new();
    for (fault, course) in courses.iter().filter(|(fault, _)| *fault != Fault::None) {
        let of = |what: &str| format!("{}: {what}", fault.name());
        targets.push(Target::at_least(of("sections/s, × all well"), KEEPS, course.after / healthy));
        if fault.is_of_nodes() {
            targets.push(Target::at_most(of("longest wait, ms"), WAIT_MAX_MS, course.longest_wait_ms));
        }
    }
    targets
}

/// Sections per second of the herd without a fault.
fn healthy(courses: &[(Fault, Course)]) -> f64 {
    courses.iter().find(|(fault, _)| *fault == Fault::None).map_or(f64::NAN, |(_, course)| course.after)
}
