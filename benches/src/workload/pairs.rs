//! 1, 64 and 1024 tasks on distinct resources.

use super::{NODES, compare, connect, rows};
use crate::contestants::Contestant;
use crate::load::{Load, Wanted};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::target::Target;

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let stage = Stage::of(NODES);
    let entrants = connect(Contestant::ALONE, &stage.urls()).await?;
    let mut table = rows::of_pairs("tasks");
    let mut targets = Vec::new();
    for tasks in plan.crowds.iter().copied() {
        let load = Load { tasks, wanted: Wanted::Own, time: plan.round };
        let samples = compare(plan, &stage, &entrants, &load).await?;
        rows::add_pairs(&mut table, &tasks.to_string(), Contestant::ALONE, &samples);
        let of = |contestant| rows::of(contestant, Contestant::ALONE, &samples);
        let (limit, rslock, redfence) = (of(Contestant::Limit), of(Contestant::Rslock), of(Contestant::REDFENCE));
        if tasks == 1 {
            targets.push(Target::at_most("1 task: p50, × limit", 1.0, redfence.p50_us / limit.p50_us));
            targets.push(Target::at_most("1 task: CPU per pair, × limit", 1.0, redfence.cpu_us() / limit.cpu_us()));
        }
        if let Some((_, beside_limit, beside_rslock)) = TARGETS.iter().find(|(crowd, ..)| *crowd == tasks) {
            let pairs = |other: &str| format!("{tasks} tasks: pairs/s, × {other}");
            targets.push(Target::at_least(pairs("limit"), *beside_limit, redfence.rate / limit.rate));
            targets.push(Target::at_least(pairs("rslock"), *beside_rslock, redfence.rate / rslock.rate));
        }
    }
    let title = format!("Distinct resources, {NODES} nodes");
    Ok(Report { title, tables: vec![table], targets, ..Report::default() })
}

/// Tasks, and the wanted multiples of the pairs of the limit and of rslock.
const TARGETS: &[(usize, f64, f64)] = &[(64, 2.5, 2.8), (1_024, 4.0, 4.0)];
