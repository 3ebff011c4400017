//! `redfence status`: shows the report of each node about a lock.

use std::borrow::Cow;

use redfence::admin::{Agreement, Inspection, Row};
use redfence::{ConnectError, Holder, LockState, NodeStatus, Occupant, QueueEntry, Redlock, Resource};
use serde::Serialize;

use crate::args::{Global, StatusArgs};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, Output, STRONG, table};
use crate::words::ms;
use crate::words::node::{self, Standing};

#[derive(Serialize)]
struct Status<'a> {
    resource: &'a Resource,
    agreement: &'static str,
    holder: Option<Cow<'a, str>>,
    needed: usize,
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    address: &'a str,
    #[serde(flatten)]
    standing: Standing,
    #[serde(flatten)]
    said: Said<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Seen {
        /// Whether the report counts. A node that rests may have forgotten a lock.
        takes_part: bool,
        holder: Option<Cow<'a, str>>,
        /// The label of the waiter that the lock is reserved for, if it is reserved.
        reserved_for: Option<&'a str>,
        label: Option<&'a str>,
        ttl_left_ms: Option<u64>,
        /// How many processes wait, and the label of the next one.
        waiting: u32,
        next: Option<&'a str>,
        counter: String,
    },
    Failed {
        error: String,
    },
}

/// Asks every node and shows its report.
pub(crate) async fn status(args: &StatusArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let redlock = reach(global).await?;
    let inspection = redlock.admin().inspect(&args.resource).await?;
    let nodes = redlock.nodes();
    // If no one reads the result, that is not an error.
    let _ = output.result(&human(&inspection, &nodes), &machine(&args.resource, &inspection, &nodes));
    let has_quorum = inspection.is_quorum(|row| row.view.is_ok() && row.takes_part);
    Ok(if has_quorum { Exit::Done } else { Exit::NoQuorum })
}

/// A locker over all nodes, even if few or none can be reached: the table shows which ones cannot.
pub(super) async fn reach(global: &Global) -> Result<Redlock, Failure> {
    match connect::to_servers(global)?.connect().await {
        Err(ConnectError::NoQuorum { .. }) => {
            let nodes = connect::each_node(global).await?;
            let redlock = nodes.into_iter().fold(connect::settings(global), redfence::Builder::node).build()?;
            redlock.look().await;
            Ok(redlock)
        }
        other => Ok(other?),
    }
}

fn machine<'a>(resource: &'a Resource, inspection: &'a Inspection, nodes: &[NodeStatus]) -> Status<'a> {
    let agreement = inspection.agreement();
    let holder = match &agreement {
        Agreement::HeldBy(holder) => occupants(inspection).find(|occupant| *occupant == holder).map(Occupant::value),
        _ => None,
    };
    let agreement = match agreement {
        Agreement::HeldBy(_) => "held",
        Agreement::Free => "free",
        _ => "indeterminate",
    };
    let said = |row: &'a Row| match &row.view {
        Ok(view) => Said::Seen {
            takes_part: row.takes_part,
            holder: view.lock.held_by().map(Occupant::value),
            reserved_for: view.lock.reserved_for().map(QueueEntry::label),
            label: view.lock.held_by().and_then(label),
            ttl_left_ms: view.ttl_left.map(ms),
            waiting: view.waiting,
            next: view.first.as_deref().map(QueueEntry::label),
            counter: view.counter.to_string(),
        },
        Err(fault) => Said::Failed { error: fault.to_string() },
    };
    let node = |(row, status): (&'a Row, &NodeStatus)| Node {
        address: &row.address,
        standing: Standing::of(status),
        said: said(row),
    };
    let nodes = inspection.rows.iter().zip(nodes).map(node).collect();
    Status { resource, agreement, holder, needed: inspection.needed, nodes }
}

fn human(inspection: &Inspection, nodes: &[NodeStatus]) -> String {
    let heading =
        ["node", "stands", "holder", "label", "time left", "waiting", "next", "counter", "round trip", "clock"];
    let heading = heading.map(str::to_owned).to_vec();
    let rows = std::iter::once(heading).chain(inspection.rows.iter().zip(nodes).map(row));
    let rows = table(&rows.collect::<Vec<_>>());
    let (heading, rows) = rows.split_once('\n').unwrap_or((&rows, ""));
    let mut lines = format!("{DIM}{heading}{DIM:#}\n{rows}\n\n{}", agreement(inspection));
    for wrong in node::wrong_clocks(nodes) {
        lines += &format!("\n{BAD}clock{BAD:#}   {wrong}");
    }
    let mut named: Vec<&Holder> = Vec::new();
    for holder in occupants(inspection).filter_map(Occupant::holder) {
        if !named.contains(&holder) {
            named.push(holder);
            lines += &format!("\n{DIM}holder{DIM:#}  {holder}");
        }
    }
    lines
}

fn row((row, status): (&Row, &NodeStatus)) -> Vec<String> {
    let address = row.address.clone();
    let view = match &row.view {
        Err(fault) => return vec![address, fault.to_string()],
        Ok(view) => view,
    };
    let (holder, label) = match &view.lock {
        LockState::HeldBy(occupant) => cells(occupant),
        LockState::ReservedFor(waiter) => ("reserved".to_owned(), waiter.label().to_owned()),
        _ => ("-".to_owned(), "-".to_owned()),
    };
    let left = match view.ttl_left {
        _ if view.lock.is_free() => "-".to_owned(),
        Some(left) => node::seconds(left),
        None => "no end".to_owned(),
    };
    let (standing, waiting, counter) = (node::standing(status), view.waiting.to_string(), view.counter.to_string());
    let next = view.first.as_deref().map_or("-", QueueEntry::label).to_owned();
    vec![
        address,
        standing,
        holder,
        label,
        left,
        waiting,
        next,
        counter,
        node::round_trip(status),
        node::clock_offset(status),
    ]
}

/// Writes `held by … on 3 of 5 nodes, no answer from 1` and the like.
pub(super) fn agreement(inspection: &Inspection) -> String {
    let nodes = inspection.rows.len();
    let (free, held) = (inspection.count(Row::is_free), inspection.count(Row::is_held));
    let others = others(inspection);
    match inspection.agreement() {
        Agreement::HeldBy(holder) => {
            let on = occupants(inspection).filter(|occupant| **occupant == holder).count();
            format!("{STRONG}held{STRONG:#} by {holder} on {on} of {nodes} nodes{others}")
        }
        Agreement::Free => format!("{GOOD}free{GOOD:#} on {free} of {nodes} nodes{others}"),
        _ => {
            let needed = inspection.needed;
            let anchor = inspection.anchor.and_then(|anchor| inspection.rows.get(anchor.index()));
            let anchor = anchor.map(|row| format!(", among them the anchor, {}", row.address)).unwrap_or_default();
            format!(
                "{STRONG}no majority{STRONG:#}: held on {held}, free on {free} of {nodes} nodes{others}; {needed} must \
                 agree{anchor}"
            )
        }
    }
}

/// Writes how many nodes do not count, and why.
fn others(inspection: &Inspection) -> String {
    let (silent, resting) = (inspection.count(|row| row.view.is_err()), inspection.count(Row::may_have_forgotten));
    let resting = if resting > 0 { format!(", {resting} resting") } else { String::new() };
    let silent = if silent > 0 { format!(", no answer from {silent}") } else { String::new() };
    resting + &silent
}

/// The occupants of the lock, one for each node where it is held.
pub(super) fn occupants(inspection: &Inspection) -> impl Iterator<Item = &Occupant> {
    inspection.rows.iter().filter_map(|row| row.view.as_ref().ok()?.lock.held_by())
}

/// The label of a holder; another program has none.
pub(super) fn label(occupant: &Occupant) -> Option<&str> {
    occupant.holder().map(|holder| holder.label().as_str())
}

/// The cells of a table for an occupant: its id, and its label.
pub(super) fn cells(occupant: &Occupant) -> (String, String) {
    match occupant.holder() {
        Some(holder) => (format!("{:?}", holder.id()), holder.label().to_string()),
        None => (occupant.to_string(), "another program's".to_owned()),
    }
}
