//! Acts for a holder that is known only by its id, and waits for the last requests at the end of a program.

use std::sync::Arc;
use std::time::Duration;

use super::error::{ExtendError, Lost};
use super::handle::Redlock;
use super::round::ask::drain;
use super::round::exchange::{Exchange, Phase};
use super::round::{extension, sweeper};
use crate::protocol::{ExtendDefeat, Footprint, LossCause, ReleaseOutcome, Subject};
use crate::{Holder, HolderId, Resource, ResourceError};

impl Redlock {
    /// Releases the lock of `holder`, for a lease whose guard is in another process or gone.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for a name that cannot be used.
    ///
    /// # Cancel safety
    ///
    /// The releases are sent before the first await point.
    pub async fn release_as(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
        holder: &Holder,
    ) -> Result<ReleaseOutcome, ResourceError> {
        let subject = subject(resource.try_into().map_err(Into::into)?, holder.clone());
        sweeper::start(self.env());
        let all_nodes = Footprint::granted(self.env().all_nodes());
        let now = self.env().clock.now();
        let until = now.after(self.settings.terms.ttl);
        let exchange = Exchange::open(self.env(), subject, Phase::Release, all_nodes, (now, until));
        let asked = exchange.leave(Some(Phase::Release));
        Ok(extension::released(exchange, asked, self.settings.node_timeout).await)
    }

    /// Extends the lock of `holder` to the configured time to live from now, and returns the validity.
    ///
    /// # Errors
    ///
    /// [`ExtendError::Resource`] for a name that cannot be used. [`ExtendError::Lost`] if a majority does not have the
    /// lock for this holder. After other errors the lease lives as long as before.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the extension is not withdrawn.
    pub async fn extend_as(
        &self,
        resource: impl TryInto<Resource, Error: Into<ResourceError>>,
        holder: &Holder,
    ) -> Result<Duration, ExtendError> {
        let subject = subject(resource.try_into().map_err(Into::<ResourceError>::into)?, holder.clone());
        let terms = self.settings.terms;
        let send = |put: &dyn Fn()| {
            put();
            true
        };
        // This process does not know how the locks were granted, so every node is a voter.
        let voters = self.env().all_nodes();
        let asked = Arc::clone(&subject);
        match extension::extend(self.env(), terms, asked, voters, self.settings.node_timeout, send).await {
            Some(Ok(valid_until)) => Ok(valid_until.since(self.env().clock.now())),
            Some(Err(ExtendDefeat::NoQuorum(votes))) => Err(ExtendError::NoQuorum { votes }),
            Some(Err(ExtendDefeat::TooSlow { took })) => Err(ExtendError::TooSlow { took, ttl: terms.ttl }),
            Some(Err(ExtendDefeat::Gone(votes))) => {
                tracing::warn!(resource = %subject.resource, ?votes, "a majority no longer has the lock");
                Err(Lost { cause: LossCause::Taken }.into())
            }
            None => Err(Lost { cause: LossCause::Taken }.into()),
        }
    }

    /// Waits until the nodes have done everything that was sent to them, for `within` at most. Call it before a
    /// program ends, so that the last releases reach also the nodes that no quorum waited for. It does not wait for a
    /// node that is silent for much longer than the others. Such a node hangs, and reads what was written to it when
    /// it continues.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing changes.
    pub async fn drain(&self, within: Duration) {
        let Ok(resource) = Resource::new("drain") else { return };
        let subject = subject(resource, Holder::new(HolderId::from_random(0), self.settings.label.clone()));
        drain(self.env(), subject, within).await;
    }
}

fn subject(resource: Resource, holder: Holder) -> Arc<Subject> {
    Arc::new(Subject::new(resource, holder))
}
