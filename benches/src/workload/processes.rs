//! Processes of 4 tasks each that want one resource.

use std::time::Duration;

use futures::future::try_join_all;

use super::{NODES, complain, rows};
use crate::contestants::Contestant;
use crate::load::{Load, Tally, Wanted};
use crate::meter::Reading;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::sample::Sample;
use crate::stage::Stage;
use crate::target::Target;
use crate::worker::{Order, Setup, Worker};

/// The targets are for this many processes.
const AIMED_AT: usize = 4;
const TASKS: usize = 4;

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let stage = Stage::of(NODES);
    let contestants = Contestant::contending();
    let mut teams = Vec::new();
    for contestant in &contestants {
        teams.push(Team::start(*contestant, &stage, plan.processes).await?);
    }
    let samples = plan.interleave(&mut teams, async |team, time| team.round(&stage, time).await).await?;
    let limit = rows::of(Contestant::Limit, &contestants, &samples);
    let mut targets = Vec::new();
    for (contestant, sample) in contestants.iter().zip(&samples).filter(|_| plan.processes == AIMED_AT) {
        let Contestant::Redfence(form) = contestant else { continue };
        let rate = if form.hands_over() { 10.0 } else { 1.0 };
        let of = |what: &str| format!("{}: {what}", contestant.name());
        targets.push(Target::at_least(of("sections/s, × limit"), rate, sample.rate / limit.rate));
        targets.push(Target::at_most(of("longest wait, ms"), 250.0, sample.longest_wait_ms));
        targets.push(Target::at_least(of("least share of a process"), 0.5, sample.least_share));
    }
    let title = format!("{} processes × {TASKS} tasks, one resource, {NODES} nodes", plan.processes);
    Ok(Report { title, tables: vec![rows::contended(&contestants, &samples)], targets, ..Report::default() })
}

/// All processes of one contestant.
struct Team {
    contestant: Contestant,
    workers: Vec<Worker>,
    /// CPU that they have spent so far.
    cpu: Duration,
}

impl Team {
    async fn start(contestant: Contestant, stage: &Stage, processes: usize) -> Outcome<Self> {
        let setup = Setup::new(contestant, stage.urls());
        let started = try_join_all((0..processes).map(|_| Worker::start(&setup))).await?;
        let cpu = started.iter().map(|(_, answer)| answer.cpu).sum();
        Ok(Self { contestant, workers: started.into_iter().map(|(worker, _)| worker).collect(), cpu })
    }

    /// All processes at once, for `time`.
    async fn round(&mut self, stage: &Stage, time: Duration) -> Outcome<Sample> {
        let before = Reading::take(stage)?;
        let order = Order::Run(Load { tasks: TASKS, wanted: Wanted::One, time });
        for worker in &mut self.workers {
            worker.order(&order).await?;
        }
        let answers = try_join_all(self.workers.iter_mut().map(Worker::answer)).await?;
        let mut spent = before.spent(stage)?;
        let cpu = answers.iter().map(|answer| answer.cpu).sum::<Duration>();
        spent.client = cpu.saturating_sub(self.cpu);
        self.cpu = cpu;

        let mut all = Tally { time, ..Tally::default() };
        let mut of_each = Vec::new();
        for answer in answers {
            complain(self.contestant, &answer.tally);
            of_each.push(answer.tally.sections.iter().sum());
            all.join(answer.tally);
        }
        let sample = Sample::new(self.contestant, &all, &spent);
        Ok(Sample { least_share: Sample::least_share(&of_each), ..sample })
    }
}
