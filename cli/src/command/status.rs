//! `redfence status`: what each node believes, side by side.

use redfence::{Agreement, ConnectError, Holder, Inspection, Redlock, Resource, Row};
use serde::Serialize;

use super::ms;
use crate::args::{Global, StatusArgs};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{DIM, GOOD, Output, STRONG, table};

#[derive(Serialize)]
struct Status<'a> {
    resource: &'a Resource,
    agreement: &'static str,
    holder: Option<&'a str>,
    needed: usize,
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Node<'a> {
    Seen { address: &'a str, holder: Option<&'a str>, label: Option<String>, ttl_left_ms: Option<u64>, counter: String },
    Failed { address: &'a str, error: String },
}

/// Asks every node and shows what it said.
pub(crate) async fn status(args: &StatusArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let redlock = match connect::to_servers(global)?.connect().await {
        // That too few can be reached is an answer here: the table says which.
        Err(ConnectError::NoQuorum { .. }) => over_all(global).await?,
        other => other?,
    };
    let inspection = redlock.inspect(&args.resource).await?;
    let answered = inspection.rows.iter().filter(|row| row.view.is_ok()).count();
    // Who does not read on needs no complaint.
    let _ = output.result(&human(&inspection), &machine(&args.resource, &inspection));
    Ok(if answered >= inspection.needed { Exit::Done } else { Exit::NoQuorum })
}

async fn over_all(global: &Global) -> Result<Redlock, Failure> {
    let nodes = connect::each_node(global).await?;
    Ok(nodes.into_iter().fold(connect::settings(global), redfence::Builder::node).build()?)
}

fn machine<'a>(resource: &'a Resource, inspection: &'a Inspection) -> Status<'a> {
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
    let node = |row: &'a Row| match &row.view {
        Ok(view) => Node::Seen {
            address: &row.address,
            holder: view.occupant.as_deref(),
            label: view.occupant.as_deref().and_then(parsed).map(|holder| holder.label().to_string()),
            ttl_left_ms: view.ttl_left.map(ms),
            counter: view.counter.to_string(),
        },
        Err(fault) => Node::Failed { address: &row.address, error: fault.to_string() },
    };
    let nodes = inspection.rows.iter().map(node).collect();
    Status { resource, agreement, holder, needed: inspection.needed, nodes }
}

fn human(inspection: &Inspection) -> String {
    let heading = ["node", "holder", "label", "time left", "counter"].map(str::to_owned).to_vec();
    let rows = std::iter::once(heading).chain(inspection.rows.iter().map(row));
    let rows = table(&rows.collect::<Vec<_>>());
    let (heading, rows) = rows.split_once('\n').unwrap_or((&rows, ""));
    let mut lines = format!("{DIM}{heading}{DIM:#}\n{rows}\n\n{}", agreement(inspection));
    let mut named: Vec<&str> = Vec::new();
    for occupant in occupants(inspection) {
        if parsed(occupant).is_some() && !named.contains(&occupant) {
            named.push(occupant);
            lines += &format!("\n{DIM}holder{DIM:#}  {occupant}");
        }
    }
    lines
}

fn row(row: &Row) -> Vec<String> {
    let address = row.address.clone();
    let view = match &row.view {
        Err(fault) => return vec![address, fault.to_string()],
        Ok(view) => view,
    };
    let (holder, label) = match view.occupant.as_deref() {
        None => ("-".to_owned(), "-".to_owned()),
        Some(occupant) => match parsed(occupant) {
            Some(holder) => (format!("{:?}", holder.id()), holder.label().to_string()),
            None => (foreign(occupant), "another program's".to_owned()),
        },
    };
    let left = match (&view.occupant, view.ttl_left) {
        (None, _) => "-".to_owned(),
        (Some(_), Some(left)) => format!("{}.{} s", left.as_secs(), left.subsec_millis() / 100),
        (Some(_), None) => "for ever".to_owned(),
    };
    vec![address, holder, label, left, view.counter.to_string()]
}

/// `held by … on 3 of 5 nodes` and the like.
fn agreement(inspection: &Inspection) -> String {
    let nodes = inspection.rows.len();
    let views = || inspection.rows.iter().filter_map(|row| row.view.as_ref().ok());
    let with = |occupant: Option<&str>| views().filter(|view| view.occupant.as_deref() == occupant).count();
    match inspection.agreement() {
        Agreement::HeldBy(holder) => {
            let name = parsed(&holder).map_or_else(|| foreign(&holder), |holder| format!("{holder:?}"));
            format!("{STRONG}held{STRONG:#} by {name} on {} of {nodes} nodes", with(Some(&holder)))
        }
        Agreement::Free => format!("{GOOD}free{GOOD:#} on {} of {nodes} nodes", with(None)),
        Agreement::Indeterminate => {
            let (answered, free) = (views().count(), with(None));
            let (held, silent) = (answered - free, nodes - answered);
            let needed = inspection.needed;
            format!(
                "{STRONG}no majority{STRONG:#}: held on {held}, free on {free}, no answer from {silent} of {nodes} nodes; {needed} must agree"
            )
        }
    }
}

fn occupants(inspection: &Inspection) -> impl Iterator<Item = &str> {
    inspection.rows.iter().filter_map(|row| row.view.as_ref().ok()?.occupant.as_deref())
}

fn parsed(occupant: &str) -> Option<Holder> {
    occupant.parse().ok()
}

/// A value that another program wrote: escaped and cut.
fn foreign(occupant: &str) -> String {
    format!("{:?}", occupant.chars().take(24).collect::<String>())
}
