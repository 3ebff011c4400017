//! Looking at a resource, and acting for a holder that is known by name only.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{
    ExtendDefeat, Fault, FaultKind, Footprint, LossCause, ReleaseOutcome, Reply, Subject, Verb, View,
};
use crate::redlock::error::{ExtendError, Lost};
use crate::redlock::handle::Redlock;
use crate::redlock::membership::node_health::{NodeCondition, NodeStatus};
use crate::redlock::round::ask::{ask_all, drain};
use crate::redlock::round::exchange::{Exchange, Phase};
use crate::redlock::round::{extension, sweeper};
use crate::{Holder, HolderId, NodeId, Resource, ResourceError};

/// What the nodes know of one resource. Advisory: it may have changed by the time anybody reads it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What each node said, in the order of the nodes.
    pub rows: Vec<Row>,
    /// How many nodes must agree.
    pub needed: usize,
}

/// What one node said.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which node.
    pub node: NodeId,
    /// Its address.
    pub address: String,
    /// What it knows, or why it did not say.
    pub view: Result<View, Fault>,
    /// Whether the node answered and takes part. One that rests may have forgotten a lock: that it shows none says nothing.
    pub takes_part: bool,
}

impl Row {
    /// Whether the node has the lock for somebody.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.view.as_ref().is_ok_and(|view| view.held_by().is_some())
    }

    /// Whether the node vouches for it that nobody holds the lock.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.takes_part && self.view.as_ref().is_ok_and(|view| view.held_by().is_none())
    }

    /// Whether the node answered, has no lock, and may have forgotten one.
    #[must_use]
    pub fn may_have_forgotten(&self) -> bool {
        self.view.is_ok() && !self.is_held() && !self.is_free()
    }
}

/// What the nodes agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// A majority has the lock for this holder.
    HeldBy(Box<str>),
    /// On a majority of nodes that take part nobody holds the lock: the resource was free, at least at that moment, or
    /// reserved for one that waits.
    Free,
    /// Neither: views are split, or too few nodes answered or take part.
    Indeterminate,
}

impl Inspection {
    /// What a majority agrees on.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        let holders = || self.rows.iter().filter_map(|row| row.view.as_ref().ok()?.held_by());
        match holders().find(|one| holders().filter(|other| other == one).count() >= self.needed) {
            Some(holder) => Agreement::HeldBy(holder.into()),
            None if self.count(Row::is_free) >= self.needed => Agreement::Free,
            None => Agreement::Indeterminate,
        }
    }

    /// How many nodes stand so.
    #[must_use]
    pub fn count(&self, stands: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| stands(row)).count()
    }

    /// The full holder that carries this id on any node.
    #[must_use]
    pub fn holder_with_id(&self, id: HolderId) -> Option<Holder> {
        let mut occupants =
            self.rows.iter().filter_map(|row| row.view.as_ref().ok()?.occupant.as_deref()?.parse::<Holder>().ok());
        occupants.find(|holder| holder.id() == id)
    }
}

impl Redlock {
    /// Asks every node who holds `resource`. Changes nothing, and promises nothing about the next moment.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for a name that cannot be used. Nodes that do not answer are rows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn inspect<R: TryInto<Resource>>(&self, resource: R) -> Result<Inspection, ResourceError>
    where
        ResourceError: From<R::Error>,
    {
        let resource = resource.try_into()?;
        let subject = subject(resource, Holder::new(HolderId::from_random(0), self.settings.label.clone()));
        let node_timeout = self.settings.node_timeout;
        let env = self.env();
        let replies = ask_all(env, subject, Phase::Inspect, env.everybody(), &|_| Verb::Inspect, node_timeout).await;
        let stays_out =
            |status: &NodeStatus| matches!(status.condition, NodeCondition::Resting | NodeCondition::Duplicate);
        let rows = replies.into_iter().zip(self.nodes()).map(|((node, reply), status)| {
            let view = match reply {
                Reply::Seen(view) => Ok(view),
                Reply::Failed(fault) => Err(fault),
                other => Err(Fault::new(FaultKind::Unexpected, format!("{other:?}"))),
            };
            // A node that rests, or was emptied a moment ago, has no counters.
            let takes_part = view.as_ref().is_ok_and(|view| view.counter > 0) && !stays_out(&status);
            Row { node, address: status.address, view, takes_part }
        });
        Ok(Inspection { rows: rows.collect(), needed: self.env().quorum.needed() })
    }

    /// Releases what `holder` holds: for a lease whose guard lives in another process, or no longer.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for a name that cannot be used.
    ///
    /// # Cancel safety
    ///
    /// The releases are sent before the first await point.
    pub async fn release_as<R: TryInto<Resource>>(
        &self,
        resource: R,
        holder: &Holder,
    ) -> Result<ReleaseOutcome, ResourceError>
    where
        ResourceError: From<R::Error>,
    {
        let subject = subject(resource.try_into()?, holder.clone());
        sweeper::start(self.env());
        let everybody = Footprint::granted(self.env().everybody());
        let until = self.env().clock.now().after(self.settings.terms.ttl);
        let exchange = Exchange::open(self.env(), subject, Phase::Release, everybody, until);
        let asked = exchange.leave(Some(Phase::Release));
        Ok(extension::released(exchange, asked, self.settings.node_timeout).await)
    }

    /// Lets what `holder` holds live for the configured time to live from now, and returns the validity.
    ///
    /// # Errors
    ///
    /// [`ExtendError::Lost`] when a majority does not have the lock for this holder; the others leave it as it was.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not withdraw the extension.
    pub async fn extend_as(&self, resource: Resource, holder: &Holder) -> Result<Duration, ExtendError> {
        let subject = subject(resource, holder.clone());
        let terms = self.settings.terms;
        let send = |put: &dyn Fn()| {
            put();
            true
        };
        // Nothing is known here of how the locks came to be: every node's word is taken.
        let voters = self.env().everybody();
        match extension::extend(self.env(), terms, subject, voters, self.settings.node_timeout, send).await {
            Some(Ok(valid_until)) => Ok(valid_until.since(self.env().clock.now())),
            Some(Err(ExtendDefeat::NoQuorum(votes))) => Err(ExtendError::NoQuorum { votes }),
            Some(Err(ExtendDefeat::TooSlow { took })) => Err(ExtendError::TooSlow { took, ttl: terms.ttl }),
            Some(Err(ExtendDefeat::Gone(_))) | None => Err(Lost { cause: LossCause::Taken }.into()),
        }
    }

    /// Waits until the nodes have done all that was sent to them, `within` at most: call it before a program ends, so that the last
    /// releases reach the nodes that no quorum waited for. A node that is silent for much longer than the others is not waited for:
    /// it hangs, and what was written to it arrives when it goes on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn drain(&self, within: Duration) {
        let Ok(resource) = Resource::new("drain") else { return };
        let subject = subject(resource, Holder::new(HolderId::from_random(0), self.settings.label.clone()));
        drain(self.env(), subject, within).await;
    }
}

fn subject(resource: Resource, holder: Holder) -> Arc<Subject> {
    Arc::new(Subject::new(resource, holder))
}
