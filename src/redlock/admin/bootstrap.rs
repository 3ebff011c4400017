//! Declares a new installation.

use super::handle::Admin;
use crate::protocol::{Fault, FaultKind, Reason};
use crate::redlock::error::BootstrapError;
use crate::redlock::membership::node_health::{NodeCondition, NodeStatus};

impl Admin<'_> {
    /// Declares the installation new. Nodes that started a moment ago, and would rest because they may have forgotten
    /// locks, take part at once. Use it for the first start only, when no process can hold a lock. A second call does
    /// no harm.
    ///
    /// # Errors
    ///
    /// [`BootstrapError`] if a node cannot be asked, or has a record of an earlier join.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some nodes may be initialized and others not. Call it again.
    pub async fn bootstrap(&self) -> Result<(), BootstrapError> {
        self.0.locker.roster.bootstrap().await;
        let nodes = self.0.nodes();
        let unseen = |node: &&NodeStatus| node.last_fault.is_some() || node.condition == NodeCondition::Unknown;
        if let Some(node) = nodes.iter().find(unseen) {
            let fault = node.last_fault.clone().unwrap_or_else(|| Fault::new(FaultKind::NotJoined, ""));
            return Err(BootstrapError::Unseen { node: node.address.clone(), fault });
        }
        if let Some(node) = nodes.iter().find(|node| node.rests_because == Some(Reason::ClockUnset)) {
            let env = self.0.env();
            let fault = env.ready.unavailable_because(node.id, env.clock.now());
            return Err(BootstrapError::ClockUnset { node: node.address.clone(), fault });
        }
        match nodes.into_iter().find(|node| node.condition != NodeCondition::Ready) {
            Some(node) => Err(BootstrapError::NotNew { node: node.address, rest: self.0.locker.roster.rest() }),
            None => Ok(()),
        }
    }
}
