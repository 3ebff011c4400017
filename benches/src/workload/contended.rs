//! 16 tasks of one process that want one resource.

use super::{NODES, compare, connect, rows};
use crate::contestants::Contestant;
use crate::load::{Load, Wanted};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::target::Target;

const TASKS: usize = 16;

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let stage = Stage::of(NODES);
    let contestants = Contestant::contending();
    let entrants = connect(&contestants, &stage.urls()).await?;
    let load = Load { tasks: TASKS, wanted: Wanted::One, time: plan.round };
    let samples = compare(plan, &stage, &entrants, &load).await?;
    let limit = rows::of(Contestant::Limit, &contestants, &samples);
    let mut targets = Vec::new();
    for (contestant, sample) in contestants.iter().zip(&samples) {
        let Contestant::Redfence(form) = contestant else { continue };
        let (rate, commands) = if form.hands_over() { (40.0, 0.5) } else { (1.8, 6.0) };
        let of = |what: &str| format!("{}: {what}", contestant.name());
        targets.push(Target::at_least(of("sections/s, × limit"), rate, sample.rate / limit.rate));
        targets.push(Target::at_most(of("longest wait, ms"), 50.0, sample.longest_wait_ms));
        targets.push(Target::at_most(of("commands per section"), commands, sample.commands));
    }
    let title = format!("{TASKS} tasks, one resource, {NODES} nodes");
    Ok(Report { title, tables: vec![rows::contended(&contestants, &samples)], targets, ..Report::default() })
}
