//! 1 to 10,000 tasks on distinct resources.

use super::{NODES, compare, connect, rows};
use crate::contestants::Contestant;
use crate::load::{Load, Wanted};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::plot::{Chart, Series};
use crate::report::Report;
use crate::stage::Stage;

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let stage = Stage::of(NODES);
    let entrants = connect(Contestant::ALONE, &stage.urls()).await?;
    let mut table = rows::of_pairs("tasks");
    let mut series: Vec<_> = Contestant::ALONE.iter().map(|c| Series { name: c.name(), points: Vec::new() }).collect();
    for tasks in plan.growth.iter().copied() {
        let load = Load { tasks, wanted: Wanted::Own, time: plan.round };
        let samples = compare(plan, &stage, &entrants, &load).await?;
        rows::add_pairs(&mut table, &tasks.to_string(), Contestant::ALONE, &samples);
        for (line, sample) in series.iter_mut().zip(&samples) {
            line.points.push((tasks as f64, sample.rate));
        }
    }
    let title = format!("Growth: distinct resources, {NODES} nodes");
    let heading = "acquire + release on distinct resources, 5 nodes: pairs a second over tasks";
    Ok(Report {
        title,
        tables: vec![table],
        charts: vec![Chart { heading, over: "tasks", series }],
        ..Report::default()
    })
}
