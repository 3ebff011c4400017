//! What operators do when something went wrong: take a lock from its holder, and start again after a disaster.

use std::sync::Arc;
use std::time::Duration;

use super::handle::Admin;
use super::list::{Count, End, walk};
use crate::protocol::{Fault, FaultKind, LockState, Reply, Subject, Verb};
use crate::redlock::membership::node_health::NodeCondition;
use crate::redlock::membership::roster::WaitFor;
use crate::redlock::round::ask::ask_all;
use crate::redlock::round::exchange::Phase;
use crate::{Holder, NodeId, Occupant, Resource, ResourceError};

/// The result of [`Admin::force_release`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Forced {
    /// What happened on each node, in the order of the nodes.
    pub rows: Vec<ForcedRow>,
    /// How many nodes must agree.
    pub needed: usize,
}

/// What happened on one node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ForcedRow {
    /// The node.
    pub node: NodeId,
    /// Its address.
    pub address: String,
    /// What happened there.
    pub outcome: Result<ForcedAt, Fault>,
}

/// What a node did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForcedAt {
    /// The lock was the expected holder's and is gone now.
    Released,
    /// There was no lock.
    Free,
    /// The lock belongs to another holder, and stays.
    HeldBy(Occupant),
}

/// The overall result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForceOutcome {
    /// The expected holder had a quorum, or may have had one, and has it no more.
    Released,
    /// The expected holder had no quorum. Its locks on single nodes are removed.
    NotHeld,
    /// Another holder has the lock. It was not removed.
    HeldBy(Occupant),
    /// Too few nodes answered: the expected holder may still have it.
    NoQuorum,
}

impl Forced {
    /// The overall result.
    #[must_use]
    pub fn outcome(&self) -> ForceOutcome {
        let count = |wanted: &dyn Fn(&ForcedRow) -> bool| self.rows.iter().filter(|row| wanted(row)).count();
        let released = count(&|row| row.outcome == Ok(ForcedAt::Released));
        let failed = count(&|row| row.outcome.is_err());
        let others: Vec<&Occupant> = self.rows.iter().filter_map(ForcedRow::other).collect();
        let most = others.iter().copied().max_by_key(|one| others.iter().filter(|other| *other == one).count());
        match most {
            _ if self.rows.len() - failed < self.needed => ForceOutcome::NoQuorum,
            Some(other) if others.len() >= self.needed || released == 0 => ForceOutcome::HeldBy(other.clone()),
            // Nodes that did not answer may have been the holder's too.
            _ if released > 0 && released + failed >= self.needed => ForceOutcome::Released,
            _ => ForceOutcome::NotHeld,
        }
    }
}

impl ForcedRow {
    fn other(&self) -> Option<&Occupant> {
        match &self.outcome {
            Ok(ForcedAt::HeldBy(other)) => Some(other),
            _ => None,
        }
    }
}

/// What a reset removed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reset {
    /// The address of each node, and how many locks it had.
    pub removed: Vec<(String, usize)>,
}

/// Why a reset failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// Some node cannot be asked, so nothing was done on any node.
    #[error("{node} cannot be asked, so nothing was done: {fault}; an installation starts again with all of its nodes")]
    Unseen {
        /// Its address.
        node: String,
        /// Why.
        fault: Fault,
    },
    /// The reset began, but did not finish on some node.
    #[error("{node} was not reset to the end: {fault}; some nodes are and others are not: call it again")]
    Unfinished {
        /// Its address.
        node: String,
        /// Why.
        fault: Fault,
    },
}

/// The most steps of a reset on one node: fifty million keys.
const RESET_STEPS_MAX: usize = 100_000;
/// The least time that a node gets for one step of a reset: a reset need not be fast.
const RESET_WAIT_MIN: Duration = Duration::from_secs(1);

impl Admin<'_> {
    /// Takes `resource` away from `expected`, a holder that does not release. It removes the lock on every node where
    /// it is still that holder's, and always lets the next lease have a greater token. **The old holder may still be
    /// working**: only a [verifier](crate::verifier) refuses its writes, and only after the first write of the next
    /// holder.
    ///
    /// `reason` is logged, as a warning.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for a name that cannot be used. A node that does not answer is a row with a fault.
    ///
    /// # Cancel safety
    ///
    /// The requests are sent before the first await point. If the future is dropped, only the outcome is lost.
    pub async fn force_release(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
        expected: &Holder,
        reason: &str,
    ) -> Result<Forced, ResourceError> {
        let subject = Arc::new(Subject::new(resource.try_into().map_err(Into::into)?, expected.clone()));
        tracing::warn!(resource = %subject.resource, holder = ?subject.holder, reason, "taking the lock away from its holder");
        let (env, within) = (self.0.env(), self.0.settings.node_timeout);
        let replies = ask_all(env, subject, Phase::Operate, env.all_nodes(), &|_| Verb::Force, within).await;
        let rows = replies.into_iter().zip(self.0.addresses()).map(|((node, reply), address)| {
            let outcome = match reply {
                Reply::Released => Ok(ForcedAt::Released),
                Reply::Refused(view) => Ok(match view.lock {
                    LockState::HeldBy(occupant) => ForcedAt::HeldBy(occupant),
                    LockState::Free | LockState::ReservedFor(_) => ForcedAt::Free,
                }),
                Reply::Failed(fault) => Err(fault),
                other => Err(Fault::new(FaultKind::Unexpected, format!("{other:?}"))),
            };
            ForcedRow { node, address, outcome }
        });
        Ok(Forced { rows: rows.collect(), needed: self.0.env().quorum.needed() })
    }

    /// Starts again after a disaster: removes every lock of this prefix on every node, raises all counters to the
    /// clock, and initializes the nodes, so that they take part at once.
    ///
    /// **Only if certainly no process holds a lock**: a holder is not asked, and would work at the same time as the
    /// next one.
    ///
    /// # Errors
    ///
    /// [`ResetError`] if a node cannot be asked. All of them are needed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some nodes may be reset and others not. Call it again.
    pub async fn reset(&self) -> Result<Reset, ResetError> {
        self.0.locker.roster.look(WaitFor::All).await;
        let unseen = |(node, fault)| ResetError::Unseen { node, fault };
        self.first_unready(&|_| true).map_or(Ok(()), |found| Err(unseen(found)))?;

        tracing::warn!(nodes = ?self.0.addresses(), "removing all locks and starting again");
        let wait = self.0.settings.node_timeout.max(RESET_WAIT_MIN);
        let counts = vec![Count::default(); self.0.env().quorum.nodes()];
        let walks = walk(self.0.env(), wait, RESET_STEPS_MAX, true, counts).await;
        let mut removed = Vec::new();
        for (walk, node) in walks.into_iter().zip(self.0.addresses()) {
            let fault = match walk.end {
                End::Reached => {
                    removed.push((node, walk.found.0));
                    continue;
                }
                End::Failed(fault) => fault,
                End::TooFar => Fault::new(FaultKind::TimedOut, "it has more keys than one reset visits"),
            };
            return Err(ResetError::Unfinished { node, fault });
        }
        self.0.locker.roster.begin_anew().await;
        let unfinished = |(node, fault)| ResetError::Unfinished { node, fault };
        self.first_unready(&|condition| condition == NodeCondition::Ready)
            .map_or(Ok(Reset { removed }), |found| Err(unfinished(found)))
    }

    /// The first node that does not answer, or whose condition is not `good`.
    fn first_unready(&self, good: &dyn Fn(NodeCondition) -> bool) -> Option<(String, Fault)> {
        self.0.nodes().into_iter().find_map(|node| match node.last_fault {
            Some(fault) => Some((node.address, fault)),
            None if node.condition == NodeCondition::Unknown || !good(node.condition) => {
                let detail = format!("it is {}", node.condition);
                Some((node.address, Fault::new(FaultKind::NotJoined, detail)))
            }
            None => None,
        })
    }
}
