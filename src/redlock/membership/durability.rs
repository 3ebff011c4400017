//! Checks whether nodes that are declared durable keep every write: one check for each run of each server.

use futures::future::join_all;

use crate::NodeId;
use crate::redlock::env::Env;

/// Asks each server whether it logs every write before it replies, and warns if it does not. A server that cannot be
/// asked is trusted.
pub(super) async fn sync_every_write(env: &Env, nodes: Vec<NodeId>) -> Vec<(NodeId, bool)> {
    let asked = env.nodes().filter(|(id, _)| nodes.contains(id));
    let answers = join_all(asked.map(|(id, node)| async move {
        let synced = match node.as_server() {
            Some(server) => server.syncs_every_write().await,
            None => Ok(true),
        };
        (id, node.address(), synced)
    }));
    let answers = answers.await.into_iter().map(|(id, node, synced)| {
        match &synced {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(node, "declared durable, but appendfsync is not always: it will rest after a restart");
            }
            Err(fault) => tracing::warn!(
                node, %fault,
                "declared durable, but the server does not say whether appendfsync is always: the declaration is trusted"
            ),
        }
        (id, synced.unwrap_or(true))
    });
    answers.collect()
}
