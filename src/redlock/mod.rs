//! The locker: runs the machines of [`protocol`](crate::protocol) against nodes.

mod acquire;
mod builder;
pub(crate) mod chronicle;
#[cfg(feature = "redis")]
mod connect;
mod core;
mod drive;
#[cfg(feature = "redis")]
mod durability;
mod error;
mod exchange;
mod found;
mod guard;
mod hand_over;
mod held;
mod inspect;
mod keeper;
mod late;
mod leave;
mod listing;
mod local_queue;
mod operate;
mod roster;
mod settings;
mod station;
mod sweeper;
mod timer;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

pub use builder::Builder;
pub use error::{AcquireError, ConfigError, ConnectError, ExtendError, FoundError, Lost, WithLockError};
pub use guard::{Guard, LeaseHandle};
pub use inspect::{Agreement, Inspection, Row};
pub use listing::{Listed, Listing, Partial};
pub use operate::{ForceOutcome, Forced, ForcedAt, ForcedRow, Reset, ResetError};
pub use settings::HandOver;
pub(crate) use station::whole_seconds;
pub use station::{NodeCondition, NodeStatus};

use self::core::Core;
use self::roster::Patience;
use self::settings::{Settings, Wishes};
#[cfg(feature = "redis")]
use crate::Clock;
#[cfg(feature = "redis")]
use crate::node::Node;
use crate::{Resource, ResourceError};

/// A locker over N independent nodes: the type to begin with.
///
/// Cloning is cheap, and all clones share their connections. One a process is enough for any number of resources.
///
/// It lives on the tokio runtime that it was first used on, which must have its timers enabled: connections, renewal and
/// background releases are tasks there. Use it from that runtime; another runtime wants a locker of its own.
///
/// # Panics
///
/// The async calls of a locker and its guards panic outside a tokio runtime, as tokio's own timers do. Building,
/// checking and dropping never panic.
///
/// ```
/// use redfence::{EmbeddedNode, Redlock};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Servers: Redlock::connect(["redis://a:6379", "redis://b:6379", "redis://c:6379"]).await?
/// let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
///
/// let guard = redlock.acquire("invoice:42").await?;
/// println!("write with token {}", guard.token());
/// guard.check()?; // cheap: before each side effect
/// let outcome = guard.release().await;
/// # drop(outcome); Ok(()) }
/// ```
#[derive(Clone)]
pub struct Redlock {
    core: Arc<Core>,
    settings: Arc<Settings>,
    wishes: Arc<Wishes>,
}

impl Redlock {
    /// Everything configurable.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Connects to servers by their URLs, with the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// As [`Builder::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what was opened.
    #[cfg(feature = "redis")]
    pub async fn connect<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Result<Self, ConnectError> {
        Self::builder().urls(urls).connect().await
    }

    /// The same nodes and connections with another time to live; what depends on it is derived anew.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it does not go with the other settings.
    pub fn with_ttl(&self, ttl: Duration) -> Result<Self, ConfigError> {
        let wishes = Wishes { ttl: Some(ttl), ..(*self.wishes).clone() };
        Ok(Self { core: Arc::clone(&self.core), settings: Arc::new(wishes.check()?), wishes: Arc::new(wishes) })
    }

    /// One attempt: at most two round trips to the nodes.
    ///
    /// # Errors
    ///
    /// [`AcquireError`], with the vote of every node.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any point rolls the attempt back: releases go out behind the grants at once.
    pub async fn try_acquire<R: TryInto<Resource>>(&self, resource: R) -> Result<Guard, AcquireError>
    where
        ResourceError: From<R::Error>,
    {
        self.acquire_within(resource, Duration::ZERO).await
    }

    /// Attempts until the lease is acquired or the configured wait ([`Builder::wait_max`]) has passed.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] of the last attempt, with the vote of every node.
    ///
    /// # Cancel safety
    ///
    /// As [`Redlock::try_acquire`].
    pub async fn acquire<R: TryInto<Resource>>(&self, resource: R) -> Result<Guard, AcquireError>
    where
        ResourceError: From<R::Error>,
    {
        self.acquire_within(resource, self.settings.wait_max).await
    }

    /// As [`Redlock::acquire`], with a wait of its own. The last attempt begins when `wait_max` has passed at the latest.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] of the last attempt, with the vote of every node.
    ///
    /// # Cancel safety
    ///
    /// As [`Redlock::try_acquire`].
    pub async fn acquire_within<R: TryInto<Resource>>(
        &self,
        resource: R,
        wait_max: Duration,
    ) -> Result<Guard, AcquireError>
    where
        ResourceError: From<R::Error>,
    {
        let resource = resource.try_into().map_err(ResourceError::from)?;
        let span = tracing::debug_span!("acquire", %resource);
        self.attempt_for(resource, wait_max).instrument(span).await
    }

    /// Runs `body` while the resource is held. The body never runs without a lease, and it is cancelled at its current
    /// await point when the lease is lost. The lease is released before this returns.
    ///
    /// A body that does not await cannot be cancelled: it may end after the lease. Let it call `lease.check()` before each
    /// side effect, and let the resource check the token.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
    /// let sum = redlock.with_lock("ledger", |lease| async move { 40 + 2 * u64::from(lease.check().is_ok()) }).await?;
    /// assert_eq!(sum, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`WithLockError::Acquire`] when the body never ran, [`WithLockError::Lost`] when it was cancelled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the body and releases the lease in the background.
    pub async fn with_lock<R, F, T>(&self, resource: R, body: impl FnOnce(LeaseHandle) -> F) -> Result<T, WithLockError>
    where
        R: TryInto<Resource>,
        ResourceError: From<R::Error>,
        F: Future<Output = T>,
    {
        let guard = self.acquire(resource).await?;
        let finished = tokio::select! {
            biased;
            cause = guard.lost() => Err(Lost { cause }),
            value = body(guard.handle()) => Ok(value),
        };
        // What the release found is traced where it matters; the body's result is what the caller asked for.
        drop(guard.release().await);
        Ok(finished?)
    }

    /// How every node stands with this locker, as of the last look at it.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeStatus> {
        let now = self.core.clock.now();
        let stations = self.core.roster.all().into_iter();
        stations.zip(self.core.nodes()).map(|(s, (id, node))| s.status(id, node.address(), now)).collect()
    }

    /// Looks at every node now, as the locker does by itself now and then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing; the background task looks again.
    pub async fn look(&self) {
        self.core.roster.start(&self.core);
        self.core.roster.look(&self.core, Patience::All).await;
    }

    /// Looks at the nodes until a quorum is known to take part.
    #[cfg(feature = "redis")]
    pub(super) async fn look_in_haste(&self) {
        self.core.roster.start(&self.core);
        self.core.roster.look(&self.core, Patience::Quorum).await;
    }

    /// The nodes themselves, for questions that are no requests.
    #[cfg(feature = "redis")]
    pub(crate) fn each_node(&self) -> &[Arc<dyn Node>] {
        &self.core.nodes
    }

    /// The clock that leases are measured by.
    #[cfg(feature = "redis")]
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.core.clock
    }

    /// How many nodes must agree.
    #[cfg(feature = "redis")]
    pub(crate) fn needed(&self) -> usize {
        self.core.quorum.needed()
    }

    /// How long a round waits, how far clocks may drift in parts per million, and whether nodes are declared durable.
    #[cfg(feature = "redis")]
    pub(crate) fn expectations(&self) -> (Duration, u32, bool) {
        let Settings { node_timeout, policy, .. } = &*self.settings;
        (*node_timeout, policy.drift_ppm, policy.durable)
    }

    /// The addresses of the nodes, in their order. Never with a password.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.core.nodes().map(|(_, node)| node.address()).collect()
    }
}

impl fmt::Debug for Redlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redlock").field("nodes", &self.addresses()).field("settings", &self.settings).finish()
    }
}
