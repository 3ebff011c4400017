//! `redfence list`: lists all locks that are held.

use std::borrow::Cow;

use redfence::Resource;
use redfence::admin::{Listed, Listing};
use serde::Serialize;

use super::status;
use crate::args::{Global, ListArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{DIM, Output, table};
use crate::words::{ms, node};

#[derive(Serialize)]
struct List<'a> {
    locks: Vec<Lock<'a>>,
    needed: usize,
    nodes: usize,
    partial: Option<Partial<'a>>,
}

#[derive(Serialize)]
struct Lock<'a> {
    resource: &'a Resource,
    holder: Cow<'a, str>,
    label: Option<&'a str>,
    ttl_left_ms: Option<u64>,
    nodes: usize,
}

#[derive(Serialize)]
struct Partial<'a> {
    reason: String,
    unanswered: Vec<Unanswered<'a>>,
    resting: &'a [String],
    unfinished: &'a [String],
    left_off: usize,
}

#[derive(Serialize)]
struct Unanswered<'a> {
    address: &'a str,
    error: String,
}

/// Walks over all nodes and shows the locks that it found.
pub(crate) async fn list(args: &ListArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let redlock = status::reach(global).await?;
    let listing = redlock.admin().list(&args.prefix, args.limit).await;
    if listing.answered() == 0 {
        return Err(no_node_answered(&listing));
    }
    // If no one reads the result, that is not an error.
    let _ = output.result(&human(&listing, &args.prefix), &machine(&listing));
    if let Some(partial) = &listing.partial {
        let all = if listing.has_quorum() { "this is not all" } else { "no quorum, so there may be more" };
        output.note(&format!("{all}: {partial}"));
    }
    Ok(if listing.has_quorum() { Exit::Done } else { Exit::NoQuorum })
}

/// The failure if no node was reached: the list is unknown, which is not the same as empty.
fn no_node_answered(listing: &Listing) -> Failure {
    let unanswered = listing.partial.iter().flat_map(|partial| &partial.unanswered);
    let votes = unanswered.map(|(address, fault)| (address.clone(), fault.to_string())).collect();
    let message = format!("no quorum: none of {} nodes answered, so what is held is not known", listing.nodes);
    Failure { votes, ..Failure::new(Exit::NoQuorum, message) }
}

fn human(listing: &Listing, prefix: &str) -> String {
    let heading = ["resource", "holder", "label", "time left", "nodes"].map(str::to_owned).to_vec();
    let rows = std::iter::once(heading).chain(listing.locks.iter().map(|lock| row(lock, listing)));
    let rows = table(&rows.collect::<Vec<_>>());
    match rows.split_once('\n') {
        Some((heading, rows)) => format!("{DIM}{heading}{DIM:#}\n{rows}"),
        None if !listing.has_quorum() => "nothing was found on the nodes that answered and take part".to_owned(),
        None if prefix.is_empty() => "nothing is held".to_owned(),
        None => format!("nothing is held whose name begins with \"{prefix}\""),
    }
}

fn row(lock: &Listed, listing: &Listing) -> Vec<String> {
    let (holder, label) = status::cells(&lock.occupant);
    let left = lock.ttl_left.map_or_else(|| "no end".to_owned(), node::seconds);
    let short = if lock.nodes < listing.needed { ", no majority" } else { "" };
    vec![lock.resource.to_string(), holder, label, left, format!("{} of {}{short}", lock.nodes, listing.nodes)]
}

fn machine(listing: &Listing) -> List<'_> {
    let locks = listing.locks.iter().map(|listed| Lock {
        resource: &listed.resource,
        holder: listed.occupant.value(),
        label: status::label(&listed.occupant),
        ttl_left_ms: listed.ttl_left.map(ms),
        nodes: listed.nodes,
    });
    let partial = listing.partial.as_ref().map(|partial| Partial {
        reason: partial.to_string(),
        unanswered: partial
            .unanswered
            .iter()
            .map(|(address, fault)| Unanswered { address, error: fault.to_string() })
            .collect(),
        resting: &partial.resting,
        unfinished: &partial.unfinished,
        left_off: partial.left_off,
    });
    List { locks: locks.collect(), needed: listing.needed, nodes: listing.nodes, partial }
}
