//! `redfence who`: shows who holds a resource, in one line.

use std::time::Duration;

use redfence::Resource;
use redfence::admin::{Agreement, Inspection, Row};
use serde::Serialize;

use super::status;
use crate::args::{Global, WhoArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{ms, node};

/// Who holds a resource, according to most nodes.
#[derive(Debug, Serialize)]
pub(super) struct Who<'a> {
    pub(super) resource: &'a Resource,
    /// `held`; `free`; `split` if no holder can have a majority; `unknown` if too few nodes answered or take part.
    pub(super) agreement: &'static str,
    pub(super) holder: Option<String>,
    pub(super) label: Option<String>,
    /// The longest time that the lock lives on any node.
    pub(super) ttl_left_ms: Option<u64>,
    /// How many nodes have it for this holder.
    held_on: usize,
    /// How many nodes that take part have no lock.
    free_on: usize,
    /// How many nodes answered without a lock, but may have forgotten it.
    resting: usize,
    needed: usize,
    nodes: usize,
}

impl<'a> Who<'a> {
    pub(super) fn of(resource: &'a Resource, inspection: &Inspection) -> Self {
        let (agreement, holder) = match inspection.agreement() {
            Agreement::HeldBy(holder) => ("held", Some(holder)),
            Agreement::Free => ("free", None),
            _ if may_be_held(inspection) => ("unknown", None),
            _ => ("split", None),
        };
        let views = || inspection.rows.iter().filter_map(|row| row.view.as_ref().ok());
        let of_holder =
            || views().filter(|view| view.lock.held_by().is_some() && view.lock.held_by() == holder.as_ref());
        Self {
            resource,
            agreement,
            holder: holder.as_ref().map(|holder| holder.value().into_owned()),
            label: holder.as_ref().and_then(status::label).map(str::to_owned),
            ttl_left_ms: of_holder().filter_map(|view| view.ttl_left).max().map(ms),
            held_on: of_holder().count(),
            free_on: inspection.count(Row::is_free),
            resting: inspection.count(Row::may_have_forgotten),
            needed: inspection.needed,
            nodes: inspection.rows.len(),
        }
    }

    /// One line for people.
    pub(super) fn human(&self, inspection: &Inspection) -> String {
        let left = self.ttl_left_ms.map(|left| format!(", {} left", node::seconds(Duration::from_millis(left))));
        status::agreement(inspection) + &left.unwrap_or_default()
    }
}

/// Asks every node and prints what they agree on. The exit code says the same.
pub(crate) async fn who(args: &WhoArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let redlock = status::reach(global).await?;
    let inspection = redlock.admin().inspect(&args.resource).await?;
    let who = Who::of(&args.resource, &inspection);
    // If no one reads the result, the exit code still says it.
    let _ = output.result(&who.human(&inspection), &who);
    Ok(match who.agreement {
        "held" => Exit::Done,
        "unknown" => Exit::NoQuorum,
        _ => Exit::Failed,
    })
}

/// Whether the nodes that are silent, or may have forgotten, could complete a majority for a holder or for "free".
fn may_be_held(inspection: &Inspection) -> bool {
    let open = inspection.count(|row| row.view.is_err() || row.may_have_forgotten());
    let holders = || status::occupants(inspection);
    let most = holders().map(|one| holders().filter(|other| *other == one).count()).max().unwrap_or_default();
    most.max(inspection.count(Row::is_free)) + open >= inspection.needed
}
