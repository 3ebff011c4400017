//! [`Redlock`]: the handle of a locker.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::env::Env;
use super::error::ConfigError;
use super::locker::Locker;
use super::membership::node_health::NodeStatus;
use super::membership::roster::WaitFor;
use super::settings::{Options, Settings};
#[cfg(feature = "redis")]
use crate::Clock;
#[cfg(feature = "redis")]
use crate::node::Node;

/// A locker over N independent nodes: the type to begin with.
///
/// Cloning is cheap, and all clones share their connections. One a process is enough for any number of resources.
///
/// It lives on the tokio runtime that it was connected or built on, which must have its timers enabled: connections, renewal
/// and background releases are tasks there. It may be used from other runtimes as long as that one runs; once that one has
/// ended, every acquire fails at once and says so. One that was built outside of a runtime lives on that of its first use.
///
/// # Forks
///
/// A forked process connects for itself; a [`Builder`](super::Builder) may be made before the fork. A locker that was connected before
/// belongs to the parent: in the child, acquires fail at once and say so, guards are lost
/// ([`LossCause::Forked`](crate::LossCause::Forked)), and nothing that the child does reaches the parent's connections or locks.
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
    pub(super) locker: Arc<Locker>,
    pub(super) settings: Arc<Settings>,
    pub(super) options: Arc<Options>,
}

impl Redlock {
    /// The same nodes and connections with another time to live; what depends on it is derived anew.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it does not go with the other settings.
    pub fn with_ttl(&self, ttl: Duration) -> Result<Self, ConfigError> {
        let options = Options { ttl: Some(ttl), ..(*self.options).clone() };
        let settings = Arc::new(options.check()?);
        Ok(Self { locker: Arc::clone(&self.locker), settings, options: Arc::new(options) })
    }

    pub(super) fn env(&self) -> &Arc<Env> {
        &self.locker.env
    }

    /// How every node stands with this locker, as of the last look at it.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeStatus> {
        let now = self.env().clock.now();
        let healths = self.locker.roster.all().into_iter();
        healths.zip(self.env().nodes()).map(|(health, (id, node))| health.status(id, node.address(), now)).collect()
    }

    /// Looks at every node now, as the locker does by itself now and then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing; the background task looks again.
    pub async fn look(&self) {
        self.locker.roster.start();
        self.locker.roster.look(WaitFor::All).await;
    }

    /// Looks at the nodes until a quorum is known to take part.
    #[cfg(feature = "redis")]
    pub(super) async fn look_in_haste(&self) {
        self.locker.roster.start();
        self.locker.roster.look(WaitFor::Quorum).await;
    }

    /// The nodes themselves, for questions that are no requests.
    #[cfg(feature = "redis")]
    pub(crate) fn each_node(&self) -> &[Arc<dyn Node>] {
        &self.env().nodes
    }

    /// The clock that leases are measured by.
    #[cfg(feature = "redis")]
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.env().clock
    }

    /// How many nodes must agree.
    #[cfg(feature = "redis")]
    pub(crate) fn needed(&self) -> usize {
        self.env().quorum.needed()
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
        self.env().nodes().map(|(_, node)| node.address()).collect()
    }
}

impl fmt::Debug for Redlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redlock").field("nodes", &self.addresses()).field("settings", &self.settings).finish()
    }
}
