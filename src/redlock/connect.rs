//! Connects a locker to servers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;

use super::builder::Builder;
use super::env::timer::outruns_tokio;
use super::error::{ConfigError, ConnectError};
use super::handle::Redlock;
use super::membership::node_health::NodeCondition;
use super::settings::Servers;
use crate::node::Node;
use crate::node::redis::{Address, KeyStyle, Prefix, RedisNode, RedisNodeOptions};
use crate::protocol::{Fault, FaultKind};
use crate::{NodeId, NodeSet};

const DIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// How much longer than one dial all dials together may take.
const DIAL_SLACK: Duration = Duration::from_millis(100);
/// The longest time of the first probe of the nodes after a quorum is connected.
const LOOK_MAX: Duration = Duration::from_secs(3);

impl Redlock {
    /// Connects to servers by their URLs, with the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// As for [`Builder::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all connections are closed.
    pub async fn connect<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Result<Self, ConnectError> {
        Self::builder().urls(urls).connect().await
    }
}

impl Builder {
    /// Adds servers by their URLs: `redis://`, `rediss://` for TLS, or `unix://`, with user, password and database.
    pub fn urls<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.servers.urls.extend(urls.into_iter().map(Into::into));
        self
    }

    /// The first part of every key. The default is `redfence`. All lockers of a resource must have the same.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.servers.prefix = Some(prefix.into());
        self
    }

    /// Under which name locks are stored. The default is [`KeyStyle::Native`]. All lockers of these nodes must have the
    /// same: lockers of different styles do not exclude each other.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// [`KeyStyle::Plain`] makes redfence and other clients of the Redlock algorithm exclude each other, if they use
    /// the same nodes. The page `docs/mixed-fleets.md` says what else is needed, and what such a fleet promises.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), redfence::ConnectError> {
    /// use redfence::{KeyStyle, Redlock};
    ///
    /// let urls = ["redis://a", "redis://b", "redis://c"];
    /// let redlock = Redlock::builder().urls(urls).key_style(KeyStyle::PLAIN).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn key_style(mut self, style: KeyStyle) -> Self {
        self.servers.key_style = style;
        self
    }

    /// Certificate authorities for `rediss://`, as a PEM file. The default is the machine's own store.
    pub fn ca_file(mut self, ca_file: impl Into<PathBuf>) -> Self {
        self.servers.ca_file = Some(ca_file.into());
        self
    }

    /// The certificate and the private key, as PEM files, for `rediss://` servers that demand a client certificate.
    /// Redis demands one unless it is configured with `tls-auth-clients no`.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.servers.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// The name that the certificate of every `rediss://` server must have; also sent as SNI. The default is the host
    /// of each URL.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.servers.server_name = Some(name.into());
        self
    }

    /// The longest time that dialling, TLS and login of one server may take together. The default is 1 s.
    pub const fn dial_timeout(mut self, dial_timeout: Duration) -> Self {
        self.servers.dial_timeout = Some(dial_timeout);
        self
    }

    /// A connection is dropped and dialled again if nothing comes in for this long although requests are unanswered.
    /// The default is 1 s.
    pub const fn response_timeout(mut self, response_timeout: Duration) -> Self {
        self.servers.response_timeout = Some(response_timeout);
        self
    }

    /// Connects to the servers, joins them and builds the locker. It returns as soon as a quorum is connected.
    /// Servers that are down take part when they come up, and servers that may have forgotten locks take part after
    /// their rest. The call takes the dial timeout plus 3.1 s at most, whatever the servers do.
    ///
    /// Connections, renewal and repeated releases are tasks of the tokio runtime on which this is called.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Config`] for contradictions, [`ConnectError::NoQuorum`] with the reason of every server that
    /// could not be reached.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all connections are closed.
    pub async fn connect(mut self) -> Result<Redlock, ConnectError> {
        self.check()?;
        if self.is_no_op() {
            return Err(ConfigError::NoOpWithNodes.into());
        }
        if outruns_tokio(self.its_clock()) {
            return Err(ConfigError::PausedClock.into());
        }
        let nodes = self.open()?;
        let quorum = self.quorum_of(nodes.len())?;
        // A dial ends by its own limit. If it ends at the same moment, its own error is better than the one here.
        let dialling_max = self.dial_limit().saturating_add(DIAL_SLACK);
        let mut dials: FuturesUnordered<_> = NodeId::all(nodes.len())
            .zip(&nodes)
            .map(|(id, node)| async move { (id, node.address(), node.dialled().await) })
            .collect();
        let (mut reached, mut unreachable) = (NodeSet::EMPTY, Vec::new());
        let all_tried = timeout(dialling_max, async {
            while let Some((id, address, outcome)) = dials.next().await {
                match outcome {
                    Ok(()) => reached.insert(id),
                    Err(fault) => unreachable.push((address, fault)),
                }
                if quorum.is_met_by(reached) {
                    break;
                }
            }
        });
        let in_time = all_tried.await.is_ok();
        drop(dials);
        if !in_time {
            // This happens if connections come up and are lost again before this task sees them.
            let undecided = |node: &&RedisNode| !unreachable.iter().any(|(address, _)| *address == node.address());
            let fault =
                || Fault::new(FaultKind::Unreachable, format!("no connection that lasts within {dialling_max:.1?}"));
            let lost: Vec<_> = nodes.iter().filter(undecided).map(|node| (node.address(), fault())).collect();
            unreachable.extend(lost);
        }
        if !quorum.is_met_by(reached) {
            let anchor = quorum.anchor().filter(|anchor| !reached.contains(*anchor));
            let anchor = anchor.and_then(|anchor| nodes.get(anchor.index())).map(RedisNode::address);
            let (reached, nodes, needed) = (reached.len(), quorum.nodes(), quorum.needed());
            return Err(ConnectError::NoQuorum { reached, nodes, needed, anchor, unreachable });
        }
        let nodes = nodes.into_iter().map(|node| Arc::new(node) as Arc<dyn Node>);
        let redlock = self.with_nodes(nodes).build()?;
        // The background task probes the nodes that were not seen by then.
        let _ = timeout(LOOK_MAX, redlock.look_in_haste()).await;
        refuse_duplicates(&redlock)?;
        Ok(redlock)
    }

    fn dial_limit(&self) -> Duration {
        self.servers.dial_timeout.unwrap_or(DIAL_TIMEOUT)
    }

    fn open(&mut self) -> Result<Vec<RedisNode>, ConfigError> {
        let spawner = self.runner_of_tasks();
        let Servers { urls, prefix, key_style, dial_timeout, response_timeout, .. } = &self.servers;
        let prefix = match prefix {
            Some(prefix) => Prefix::new(prefix).ok_or_else(|| ConfigError::Prefix(prefix.clone()))?,
            None => Prefix::default(),
        };
        let prefix = prefix.with_style(key_style.clone().checked()?);
        for (what, time) in [("dial timeout", dial_timeout), ("response timeout", response_timeout)] {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(ConfigError::NoTime(what));
            }
        }
        let default = RedisNodeOptions::default();
        let options = RedisNodeOptions {
            prefix,
            ca_file: self.servers.ca_file.clone(),
            client_certificate: self.servers.client_certificate.clone(),
            server_name: self.servers.server_name.clone(),
            dial_timeout: dial_timeout.unwrap_or(DIAL_TIMEOUT),
            response_timeout: response_timeout.unwrap_or(default.response_timeout),
            entropy: Arc::clone(self.source_of_entropy()),
            spawner,
        };
        let mut addresses: Vec<Address> = Vec::with_capacity(urls.len());
        for (index, url) in urls.iter().enumerate() {
            let position = index + 1;
            let address = Address::parse(url).map_err(|reason| ConfigError::Address { position, reason })?;
            if let Some(earlier) = addresses.iter().position(|earlier| earlier.is_same_server(&address)) {
                return Err(ConfigError::SameServer {
                    first: earlier + 1,
                    second: position,
                    address: address.to_string(),
                });
            }
            if let Some(one) = addresses.first().filter(|one| one.database() != address.database()) {
                let (first_database, second_database) = (one.database(), address.database());
                return Err(ConfigError::Databases { first: 1, first_database, second: position, second_database });
            }
            addresses.push(address);
        }
        addresses.into_iter().map(|address| Ok(RedisNode::open(address, options.clone())?)).collect()
    }
}

/// Refuses a set that has one server under two names.
fn refuse_duplicates(redlock: &Redlock) -> Result<(), ConnectError> {
    let nodes = redlock.nodes();
    let Some(second) = nodes.iter().find(|node| node.condition == NodeCondition::Duplicate) else { return Ok(()) };
    let first = nodes.iter().find(|node| node.run_id == second.run_id).map_or_else(String::new, |n| n.address.clone());
    Err(ConnectError::SameServer { first, second: second.address.clone() })
}
