//! One task, while one node of five hangs or is gone.

use std::time::Duration;

use super::{Entrant, NODES, connect, round, rows};
use crate::contestants::Contestant;
use crate::load::{Load, Wanted};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::target::Target;

/// The state of a set of servers, after all processes are connected.
#[derive(Clone, Copy)]
enum State {
    Well,
    Hung,
    Dead,
}

impl State {
    const ALL: [Self; 3] = [Self::Well, Self::Hung, Self::Dead];

    const fn name(self) -> &'static str {
        match self {
            Self::Well => "all nodes well",
            Self::Hung => "one node hung",
            Self::Dead => "one node dead",
        }
    }

    fn befall(self, stage: &mut Stage) {
        match self {
            Self::Well => {}
            Self::Hung => stage.hang(0),
            Self::Dead => stage.kill(0),
        }
    }
}

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    // A set of servers for each state, so that their rounds can be interleaved too.
    let mut stages = Vec::new();
    let mut entrants: Vec<(usize, Entrant)> = Vec::new();
    let load = Load { tasks: 1, wanted: Wanted::Own, time: plan.warm_up };
    for (index, state) in State::ALL.iter().enumerate() {
        let mut stage = Stage::of(NODES);
        for entrant in connect(Contestant::ALONE, &stage.urls()).await? {
            // Connections must be open before the fault.
            round(&stage, &entrant, &load, plan.warm_up).await?;
            entrants.push((index, entrant));
        }
        state.befall(&mut stage);
        stages.push(stage);
    }
    let measure = async |(state, entrant): &mut &(usize, Entrant), time: Duration| {
        let stage = stages.get(*state).ok_or("a state without servers")?;
        round(stage, entrant, &load, time).await
    };
    let samples = plan.interleave(&entrants, measure).await?;

    let mut table = rows::of_pairs("state");
    let mut p50s = Vec::new();
    for (state, samples) in State::ALL.iter().zip(samples.chunks(Contestant::ALONE.len())) {
        rows::add_pairs(&mut table, state.name(), Contestant::ALONE, samples);
        p50s.push((state.name(), rows::of(Contestant::REDFENCE, Contestant::ALONE, samples).p50_us));
    }
    let healthy = p50s.first().map_or(f64::NAN, |(_, p50)| *p50);
    let target = |(name, p50): &(&str, f64)| Target::at_most(format!("{name}: p50, × all well"), 1.1, p50 / healthy);
    let targets = p50s.iter().skip(1).map(target).collect();
    let title = format!("One task, {NODES} nodes, one of them in trouble");
    Ok(Report { title, tables: vec![table], targets, ..Report::default() })
}
