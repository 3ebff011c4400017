//! Continuing with a lease that another process gave up.

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
use crate::protocol::{ExtendDefeat, Footprint, LossCause, Subject, TokenBlock, Votes, Win};
use crate::{Lease, NodeSet};

impl Redlock {
    /// Continues with a lease that [`Guard::into_lease`] returned, in this process or in another one: with the same holder and
    /// token, and without a gap. It is an extension: a quorum must still have the lock, and the same nodes count as for the
    /// guard that was given up. From here on the settings of this locker apply.
    ///
    /// **Resume a lease once.** Nodes know the holder, not the process: two processes that resume the same lease both hold it.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = EmbeddedNode::new();
    /// # let redlock = Redlock::builder().node(node.clone()).build()?;
    /// # let successor = Redlock::builder().node(node).build()?;
    /// let lease = redlock.acquire("migration").await?.into_lease();
    /// let text = serde_json::to_string(&lease)?; // to the successor, which resumes it before its time to live has passed
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
    /// Dropping the future may leave the locks on the nodes for one more time to live. Resume the lease again, or release it
    /// with [`Redlock::release_as`].
    pub async fn resume(&self, lease: &Lease) -> Result<Guard, ResumeError> {
        let (env, settings) = (self.env(), &self.settings);
        if lease.voters.set != env.set() {
            return Err(ResumeError::OtherNodes);
        }
        if !self.locker.start() {
            // The background tasks do not run, so nothing would renew the lease or repeat its release.
            let votes = Votes::closed(env.quorum.nodes(), HomeRuntime::ENDED);
            return Err(ExtendError::NoQuorum { votes }.into());
        }
        let (terms, token, voters) = (settings.terms, lease.token, NodeSet::from_bits(lease.voters.bits));
        let subject = Arc::new(Subject::new(lease.resource.clone(), lease.holder.clone()));
        let (arrivals_before, began) = (env.arrival(), env.clock.now());
        let until = began.after(terms.ttl).after(terms.drift()).after(settings.node_timeout);
        // The grants were sent to all nodes, so the lock may be on any of them.
        let footprint = Footprint::granted(env.all_nodes());
        let exchange = Exchange::open(env, Arc::clone(&subject), Phase::Acquire, footprint, (began, until));
        let send = |put: &dyn Fn()| {
            put();
            true
        };
        match extension::extend(env, terms, subject, voters, settings.node_timeout, send).await {
            Some(Ok(valid_until)) => {
                let win = Win { tokens: TokenBlock::up_to(token, 1), valid_until, voters, sealed_apart: false };
                // This process sent no grants, so none comes late.
                exchange.win(&win, Duration::ZERO);
                let now = env.clock.now();
                let lease =
                    ActiveLease::new(settings, (win, exchange), arrivals_before, None, &self.locker.renewals, now);
                lease.goes_on();
                renewer::attend(&self.locker.renewals.schedule, Arc::clone(&lease), now);
                tracing::debug!(resource = %lease.subject.resource, ?token, "resumed");
                Ok(Guard::new(lease))
            }
            Some(Err(ExtendDefeat::NoQuorum(votes))) => Err(ExtendError::NoQuorum { votes }.into()),
            Some(Err(ExtendDefeat::TooSlow { took })) => Err(ExtendError::TooSlow { took, ttl: terms.ttl }.into()),
            Some(Err(ExtendDefeat::Gone(_))) | None => Err(ExtendError::from(Lost { cause: LossCause::Taken }).into()),
        }
    }
}
