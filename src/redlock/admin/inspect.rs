//! Reports which holder has the lock of a resource, according to each node.

use std::sync::Arc;

use super::handle::Admin;
use crate::protocol::{Fault, FaultKind, LockView, Reply, Subject, Verb};
use crate::redlock::membership::node_health::{NodeCondition, NodeStatus};
use crate::redlock::round::ask::ask_all;
use crate::redlock::round::exchange::Phase;
use crate::{Holder, HolderId, NodeId, Occupant, Resource, ResourceError, Waiter};

/// What the nodes report about one resource. It is advisory: it may have changed when you read it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspection {
    /// The report of each node, in the order of the nodes.
    pub rows: Vec<Row>,
    /// How many nodes must agree.
    pub needed: usize,
    /// The node that must agree, if there is one.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub anchor: Option<NodeId>,
}

/// The report of one node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Row {
    /// The node.
    pub node: NodeId,
    /// Its address.
    pub address: String,
    /// The state of the lock, or why the node did not report it.
    pub view: Result<LockView, Fault>,
    /// Whether the node answered and takes part. A node that rests may have forgotten a lock, so its report of no
    /// lock proves nothing.
    pub takes_part: bool,
}

impl Row {
    /// Whether the node has the lock for a holder.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn is_held(&self) -> bool {
        self.view.as_ref().is_ok_and(|view| view.lock.held_by().is_some())
    }

    /// Whether the node takes part and has no lock.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn is_free(&self) -> bool {
        self.takes_part && self.view.as_ref().is_ok_and(|view| view.lock.held_by().is_none())
    }

    /// Whether the node answered without a lock, but may have forgotten one.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn may_have_forgotten(&self) -> bool {
        self.view.is_ok() && !self.is_held() && !self.is_free()
    }
}

/// What a majority of the nodes agrees on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Agreement {
    /// A majority has the lock for this holder.
    HeldBy(Occupant),
    /// On a majority of the nodes that take part, no holder has the lock. The resource was free at least at that
    /// moment, or reserved for a waiter.
    Free,
    /// Neither: the nodes disagree, or too few of them answered or take part.
    Indeterminate,
}

impl Inspection {
    /// What a majority agrees on.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        let holders = || self.rows.iter().filter_map(|row| row.view.as_ref().ok()?.lock.held_by());
        let anchor = self.anchor.and_then(|anchor| self.rows.get(anchor.index()));
        let has = |row: &Row, one: &Occupant| row.view.as_ref().is_ok_and(|view| view.lock.held_by() == Some(one));
        let of_quorum = holders().find(|one| holders().filter(|other| other == one).count() >= self.needed);
        // A program that knows the anchor only has no lock elsewhere.
        let of_anchor = anchor.and_then(|row| row.view.as_ref().ok()?.lock.held_by());
        let foreign = of_anchor.filter(|one| one.is_foreign());
        match of_quorum.filter(|one| anchor.is_none_or(|row| has(row, one))).or(foreign) {
            Some(holder) => Agreement::HeldBy(holder.clone()),
            None if self.is_quorum(Row::is_free) => Agreement::Free,
            None => Agreement::Indeterminate,
        }
    }

    /// How many nodes satisfy `stands`.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn count(&self, stands: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| stands(row)).count()
    }

    /// Whether the nodes that satisfy `stands` are a quorum.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn is_quorum(&self, stands: impl Fn(&Row) -> bool) -> bool {
        let anchor = self.anchor.and_then(|anchor| self.rows.get(anchor.index()));
        self.count(&stands) >= self.needed && anchor.is_none_or(stands)
    }

    /// How many waiters are before this locker, if a task of it waits for the resource. If nodes disagree, the number
    /// that most of the nodes report that have the locker in their queues.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn place(&self) -> Option<u32> {
        let mut places: Vec<_> = self.rows.iter().filter_map(|row| row.view.as_ref().ok()?.place).collect();
        places.sort_unstable();
        places.get(places.len() / 2).copied()
    }

    /// The full holder value with this id on any node.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn holder_with_id(&self, id: HolderId) -> Option<Holder> {
        let mut holders = self.rows.iter().filter_map(|row| row.view.as_ref().ok()?.lock.held_by()?.holder());
        holders.find(|holder| holder.id() == id).cloned()
    }
}

impl Admin<'_> {
    /// Asks every node who holds `resource`. It changes nothing, and promises nothing about the next moment.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for a name that cannot be used. A node that does not answer is a row with a fault.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing changes.
    pub async fn inspect(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
    ) -> Result<Inspection, ResourceError> {
        let resource = resource.try_into().map_err(Into::into)?;
        // If a task of this locker waits, the nodes also report its place.
        let queued_as = self.0.locker.queues.get(&resource).and_then(|queue| queue.queued_as());
        let (waiter, label) = queued_as.unwrap_or_else(|| (Waiter::default(), self.0.settings.label.clone()));
        let holder = Holder::new(HolderId::from_random(0), label);
        let subject = Arc::new(Subject { resource, holder, waiter });
        let node_timeout = self.0.settings.node_timeout;
        let env = self.0.env();
        let replies = ask_all(env, subject, Phase::Inspect, env.all_nodes(), &|_| Verb::Inspect, node_timeout).await;
        let stays_out =
            |status: &NodeStatus| matches!(status.condition, NodeCondition::Resting | NodeCondition::Duplicate);
        let rows = replies.into_iter().zip(self.0.nodes()).map(|((node, reply), status)| {
            let view = match reply {
                Reply::Inspected(view) => Ok(view),
                Reply::Failed(fault) => Err(fault),
                other => Err(Fault::new(FaultKind::Unexpected, format!("{other:?}"))),
            };
            // A node that rests, or that was flushed a moment ago, has no counters.
            let takes_part = view.as_ref().is_ok_and(|view| view.counter > 0) && !stays_out(&status);
            Row { node, address: status.address, view, takes_part }
        });
        let quorum = self.0.env().quorum;
        Ok(Inspection { rows: rows.collect(), needed: quorum.needed(), anchor: quorum.anchor() })
    }
}
