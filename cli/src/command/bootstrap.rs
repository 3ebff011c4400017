//! `redfence bootstrap`: declares a new installation at its first start.

use redfence::admin::BootstrapError;
use redfence::{NodeCondition, NodeStatus};
use serde::Serialize;

use crate::args::Global;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{GOOD, Output, table};
use crate::words::node;

#[derive(Serialize)]
struct Initialized<'a> {
    initialized: bool,
    nodes: Vec<InitializedNode<'a>>,
}

#[derive(Serialize)]
struct InitializedNode<'a> {
    address: &'a str,
    /// Whether it took part already before this call.
    was_ready: bool,
}

/// Declares the installation new.
pub(crate) async fn bootstrap(global: &Global, output: Output) -> Result<Exit, Failure> {
    let redlock = connect::to_servers(global)?.connect().await?;
    let was_ready = |status: &NodeStatus| status.condition == NodeCondition::Ready && status.last_fault.is_none();
    let before: Vec<bool> = redlock.nodes().iter().map(was_ready).collect();
    let initialized = redlock.admin().bootstrap().await;
    let nodes = redlock.nodes();
    if let Err(error) = initialized {
        let exit = if matches!(error, BootstrapError::NotNew { .. }) { Exit::Failed } else { Exit::NoQuorum };
        let votes = nodes.iter().map(|status| (status.address.clone(), node::standing(status))).collect();
        let message = node::with_wrong_clocks(error.to_string(), &nodes);
        return Err(Failure { votes, ..Failure::new(exit, message) });
    }
    let story = |was_ready| if was_ready { "took part already" } else { "initialized: takes part from now on" };
    let rows = nodes.iter().zip(&before).map(|(status, was)| vec![status.address.clone(), story(*was).to_owned()]);
    let count = nodes.len();
    let human = format!("{}\n\n{GOOD}initialized{GOOD:#}: {count} of {count} nodes", table(&rows.collect::<Vec<_>>()));
    // Counters start at the clock. Nodes that were initialized with a wrong clock must be initialized again.
    for wrong in node::wrong_clocks(&nodes) {
        output.note(&wrong);
    }
    let initialized_node = |(status, was): (_, &bool)| InitializedNode { address: status, was_ready: *was };
    let machine = nodes.iter().map(|status| &*status.address).zip(&before).map(initialized_node).collect();
    // The nodes are initialized, even if no one reads the result.
    let _ = output.result(&human, &Initialized { initialized: true, nodes: machine });
    Ok(Exit::Done)
}
