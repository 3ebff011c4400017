//! Whether nodes that are declared durable keep every write, as far as they tell: looked at once a run of each server.

use std::sync::Arc;

use futures::future::join_all;

use crate::NodeId;
use crate::redlock::env::Core;
use crate::redlock::membership::roster::Roster;

impl Roster {
    /// Asks the servers that were seen and not asked in their present run, and says aloud what speaks against them.
    pub(crate) async fn examine_logs(&self, core: &Arc<Core>) {
        let unasked: Vec<_> = {
            let stations = self.stations();
            let is_open =
                |id: NodeId| stations.get(id.index()).is_some_and(|s| s.sight().is_some() && s.is_synced().is_none());
            core.nodes().filter(|(id, _)| is_open(*id)).collect()
        };
        let answers = join_all(unasked.into_iter().map(|(id, node)| async move {
            let synced = match node.as_server() {
                Some(server) => server.syncs_every_write().await,
                None => Ok(true),
            };
            (id, node.address(), synced)
        }));
        for (id, address, synced) in answers.await {
            match &synced {
                Ok(true) => {}
                Ok(false) => tracing::warn!(
                    node = address,
                    "declared durable, but appendfsync is not always: it will rest after a restart"
                ),
                Err(fault) => tracing::warn!(
                    node = address, %fault,
                    "declared durable, and whether appendfsync is always cannot be asked: the declaration is trusted"
                ),
            }
            let mut stations = self.stations();
            let Some(station) = stations.get_mut(id.index()) else { continue };
            if station.sight().is_some_and(|sight| sight.keeps == Some(false)) {
                tracing::warn!(
                    node = address,
                    "declared durable, but it keeps no append-only file, or was a replica: it will rest after a restart"
                );
            }
            station.note_synced(synced.unwrap_or(true));
        }
    }
}
