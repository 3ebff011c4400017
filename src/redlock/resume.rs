//! Going on with a lease that another process handed over.

use std::sync::Arc;
use std::time::Duration;

use super::error::{ExtendError, Lost, ResumeError};
use super::guard::Guard;
use super::handle::Redlock;
use super::lease::active::ActiveLease;
use super::lease::renewer;
use super::round::exchange::{Exchange, Phase};
use super::round::extension;
use crate::node::HomeRuntime;
use crate::protocol::{ExtendDefeat, Footprint, LossCause, Subject, Votes, Win};
use crate::{Lease, NodeSet};

impl Redlock {
    /// Goes on with a lease that [`Guard::into_lease`] handed over, in this process or in another: with the same holder and
    /// token, and no gap in between. A quorum has to say that the lock never lapsed, as for any extension, and the same nodes
    /// count as if it had never been handed over. From here on it lives by the settings of this locker.
    ///
    /// **Resume a lease once.** Nodes know its holder and nothing of processes: two that resume the same lease both hold it.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = EmbeddedNode::new();
    /// # let redlock = Redlock::builder().node(node.clone()).build()?;
    /// # let successor = Redlock::builder().node(node).build()?;
    /// let lease = redlock.acquire("migration").await?.into_lease();
    /// let text = serde_json::to_string(&lease)?; // on a pipe to the successor, which has the time to live to take it up
    ///
    /// let guard = successor.resume(&serde_json::from_str(&text)?).await?;
    /// assert_eq!(guard.token(), lease.token);
    /// # drop(guard.release().await); Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ExtendError::Lost`] if a majority no longer has the lock for this holder, for good;
    /// [`ResumeError::OtherNodes`] if this locker names other nodes. The other errors of an extension leave the lease as it was:
    /// another try may succeed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the locks on the nodes living for one more time to live. Resume the lease, or release it
    /// with [`Redlock::release_as`].
    pub async fn resume(&self, lease: &Lease) -> Result<Guard, ResumeError> {
        let (env, settings) = (self.env(), &self.settings);
        if lease.voters.set != env.set() {
            return Err(ResumeError::OtherNodes);
        }
        if !self.locker.start() {
            // Nothing would renew the lease, or repeat its release.
            let votes = Votes::closed(env.quorum.nodes(), HomeRuntime::ENDED);
            return Err(ExtendError::NoQuorum { votes }.into());
        }
        let (terms, token, voters) = (settings.terms, lease.token, NodeSet::from_bits(lease.voters.bits));
        let subject = Arc::new(Subject::new(lease.resource.clone(), lease.holder.clone()));
        let (asked_at, began) = (env.arrival(), env.clock.now());
        let until = began.after(terms.ttl).after(terms.drift()).after(settings.node_timeout);
        // Grants were sent to all nodes once, and by now the lock may be on any of them.
        let footprint = Footprint::granted(env.everybody());
        let exchange = Exchange::open(env, Arc::clone(&subject), Phase::Acquire, footprint, until);
        let send = |put: &dyn Fn()| {
            put();
            true
        };
        match extension::extend(env, terms, subject, voters, settings.node_timeout, send).await {
            Some(Ok(valid_until)) => {
                let win = Win { token, first: token, valid_until, voters, sealed_apart: false };
                // All grants are over, so none comes late.
                exchange.win(&win, Duration::ZERO);
                let lease = ActiveLease::new(settings, (win, exchange), asked_at, None, &self.locker.renewals);
                renewer::attend(&self.locker.renewals.schedule, Arc::clone(&lease));
                tracing::debug!(resource = %lease.subject.resource, ?token, "resumed");
                Ok(Guard::new(lease))
            }
            Some(Err(ExtendDefeat::NoQuorum(votes))) => Err(ExtendError::NoQuorum { votes }.into()),
            Some(Err(ExtendDefeat::TooSlow { took })) => Err(ExtendError::TooSlow { took, ttl: terms.ttl }.into()),
            Some(Err(ExtendDefeat::Gone(_))) | None => Err(ExtendError::from(Lost { cause: LossCause::Taken }).into()),
        }
    }
}
