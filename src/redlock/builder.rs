//! [`Builder`]: the whole configuration of a locker, checked in one step.

use std::sync::Arc;
use std::time::Duration;

use super::env::Env;
#[cfg(feature = "metrics")]
use super::env::meters::LabelOf;
use super::env::meters::Meters;
use super::error::ConfigError;
use super::handle::Redlock;
use super::locker::Locker;
#[cfg(feature = "redis")]
use super::settings::Servers;
use super::settings::{HandOver, Options};
use crate::node::{HomeRuntime, NoOpNode, Node};
use crate::protocol::Quorum;
use crate::{Clock, EmbeddedNode, Entropy, LockerId, NodeId, Spawner, SystemClock};

impl Redlock {
    /// A builder with all defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A locker over `nodes` new nodes in this process, 1 to 32, with the defaults of [`Builder`]. For development, examples
    /// and tests without servers: it excludes the tasks that use it or its clones, and no other locker or process.
    ///
    /// ```
    /// use redfence::Redlock;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let redlock = Redlock::embedded(3)?;
    /// let guard = redlock.acquire("invoice:42").await?;
    /// assert!(redlock.try_acquire("invoice:42").await.is_err());
    /// # drop(guard.release().await); Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for other numbers of nodes.
    pub fn embedded(nodes: u8) -> Result<Self, ConfigError> {
        (0..nodes).fold(Self::builder(), |builder, _| builder.node(EmbeddedNode::new())).build()
    }
}

/// The whole configuration of a [`Redlock`]. Contradictions are refused with an error that names the fix.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built or connected"]
pub struct Builder {
    options: Options,
    nodes: Vec<Arc<dyn Node>>,
    anchor: Option<NodeId>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    /// `None` for the runtime on which it is built.
    spawner: Option<Arc<dyn Spawner>>,
    #[cfg(feature = "metrics")]
    label_of: Option<Arc<LabelOf>>,
    #[cfg(feature = "redis")]
    pub(super) servers: Servers,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            options: Options::DEFAULT,
            nodes: Vec::new(),
            anchor: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(Entropy::from_system()),
            spawner: None,
            #[cfg(feature = "metrics")]
            label_of: None,
            #[cfg(feature = "redis")]
            servers: Servers::default(),
        }
    }

    /// Adds a node that no URL names: an embedded node, one that wraps another node, or one of a kind of your own (the
    /// trait `Node`, feature `unstable`).
    pub fn node(mut self, node: impl Node) -> Self {
        self.nodes.push(Arc::new(node));
        self
    }

    /// Makes the vote of one node compulsory: a quorum is a majority that contains the *anchor*. The default is none.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// Set it while a fleet grows from one node to several. Every lease then has the lock on the old node, so that it
    /// excludes programs that know the old node only. While the anchor does not answer, no lease can be acquired or
    /// extended, and a lease whose lock on the anchor is gone is lost. The page `docs/mixed-fleets.md` has the steps.
    ///
    /// The nodes count in the order in which they were added, nodes that are not servers first.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), redfence::ConnectError> {
    /// use redfence::{NodeId, Redlock};
    ///
    /// let urls = ["redis://old", "redis://new-1", "redis://new-2"];
    /// let redlock = Redlock::builder().urls(urls).anchor(NodeId::new(0)).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn anchor(mut self, anchor: impl Into<Option<NodeId>>) -> Self {
        self.anchor = anchor.into();
        self
    }

    /// Makes a lock that does nothing, for development: every acquire succeeds at once, also while other holders have leases
    /// of the resource. Everything else is as usual: guards have tokens, are extended and released, and end.
    ///
    /// **It keeps no other holder out: not the tasks of this process, and not other processes.** No setting, URL or
    /// environment variable turns it on, only this call. [`Redlock::is_exclusive`] says no, [`Redlock::nodes`] and `Debug` say
    /// so too, and a warning is logged when it is built. A program that must not run with it checks that first.
    ///
    /// Tokens grow within the process. Between processes they promise nothing. They are below the tokens of all real leases, so
    /// a store that has seen a real one refuses them, and they never make it refuse a real one.
    ///
    /// ```
    /// use redfence::Redlock;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let redlock = Redlock::builder().no_op().build()?;
    /// assert!(!redlock.is_exclusive());
    /// let (one, two) = (redlock.acquire("invoice:42").await?, redlock.acquire("invoice:42").await?);
    /// assert!(one.token() < two.token());
    /// # drop((one.release().await, two.release().await)); Ok(()) }
    /// ```
    pub const fn no_op(mut self) -> Self {
        self.options.no_op = true;
        self
    }

    /// How long a lock lives unless it is renewed. After a crash of the holder, others wait this long. The default is
    /// 10 s, or `max_ttl` if that is less. Whole milliseconds.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl = Some(ttl);
        self
    }

    /// The longest time to live that any locker of these nodes asks for. The default is 30 s. A node that may have
    /// forgotten its locks is not asked for grants for this long. Each node stores the largest value that a locker
    /// named.
    pub const fn max_ttl(mut self, max_ttl: Duration) -> Self {
        self.options.max_ttl = max_ttl;
        self
    }

    /// Declares the installation new. If no node has a record, the nodes take part at once, without a rest. Set it
    /// only if certainly no process holds a lock.
    pub const fn new_installation(mut self, declared_new: bool) -> Self {
        self.options.declared_new = declared_new;
        self
    }

    /// Declares that the nodes keep every write over a restart (`appendonly yes`, `appendfsync always`). Then a
    /// restart needs no rest. The locker checks this as far as INFO and CONFIG GET are permitted. A server that
    /// contradicts, or that was a replica, rests nevertheless, and a warning says so. A snapshot that is restored in
    /// place of the data is not noticed.
    pub const fn durable(mut self, durable: bool) -> Self {
        self.options.durable = durable;
        self
    }

    /// By how much clock rates may differ, in parts per million of the time to live. The default is 10,000 (1 %). The
    /// allowance is this plus 2 ms.
    pub const fn drift_ppm(mut self, drift_ppm: u32) -> Self {
        self.options.drift_ppm = drift_ppm;
        self
    }

    /// An acquire that leaves less validity than this fails. The default is half of the greatest possible validity.
    pub const fn min_validity(mut self, min_validity: Duration) -> Self {
        self.options.min_validity = Some(min_validity);
        self
    }

    /// How long a round waits for nodes that do not answer. The default is 250 ms, or a quarter of a short time to
    /// live. A round ends when a quorum has answered, so a hung node costs this time only if there is no quorum.
    pub const fn node_timeout(mut self, node_timeout: Duration) -> Self {
        self.options.node_timeout = Some(node_timeout);
        self
    }

    /// How long [`Redlock::acquire`] waits. The default is 30 s.
    pub const fn wait_max(mut self, wait_max: Duration) -> Self {
        self.options.wait_max = wait_max;
        self
    }

    /// The longest time that a lease is held, however often it is renewed. The default is one hour. `None` means no
    /// limit, and must be set explicitly. Each guard counts on its own: after a hand-over the time starts again.
    pub const fn max_hold(mut self, max_hold: Option<Duration>) -> Self {
        self.options.max_hold = max_hold;
        self
    }

    /// Whether guards renew their leases automatically. The default is yes.
    pub const fn renewed(mut self, renewed: bool) -> Self {
        self.options.renewed = renewed;
        self
    }

    /// Whether a lease passes from task to task of this process in memory. The default passes it to tasks that
    /// already waited when the nodes were asked.
    pub const fn hand_over(mut self, hand_over: HandOver) -> Self {
        self.options.hand_over = hand_over;
        self
    }

    /// For how many sections, and for how long, the tasks of this process keep a resource while other processes wait
    /// for it. The default is 256 sections or 5 ms, whichever is reached first. A process always gets at least one
    /// section.
    pub const fn turn_max(mut self, sections: u32, time: Duration) -> Self {
        self.options.turn_max = (sections, time);
        self
    }

    /// The label for people beside the random id of a holder. The default is `<host>:<pid>`.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = Some(label.into());
        self
    }

    /// What metrics call a resource: a template such as `order/{id}` in place of its name, for each label costs a recorder
    /// dozens of series. `all` for every resource unless set. A locker has 128 labels at most; resources of any more are
    /// called `other`.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// let builder = Redlock::builder().node(EmbeddedNode::new()).metrics_label(|resource| {
    ///     match resource.as_str().split_once('/') {
    ///         Some(("order", _)) => "order/{id}",
    ///         Some(("invoice", _)) => "invoice/{id}",
    ///         _ => "something else",
    ///     }
    /// });
    /// # let _ = builder;
    /// ```
    #[cfg(feature = "metrics")]
    pub fn metrics_label(
        mut self,
        label_of: impl Fn(&crate::Resource) -> &'static str + Send + Sync + 'static,
    ) -> Self {
        self.label_of = Some(Arc::new(label_of));
        self
    }

    /// Takes the time from another clock than the machine's. For tests and simulations.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes randomness from another source than the operating system. For tests and simulations.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn entropy(mut self, entropy: Arc<Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Runs background tasks elsewhere than on the tokio runtime on which the locker is built. For simulations, which
    /// stop a whole process.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn spawner(mut self, spawner: Arc<dyn Spawner>) -> Self {
        self.spawner = Some(spawner);
        self
    }

    /// Checks the whole configuration, and builds the locker over the nodes that were added.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with a sentence that names the fix.
    pub fn build(mut self) -> Result<Redlock, ConfigError> {
        let settings = Arc::new(self.options.check()?);
        if self.options.no_op {
            self.do_nothing()?;
        }
        let quorum = self.quorum_of(self.nodes.len())?;
        let id = LockerId::from_random(u64::from(self.entropy.u32()) << 32 | u64::from(self.entropy.u32()));
        let spawner = self.spawner.unwrap_or_else(|| Arc::new(HomeRuntime::here()));
        #[cfg(feature = "metrics")]
        let meters = Meters::new(self.nodes.iter().map(|node| node.address()), self.label_of);
        #[cfg(not(feature = "metrics"))]
        let meters = Meters;
        let env = Env::new(self.nodes.into(), quorum, self.clock, self.entropy, spawner, meters);
        let locker = Locker::new(env, settings.policy, id);
        Ok(Redlock { locker, settings, options: Arc::new(self.options) })
    }

    /// The quorum of this number of nodes.
    pub(super) fn quorum_of(&self, nodes: usize) -> Result<Quorum, ConfigError> {
        let quorum = Quorum::of(nodes).ok_or(match nodes {
            0 => ConfigError::NoNodes,
            count => ConfigError::TooManyNodes { count },
        })?;
        let Some(anchor) = self.anchor else { return Ok(quorum) };
        quorum.with_anchor(anchor).ok_or(ConfigError::NoSuchAnchor { position: anchor.index() + 1, nodes })
    }

    /// Adds the node that grants everything.
    fn do_nothing(&mut self) -> Result<(), ConfigError> {
        #[cfg(feature = "redis")]
        let has_urls = !self.servers.urls.is_empty();
        #[cfg(not(feature = "redis"))]
        let has_urls = false;
        if has_urls || !self.nodes.is_empty() {
            return Err(ConfigError::NoOpWithNodes);
        }
        tracing::warn!("this lock does nothing, and keeps no other holder out");
        self.nodes.push(Arc::new(NoOpNode::on(Arc::clone(&self.clock))));
        Ok(())
    }

    #[cfg(feature = "redis")]
    pub(super) const fn is_no_op(&self) -> bool {
        self.options.no_op
    }

    #[cfg(feature = "redis")]
    pub(super) fn with_nodes(mut self, nodes: impl IntoIterator<Item = Arc<dyn Node>>) -> Self {
        self.nodes.extend(nodes);
        self
    }

    #[cfg(feature = "redis")]
    pub(super) const fn source_of_entropy(&self) -> &Arc<Entropy> {
        &self.entropy
    }

    #[cfg(feature = "redis")]
    pub(super) fn runner_of_tasks(&mut self) -> Arc<dyn Spawner> {
        Arc::clone(self.spawner.get_or_insert_with(|| Arc::new(HomeRuntime::here())))
    }

    #[cfg(feature = "redis")]
    pub(super) fn its_clock(&self) -> &dyn Clock {
        &*self.clock
    }

    #[cfg(feature = "redis")]
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.options.check().map(|_| ())
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("options", &self.options).finish_non_exhaustive()
    }
}
