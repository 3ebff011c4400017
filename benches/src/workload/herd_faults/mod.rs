//! Many processes that want one resource, while nodes or some processes hang or are gone. Only redfence.

mod course;
mod far;
mod holder;
mod start;

use self::course::{Course, Fault};
use super::NODES;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let mut courses = Vec::new();
    for fault in Fault::ALL {
        courses.push((*fault, Course::take(plan, *fault).await?));
    }
    let stopped = holder::Stopped::watch(plan).await?;
    let far = far::Far::watch(plan).await?;
    let tables = vec![course::table(&courses), stopped.table(), far.table()];
    let targets = course::targets(&courses).into_iter().chain(stopped.targets()).chain(far.targets()).collect();
    let title = format!("{} processes, one resource, {NODES} nodes, some in trouble", plan.fault_herd);
    Ok(Report { title, tables, targets, ..Report::default() })
}
