//! `redfence force-release`: takes a lock from a holder that does not release it.

use redfence::admin::{ForceOutcome, Forced, ForcedAt, ForcedRow};
use redfence::{Holder, Label, Redlock, Resource};
use serde::Serialize;

use crate::args::{ForceArgs, Global, HolderArg};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{GOOD, Output, table};

#[derive(Serialize)]
struct ForceReleased<'a> {
    resource: &'a Resource,
    holder: &'a Holder,
    reason: &'a str,
    released: bool,
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    address: &'a str,
    outcome: &'static str,
}

/// Removes the lock if it is still the expected holder's.
pub(crate) async fn force(args: &ForceArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let resource = &args.resource;
    let redlock = connect::to_servers(global)?.connect().await?;
    let holder = whole(&args.expect_holder, resource, &redlock).await?;
    let forced = redlock.admin().force_release(resource, &holder, &args.reason).await?;
    let rows: Vec<_> = forced.rows.iter().map(|row| (row.address.clone(), story(row))).collect();
    if let Some(failure) = failure(&forced) {
        return Err(Failure { votes: rows, ..failure });
    }
    let cells: Vec<_> = rows.into_iter().map(|(address, story)| vec![address, story]).collect();
    let human = format!(
        "{}\n\n{GOOD}released{GOOD:#} {resource}, which {holder:?} had; it may still be at work, and writes with its \
         token are refused by every verifier once the next holder has written",
        table(&cells)
    );
    let nodes = forced.rows.iter().map(|row| Node { address: &row.address, outcome: outcome(row) }).collect();
    let machine = ForceReleased { resource, holder: &holder, reason: &args.reason, released: true, nodes };
    // The lock is removed, even if no one reads the result.
    let _ = output.result(&human, &machine);
    Ok(Exit::Done)
}

/// The whole value of the holder. If no node has this id, the label stays empty; the counters are raised all the
/// same.
async fn whole(holder: &HolderArg, resource: &Resource, redlock: &Redlock) -> Result<Holder, Failure> {
    let id = match holder {
        HolderArg::Full(holder) => return Ok(holder.clone()),
        HolderArg::Id(id) => *id,
    };
    if let Some(holder) = redlock.admin().inspect(resource).await?.holder_with_id(id) {
        return Ok(holder);
    }
    let label = Label::new("").map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(Holder::new(id, label))
}

/// Why the lock was not removed; `None` if it was.
fn failure(forced: &Forced) -> Option<Failure> {
    match forced.outcome() {
        ForceOutcome::Released => None,
        ForceOutcome::NotHeld => Some(Failure::new(
            Exit::NotHeld,
            "not held: no majority had the lock for this holder; what was left is gone",
        )),
        ForceOutcome::HeldBy(other) => {
            let message = format!("held by another, whose lock stays: {other}");
            Some(Failure::new(Exit::Contended, message))
        }
        _ => {
            let message = "no quorum: too few nodes answered, so the holder may still have the lock; call it again";
            Some(Failure::new(Exit::NoQuorum, message))
        }
    }
}

/// The outcome on one node, for people.
fn story(row: &ForcedRow) -> String {
    match &row.outcome {
        Ok(ForcedAt::Released) => "released".to_owned(),
        Ok(ForcedAt::Free) => "there was no lock".to_owned(),
        Ok(ForcedAt::HeldBy(other)) => format!("held by {other}"),
        Ok(_) => "not released".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

/// The outcome on one node, for machines.
const fn outcome(row: &ForcedRow) -> &'static str {
    match &row.outcome {
        Ok(ForcedAt::Released) => "released",
        Ok(ForcedAt::Free) => "free",
        Ok(_) => "held_by_other",
        Err(_) => "failed",
    }
}
