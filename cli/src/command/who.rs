//! `redfence who`: shows who holds a resource, in one line.

use std::borrow::Cow;

use redfence::admin::{Agreement, Inspection, Row};
use redfence::{Occupant, Resource};
use serde::Serialize;

use super::status;
use crate::args::{Global, WhoArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{ms, node};

#[derive(Serialize)]
struct Who<'a> {
    resource: &'a Resource,
    /// `held`; `free`; `split` if no holder can have a majority; `unknown` if too few nodes answered or take part.
    agreement: &'static str,
    holder: Option<Cow<'a, str>>,
    label: Option<&'a str>,
    /// The longest time that the lock lives on any node.
    ttl_left_ms: Option<u64>,
    /// How many nodes have it for this holder.
    held_on: usize,
    /// How many nodes that take part have no lock.
    free_on: usize,
    /// How many nodes answered without a lock, but may have forgotten it.
    resting: usize,
    needed: usize,
    nodes: usize,
}

/// Asks every node and prints what they agree on. The exit code says the same.
pub(crate) async fn who(args: &WhoArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let redlock = status::reach(global).await?;
    let inspection = redlock.admin().inspect(&args.resource).await?;
    let (agreement, exit) = match inspection.agreement() {
        Agreement::HeldBy(_) => ("held", Exit::Done),
        Agreement::Free => ("free", Exit::Failed),
        _ if may_be_held(&inspection) => ("unknown", Exit::NoQuorum),
        _ => ("split", Exit::Failed),
    };
    let holder = match inspection.agreement() {
        Agreement::HeldBy(holder) => Some(holder),
        _ => None,
    };
    let views = || inspection.rows.iter().filter_map(|row| row.view.as_ref().ok());
    let of_holder = || views().filter(|view| view.lock.held_by().is_some() && view.lock.held_by() == holder.as_ref());
    let left = of_holder().filter_map(|view| view.ttl_left).max();
    let mut human = status::agreement(&inspection);
    if let Some(left) = left {
        human += &format!(", {} left", node::seconds(left));
    }
    let machine = Who {
        resource: &args.resource,
        agreement,
        holder: holder.as_ref().map(Occupant::value),
        label: holder.as_ref().and_then(status::label),
        ttl_left_ms: left.map(ms),
        held_on: of_holder().count(),
        free_on: inspection.count(Row::is_free),
        resting: inspection.count(Row::may_have_forgotten),
        needed: inspection.needed,
        nodes: inspection.rows.len(),
    };
    // If no one reads the result, the exit code still says it.
    let _ = output.result(&human, &machine);
    Ok(exit)
}

/// Whether the nodes that are silent, or may have forgotten, could complete a majority for a holder or for "free".
fn may_be_held(inspection: &Inspection) -> bool {
    let open = inspection.count(|row| row.view.is_err() || row.may_have_forgotten());
    let holders = || status::occupants(inspection);
    let most = holders().map(|one| holders().filter(|other| *other == one).count()).max().unwrap_or_default();
    most.max(inspection.count(Row::is_free)) + open >= inspection.needed
}
