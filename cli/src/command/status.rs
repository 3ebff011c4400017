//! `redfence status`: shows the report of each node about a lock.

use redfence::admin::{Agreement, Inspection, Row};
use redfence::protocol::LockView;
use redfence::{ConnectError, Holder, NodeStatus, Printable, Redlock, Resource, Waiter};
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
    holder: Option<&'a str>,
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
        holder: Option<&'a str>,
        /// The label of the waiter that the lock is reserved for, if it is reserved.
        reserved_for: Option<&'a str>,
        label: Option<String>,
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
    Ok(if answered(&inspection) >= inspection.needed { Exit::Done } else { Exit::NoQuorum })
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

/// How many nodes reported the lock.
pub(super) fn answered(inspection: &Inspection) -> usize {
    inspection.count(|row| row.view.is_ok())
}

fn machine<'a>(resource: &'a Resource, inspection: &'a Inspection, nodes: &[NodeStatus]) -> Status<'a> {
    let agreement = inspection.agreement();
    let holder = match &agreement {
        Agreement::HeldBy(holder) => occupants(inspection).find(|occupant| *occupant == &**holder),
        _ => None,
    };
    let agreement = match agreement {
        Agreement::HeldBy(_) => "held",
        Agreement::Free => "free",
        Agreement::Indeterminate => "indeterminate",
    };
    let said = |row: &'a Row| match &row.view {
        Ok(view) => Said::Seen {
            takes_part: row.takes_part,
            holder: view.held_by(),
            reserved_for: reserved(view),
            label: view.held_by().and_then(parsed).map(|holder| holder.label().to_string()),
            ttl_left_ms: view.ttl_left.map(ms),
            waiting: view.waiting,
            next: next(view),
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
    let mut named: Vec<&str> = Vec::new();
    for occupant in occupants(inspection) {
        if parsed(occupant).is_some() && !named.contains(&occupant) {
            named.push(occupant);
            lines += &format!("\n{DIM}holder{DIM:#}  {occupant}");
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
    let (holder, label) = match (view.held_by(), reserved(view)) {
        (None, None) => ("-".to_owned(), "-".to_owned()),
        (None, Some(waiter)) => ("reserved".to_owned(), waiter.to_owned()),
        (Some(holder), _) => match parsed(holder) {
            Some(holder) => (format!("{:?}", holder.id()), holder.label().to_string()),
            None => (foreign(holder), "another program's".to_owned()),
        },
    };
    let left = match (&view.occupant, view.ttl_left) {
        (None, _) => "-".to_owned(),
        (Some(_), Some(left)) => node::seconds(left),
        (Some(_), None) => "no end".to_owned(),
    };
    let (standing, waiting, counter) = (node::standing(status), view.waiting.to_string(), view.counter.to_string());
    let next = next(view).unwrap_or("-").to_owned();
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
            let name = named(&holder);
            let on = occupants(inspection).filter(|occupant| *occupant == &*holder).count();
            format!("{STRONG}held{STRONG:#} by {name} on {on} of {nodes} nodes{others}")
        }
        Agreement::Free => format!("{GOOD}free{GOOD:#} on {free} of {nodes} nodes{others}"),
        Agreement::Indeterminate => {
            let needed = inspection.needed;
            format!(
                "{STRONG}no majority{STRONG:#}: held on {held}, free on {free} of {nodes} nodes{others}; {needed} must agree"
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

fn occupants(inspection: &Inspection) -> impl Iterator<Item = &str> {
    inspection.rows.iter().filter_map(|row| row.view.as_ref().ok()?.held_by())
}

/// The label of the waiter that the lock is reserved for.
fn reserved(view: &LockView) -> Option<&str> {
    Waiter::reserved(view.occupant.as_deref()?).map(|(_, label)| label)
}

/// The label of the waiter that has waited longest.
fn next(view: &LockView) -> Option<&str> {
    Waiter::of_entry(view.first.as_deref()?).map(|(_, label)| label)
}

pub(super) fn parsed(occupant: &str) -> Option<Holder> {
    occupant.parse().ok()
}

/// A holder value for people. Any program may have written it, so it is escaped and cut to one line.
pub(super) fn named(occupant: &str) -> String {
    parsed(occupant).map_or_else(|| foreign(occupant), |holder| format!("{holder:?}"))
}

/// A value that another program wrote: escaped and cut.
pub(super) fn foreign(occupant: &str) -> String {
    format!("\"{}\"", Printable(&occupant.chars().take(24).collect::<String>()))
}
