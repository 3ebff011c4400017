//! Founding a new installation, and telling servers apart.

use crate::protocol::{Fault, FaultKind};
use crate::redlock::error::FoundError;
use crate::redlock::handle::Redlock;
use crate::redlock::membership::node_health::{NodeCondition, NodeStatus};

impl Redlock {
    /// Declares the installation new: nodes that started a moment ago, and would rest because nobody can know what they
    /// forgot, take part at once. For the first start only, when certainly nobody holds anything; founding twice is harmless.
    ///
    /// # Errors
    ///
    /// [`FoundError`] when a node cannot be asked, or remembers that it took part before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some nodes founded and others not; call it again.
    pub async fn found(&self) -> Result<(), FoundError> {
        self.locker.roster.bootstrap().await;
        let nodes = self.nodes();
        let unseen = |node: &&NodeStatus| node.last_fault.is_some() || node.condition == NodeCondition::Unknown;
        if let Some(node) = nodes.iter().find(unseen) {
            let fault = node.last_fault.clone().unwrap_or_else(|| Fault::new(FaultKind::NotJoined, ""));
            return Err(FoundError::Unseen { node: node.address.clone(), fault });
        }
        match nodes.into_iter().find(|node| node.condition != NodeCondition::Ready) {
            Some(node) => Err(FoundError::NotNew { node: node.address, rest: self.locker.roster.rest() }),
            None => Ok(()),
        }
    }

    /// Refuses a set in which one server stands under two names.
    #[cfg(feature = "redis")]
    pub(crate) fn refuse_duplicates(&self) -> Result<(), crate::redlock::error::ConnectError> {
        let nodes = self.nodes();
        let Some(second) = nodes.iter().find(|node| node.condition == NodeCondition::Duplicate) else { return Ok(()) };
        let first =
            nodes.iter().find(|node| node.run_id == second.run_id).map_or_else(String::new, |n| n.address.clone());
        Err(crate::redlock::error::ConnectError::SameServer { first, second: second.address.clone() })
    }
}
