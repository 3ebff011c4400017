//! Many processes that want one resource, while nodes hang or are gone, or some of the processes. Redfence alone.

mod course;
mod far;
mod holder;

use self::course::{Course, Fault};
use super::NODES;
use crate::Outcome;
use crate::contestants::Contestant;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::team::Team;
use crate::worker::Setup;

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

/// So many processes of redfence, connected to all servers of the stage, that have had the resource of [`super::herd`].
async fn herd(plan: &Plan, stage: &Stage, processes: usize) -> Outcome<Team> {
    let setups: Vec<_> = (0..processes).map(|_| Setup::small(Contestant::REDFENCE, stage.urls())).collect();
    let mut team = Team::start(&setups).await?;
    team.warm_up(super::herd::RESOURCE, plan.warm_up).await?;
    Ok(team)
}
