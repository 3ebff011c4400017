//! One task on 1, 3, 5, 7 and 9 nodes.

use std::time::Duration;

use super::{Entrant, connect, round, rows};
use crate::contestants::Contestant;
use crate::load::{Load, Wanted};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::target::Target;

const SIZES: &[usize] = &[1, 3, 5, 7, 9];

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let stage = Stage::of(SIZES.iter().copied().max().unwrap_or_default());
    let mut entrants = Vec::new();
    for size in SIZES {
        let urls: Vec<_> = stage.urls().into_iter().take(*size).collect();
        entrants.extend(connect(Contestant::ALONE, &urls).await?);
    }
    // One after the other, so that no locker meets the lock of another set on a shared server.
    let load = Load { tasks: 1, wanted: Wanted::Own, time: plan.round };
    let measure = async |entrant: &mut &Entrant, time: Duration| round(&stage, entrant, &load, time).await;
    let samples = plan.interleave(&entrants, measure).await?;

    let mut table = rows::of_pairs("nodes");
    let mut grown = Vec::new();
    for (size, samples) in SIZES.iter().zip(samples.chunks(Contestant::ALONE.len())) {
        rows::add_pairs(&mut table, &size.to_string(), Contestant::ALONE, samples);
        grown.push((*size as f64, rows::of(Contestant::REDFENCE, Contestant::ALONE, samples)));
    }
    let mut targets = Vec::new();
    if let (Some((_, one)), Some((_, all))) = (grown.first(), grown.last()) {
        let steepest = grown.iter().map(|(size, sample)| sample.cpu_us() / one.cpu_us() / size).fold(0.0, f64::max);
        targets.push(Target::at_most("CPU per pair beside one node, over N, the worst", 1.0, steepest));
        targets.push(Target::at_most("p50 on 9 nodes, × one node", 2.0, all.p50_us / one.p50_us));
    }
    Ok(Report { title: "One task, 1 to 9 nodes".to_owned(), tables: vec![table], targets, ..Report::default() })
}
