//! `redfence reset`: starts again after a disaster.

use serde::Serialize;

use crate::args::{Global, ResetArgs};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{GOOD, Output, table};

const WITHOUT_YES: &str = "refused: this removes every lock of this prefix on every node, held or not, raises all counters to the clock \
     and lets all nodes take part at once. Run it only if certainly no process holds a lock: a holder that is still at work would \
     not notice, and would work at the same time as the next one. `redfence reset --help` says how to confirm";

#[derive(Serialize)]
struct HasReset<'a> {
    reset: bool,
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    address: &'a str,
    locks_removed: usize,
}

/// Removes all locks and initializes the nodes.
pub(crate) async fn reset(args: &ResetArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let builder = connect::to_servers(global)?;
    if !args.yes {
        return Err(Failure::new(Exit::Usage, WITHOUT_YES));
    }
    let redlock = builder.connect().await?;
    let reset = redlock.admin().reset().await.map_err(|error| Failure::new(Exit::NoQuorum, error.to_string()))?;
    let row = |(address, count): &(String, usize)| {
        vec![address.clone(), format!("{count} {} removed", if *count == 1 { "lock" } else { "locks" })]
    };
    let rows: Vec<_> = reset.removed.iter().map(row).collect();
    let count = rows.len();
    let human = format!("{}\n\n{GOOD}reset{GOOD:#}: {count} of {count} nodes take part from now on", table(&rows));
    let nodes = reset.removed.iter().map(|(address, count)| Node { address, locks_removed: *count }).collect();
    // The reset is done, even if no one reads the result.
    let _ = output.result(&human, &HasReset { reset: true, nodes });
    Ok(Exit::Done)
}
