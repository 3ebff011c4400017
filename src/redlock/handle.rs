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
use crate::node::Node;
use crate::{Clock, Label};

/// A locker over N independent nodes: the type to start with.
///
/// Cloning is cheap, and all clones share their connections. One locker for each process is enough for any number of
/// resources.
///
/// It belongs to the tokio runtime on which it was connected or built, which must have its timers enabled.
/// Connections, renewal and background releases are tasks there. Other runtimes may use the locker while that one
/// runs. After that runtime has ended, every acquire fails at once with an error that says so. A locker that was
/// built outside of a runtime belongs to the runtime of its first use.
///
/// # Forks
///
/// A forked process must make its own connections; it may use a [`Builder`](super::Builder) from before the fork. A
/// locker that was connected before the fork belongs to the parent. In the child, its acquires fail at once with an
/// error that says so, and its guards are lost ([`LossCause::Forked`](crate::LossCause::Forked)). Nothing that the
/// child does reaches the parent's connections or locks.
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
    /// The same nodes and connections with another time to live. Settings that depend on it are derived again.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it contradicts the other settings.
    pub fn with_ttl(&self, ttl: Duration) -> Result<Self, ConfigError> {
        self.with(Options { ttl: Some(ttl), ..(*self.options).clone() })
    }

    /// The same nodes and connections, with guards that renew their leases by themselves or do not.
    ///
    /// # Errors
    ///
    /// As [`Redlock::with_ttl`].
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn with_renewed(&self, renewed: bool) -> Result<Self, ConfigError> {
        self.with(Options { renewed, ..(*self.options).clone() })
    }

    /// The same nodes and connections with another [`Builder::max_hold`](super::Builder::max_hold).
    ///
    /// # Errors
    ///
    /// As [`Redlock::with_ttl`].
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn with_max_hold(&self, max_hold: Option<Duration>) -> Result<Self, ConfigError> {
        self.with(Options { max_hold, ..(*self.options).clone() })
    }

    fn with(&self, options: Options) -> Result<Self, ConfigError> {
        let settings = Arc::new(options.check()?);
        Ok(Self { locker: Arc::clone(&self.locker), settings, options: Arc::new(options) })
    }

    /// The same nodes and connections with another label, which every process can read in [`Redlock::owner`](Self::owner). At
    /// most 128 bytes without control characters.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Label`] for one that cannot be used.
    pub fn with_label(&self, label: impl AsRef<str>) -> Result<Self, ConfigError> {
        Ok(self.labelled(Label::new(label).map_err(ConfigError::Label)?))
    }

    pub(crate) fn labelled(&self, label: Label) -> Self {
        let options = Options { label: Some(label.to_string()), ..(*self.options).clone() };
        let settings = Arc::new(Settings { label, ..(*self.settings).clone() });
        Self { locker: Arc::clone(&self.locker), settings, options: Arc::new(options) }
    }

    pub(super) fn env(&self) -> &Arc<Env> {
        &self.locker.env
    }

    /// Whether its leases keep other holders out. Only a lock that does nothing ([`Builder::no_op`](super::Builder::no_op))
    /// says no.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.settings.exclusive
    }

    /// The condition of every node, according to the last probe.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeStatus> {
        let now = self.env().clock.now();
        let healths = self.locker.roster.all().into_iter();
        healths.zip(self.env().nodes()).map(|(health, (id, node))| health.status(id, node.address(), now)).collect()
    }

    /// Probes every node now, as the locker also does from time to time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing changes; the background task probes again.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub async fn look(&self) {
        self.locker.roster.start();
        self.locker.roster.look(WaitFor::All).await;
    }

    /// Probes the nodes until a quorum is known to take part.
    #[cfg(feature = "redis")]
    pub(super) async fn look_in_haste(&self) {
        self.locker.roster.start();
        self.locker.roster.look(WaitFor::Quorum).await;
    }

    /// The nodes themselves, for questions that are not requests.
    #[cfg(feature = "redis")]
    pub(crate) fn each_node(&self) -> &[Arc<dyn Node>] {
        &self.env().nodes
    }

    /// The clock that measures leases.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.env().clock
    }

    /// How long [`Redlock::acquire`] waits.
    pub(crate) fn wait_max(&self) -> Duration {
        self.settings.wait_max
    }

    /// How long a round waits for silent nodes.
    pub(crate) fn node_timeout(&self) -> Duration {
        self.settings.node_timeout
    }

    /// The time to live of its locks.
    pub(crate) fn ttl(&self) -> Duration {
        self.settings.terms.ttl
    }

    /// The validity that a new lease has at least.
    pub(crate) fn min_validity(&self) -> Duration {
        self.settings.terms.min_validity
    }

    /// The label of its holders.
    pub(crate) fn label(&self) -> &Label {
        &self.settings.label
    }

    /// 32 random bits.
    pub(crate) fn chance(&self) -> u32 {
        self.env().entropy.u32()
    }

    /// Which nodes must agree.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn quorum(&self) -> crate::protocol::Quorum {
        self.env().quorum
    }

    /// How many nodes must agree.
    #[cfg(feature = "redis")]
    pub(crate) fn needed(&self) -> usize {
        self.env().quorum.needed()
    }

    /// How long a round waits, by how much clock rates may differ in parts per million, and whether the nodes are
    /// declared durable.
    #[cfg(feature = "redis")]
    pub(crate) fn expectations(&self) -> (Duration, u32, bool) {
        let Settings { node_timeout, policy, .. } = &*self.settings;
        (*node_timeout, policy.drift_ppm, policy.durable)
    }

    /// The addresses of the nodes, in their order, without passwords.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn addresses(&self) -> Vec<String> {
        self.env().nodes().map(|(_, node)| node.address()).collect()
    }
}

impl fmt::Debug for Redlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redlock").field("nodes", &self.addresses()).field("settings", &self.settings).finish()
    }
}
