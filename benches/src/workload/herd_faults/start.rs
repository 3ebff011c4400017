//! Starts the processes that want one resource.

use super::super::herd::RESOURCE;
use crate::contestants::Contestant;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::team::Team;
use crate::worker::Setup;

/// This many processes of redfence, connected to all servers of the stage, which have acquired [`RESOURCE`] once.
pub(super) async fn herd(plan: &Plan, stage: &Stage, processes: usize) -> Outcome<Team> {
    let setups: Vec<_> = (0..processes).map(|_| Setup::small(Contestant::REDFENCE, stage.urls())).collect();
    let mut team = Team::start(&setups).await?;
    team.warm_up(RESOURCE, plan.warm_up).await?;
    Ok(team)
}
