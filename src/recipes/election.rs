//! [`Election`]: one leader at a time among the processes that campaign.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::all::{AcquireAllError, add, refresh};
use super::leader::Leader;
use super::multi_guard::{MultiGuard, MultiHandle};
use super::wait::Wait;
use crate::{FencingToken, Redlock, ReleaseOutcome, Resource, ResourceError};

/// One leader at a time among the processes that campaign under a name. The token of its lease is its **term**.
///
/// A leader holds two leases: that of the name, whose token is the term, and that of `name#leader`, the *notice*, whose label
/// shows the term and the leader to other processes. It leads while it has both. Campaigns wait in the queue of the name. When
/// the leader [resigns](Leadership::resign), the next one is woken. When the leader crashes, the next one leads after the time
/// to live.
///
/// [`Builder::max_hold`](crate::Builder::max_hold), an hour unless set, bounds how long one leadership lasts.
#[derive(Clone)]
pub struct Election {
    pub(super) redlock: Redlock,
    name: Resource,
    /// The lock whose label shows the term and the leader.
    pub(super) notice: Resource,
}

impl Redlock {
    /// The election `name`. Asks no node.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for a name that cannot be used, or that is longer than [`Resource::LEN_MAX`] with `#leader` behind it.
    pub fn election(
        &self,
        name: impl TryInto<Resource, Error: Into<ResourceError>>,
    ) -> Result<Election, ResourceError> {
        let name: Resource = name.try_into().map_err(Into::into)?;
        let notice = Resource::new(format!("{name}#leader"))?;
        Ok(Election { redlock: self.clone(), name, notice })
    }
}

impl Election {
    /// Campaigns until this process leads or the configured wait ([`Builder::wait_max`](crate::Builder::wait_max)) has passed.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let redlock = Redlock::builder().node(EmbeddedNode::new()).label("worker-7").build()?;
    /// let election = redlock.election("scheduler")?;
    /// let leadership = election.campaign().await?;
    /// leadership.check()?; // before each side effect; `leadership.lost()` is for `select!`
    ///
    /// let seen = election.leader().await?.expect("there is a leader"); // any process may ask
    /// assert_eq!((seen.term, seen.label.as_str()), (leadership.term(), "worker-7"));
    /// drop(leadership.resign().await);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AcquireAllError`] of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any point ends the campaign, and releases the leases that were acquired.
    pub async fn campaign(&self) -> Result<Leadership, AcquireAllError> {
        self.campaign_within(self.redlock.wait_max()).await
    }

    /// As [`Election::campaign`], with a wait of its own; with [`Duration::MAX`] it campaigns until it leads.
    ///
    /// # Errors
    ///
    /// [`AcquireAllError`] of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// As [`Election::campaign`].
    pub async fn campaign_within(&self, wait_max: Duration) -> Result<Leadership, AcquireAllError> {
        let mut leases = MultiGuard::new();
        match self.win(&mut leases, &Wait::begin(&self.redlock, wait_max)).await {
            Ok(term) => Ok(Leadership { leases, term }),
            Err(error) => {
                drop(leases.release().await);
                Err(error)
            }
        }
    }

    async fn win(&self, leases: &mut MultiGuard, wait: &Wait<'_>) -> Result<FencingToken, AcquireAllError> {
        let term = add(leases, &self.redlock, &self.name, wait).await?;
        let leader = Leader { term, label: self.redlock.label().clone() };
        add(leases, &self.redlock.labelled(leader.notice()), &self.notice, wait).await?;
        refresh(leases, &self.redlock).await?;
        Ok(term)
    }
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Election").field(&self.name).finish()
    }
}

/// The leadership of this process. It lasts until [`check`](MultiHandle::check) fails or [`lost`](MultiHandle::lost) completes.
///
/// Dropping it resigns, as dropping a [`Guard`](crate::Guard) releases; prefer [`Leadership::resign`].
#[must_use = "a leadership that is dropped at once has resigned"]
pub struct Leadership {
    leases: MultiGuard,
    term: FencingToken,
}

impl Leadership {
    /// The term: the token of the lease. Pass it with every write; a later leader has a greater one.
    #[must_use]
    pub const fn term(&self) -> FencingToken {
        self.term
    }

    /// Ends the leadership, so that the next campaign succeeds, and returns the outcome of releasing the lease of the name.
    /// Ends as soon as [`Guard::release`](crate::Guard::release).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resigns all the same, and loses only the outcome.
    pub async fn resign(self) -> ReleaseOutcome {
        // The name was acquired first, so it is released last.
        let outcome = self.leases.release().await.pop();
        outcome.map_or(ReleaseOutcome::AlreadyExpired, |(_, outcome)| outcome)
    }
}

impl Deref for Leadership {
    type Target = MultiHandle;

    fn deref(&self) -> &MultiHandle {
        &self.leases
    }
}

impl fmt::Debug for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leadership").field("term", &self.term).finish_non_exhaustive()
    }
}
