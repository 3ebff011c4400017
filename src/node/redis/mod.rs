//! [`RedisNode`]: a Redis or Valkey server as a node.

mod address;
#[cfg(test)]
mod any_bytes;
mod byte_stream;
mod connection;
mod connector;
mod courier;
mod decode;
mod detachable;
mod dial;
mod encode;
mod fault;
mod frame;
mod keys;
mod script;
mod send_queue;
mod subscription;
#[cfg(feature = "tls")]
mod tls;
mod url;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

pub use self::url::AddressError;
pub use address::Address;
pub use dial::{Dial, Stream};
pub use keys::Prefix;

use self::connector::Connector;
use self::courier::Courier;
use self::send_queue::SendQueue;
use super::{Node, Responder, WakeListener};
use crate::node::HomeRuntime;
use crate::protocol::{Fault, FaultKind, Request};
use crate::{Entropy, LockerId, NodeId, Spawner};

/// A Redis or Valkey server as a node.
///
/// One connection, and a second one for wakes where the server speaks only RESP2. What is sent while nothing is on the way goes out at once, and what is sent meanwhile goes out together,
/// in order, when the last answer is in. A task of the node's own reads and dials; it drops a connection whose answer stays
/// out too long and dials anew, with growing pauses. While there is none, requests fail at once and are never kept for later.
///
/// Dropping the node lets the task finish what was sent and end.
pub struct RedisNode {
    send_queue: Arc<SendQueue>,
    link: watch::Receiver<Link>,
    session: watch::Receiver<u64>,
    name: String,
    connector: Connector,
    encrypted: bool,
}

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Being dialled; requests wait for the outcome.
    Dialing,
    /// In use.
    Up,
    /// The last dial failed, or its connection was lost before it was of use; the next one follows.
    Down(Fault),
}

/// How a node's connection behaves.
#[derive(Clone)]
pub struct RedisNodeOptions {
    /// The first part of every key.
    pub prefix: Prefix,
    /// The longest that dialling, TLS and login may take together.
    pub dial_timeout: Duration,
    /// A connection that leaves a turn unanswered for this long is dropped.
    pub response_timeout: Duration,
    /// Certificate authorities for `rediss://`, as a PEM file; `None` for those that the machine trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate and the private key, as PEM files, for servers that want to know who connects.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Whom a server must prove to be; `None` for the host of its URL.
    pub server_name: Option<String>,
    /// Where the jitter of the pauses between dials comes from.
    pub entropy: Arc<Entropy>,
    /// What runs the tasks of the connection; tokio, unless a simulation does.
    pub spawner: Arc<dyn Spawner>,
}

impl Default for RedisNodeOptions {
    fn default() -> Self {
        Self {
            prefix: Prefix::default(),
            dial_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
            ca_file: None,
            client_certificate: None,
            server_name: None,
            entropy: Arc::new(Entropy::from_system()),
            spawner: Arc::new(HomeRuntime::here()),
        }
    }
}

impl fmt::Debug for RedisNodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisNodeOptions")
            .field("prefix", &self.prefix)
            .field("dial_timeout", &self.dial_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("ca_file", &self.ca_file)
            .field("client_certificate", &self.client_certificate)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl RedisNode {
    /// The most requests that wait for one server before further grants are refused as overloaded; an eighth of that for
    /// extensions.
    pub const QUEUE_MAX: usize = send_queue::QUEUE_MAX;

    /// Starts to dial `address`. Returns at once; see [`RedisNode::dialled`].
    ///
    /// # Errors
    ///
    /// [`OpenError`] outside a tokio runtime, and for an unusable certificate file.
    pub fn open(address: Address, options: RedisNodeOptions) -> Result<Self, OpenError> {
        let name = address.to_string();
        let private = address.is_private();
        #[cfg(feature = "tls")]
        let network = {
            let RedisNodeOptions { ca_file, client_certificate, server_name, .. } = &options;
            let trust = tls::Trust::new(ca_file.as_deref(), client_certificate.as_ref(), server_name.as_deref());
            dial::Network::new(address.endpoint, options.dial_timeout, trust.map_err(OpenError::Certificates)?)
        };
        #[cfg(not(feature = "tls"))]
        let network = dial::Network::new(address.endpoint, options.dial_timeout);
        let mut node = Self::over(Arc::new(network), name, address.login, options)?;
        node.encrypted = private;
        Ok(node)
    }

    /// Starts to dial by other means than the network.
    ///
    /// # Errors
    ///
    /// [`OpenError::NoRuntime`] outside a tokio runtime.
    pub fn over(
        dial: Arc<dyn Dial>,
        name: String,
        login: redis::RedisConnectionInfo,
        options: RedisNodeOptions,
    ) -> Result<Self, OpenError> {
        // Timers need one, whatever runs the tasks.
        tokio::runtime::Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let (link_sender, link) = watch::channel(Link::Dialing);
        let (session_sender, session) = watch::channel(0);
        let send_queue = Arc::new(SendQueue::new(options.prefix.clone()));
        let connector = Connector { dial, login, options };
        let (name_too, connector_too, send_queue_too) = (name.clone(), connector.clone(), Arc::clone(&send_queue));
        let courier = Courier {
            name: name_too,
            connector: connector_too,
            send_queue: send_queue_too,
            link: link_sender,
            session: session_sender,
        };
        connector.options.spawner.spawn(Box::pin(courier.run()));
        Ok(Self { send_queue, link, session, name, connector, encrypted: false })
    }

    /// Waits until the first dial has succeeded or failed.
    ///
    /// # Errors
    ///
    /// The fault of a dial that failed; the node goes on trying.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn dialled(&self) -> Result<(), Fault> {
        match self.link.clone().wait_for(|link| *link != Link::Dialing).await.as_deref() {
            Ok(Link::Down(fault)) => Err(fault.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::new(FaultKind::Closed, HomeRuntime::ENDED)),
        }
    }

    /// The first part of every key.
    pub(crate) const fn prefix(&self) -> &Prefix {
        &self.connector.options.prefix
    }

    /// Whether nobody on a network can listen: TLS, a Unix socket, or loopback.
    pub(crate) const fn is_private(&self) -> bool {
        self.encrypted
    }

    /// A connection of one's own beside the courier's, for questions that are no requests.
    ///
    /// # Errors
    ///
    /// The fault that stood in the way.
    pub(crate) async fn inquire(&self) -> Result<Inquiry, Fault> {
        let limit = self.connector.options.response_timeout;
        Ok(Inquiry { connection: self.connector.inquire().await?, limit })
    }

    /// Whether the server logs every write before it answers.
    ///
    /// # Errors
    ///
    /// The fault that stood in the way: managed servers do not tell.
    pub(crate) async fn syncs_every_write(&self) -> Result<bool, Fault> {
        let mut inquiry = self.inquire().await?;
        let answer = inquiry.ask(redis::cmd("CONFIG").arg("GET").arg("appendfsync")).await?;
        redis::from_redis_value::<std::collections::HashMap<String, String>>(answer)
            .map(|words| words.get("appendfsync").is_some_and(|how| how == "always"))
            .map_err(|error| Fault::new(FaultKind::Unexpected, fault::one_line(&error.to_string())))
    }

    /// The state of the connection now.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link.borrow().clone()
    }
}

impl Drop for RedisNode {
    fn drop(&mut self) {
        self.send_queue.close();
    }
}

impl Node for RedisNode {
    fn send(&self, request: Request, answer: Responder) {
        self.send_queue.hand_in([(request, answer)]);
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.send_queue.hand_in([first, second]);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.send_queue.listen(id, locker, listener);
    }

    fn admit(&self, session: u64) {
        self.send_queue.admit(session);
    }

    fn sessions(&self) -> Option<watch::Receiver<u64>> {
        Some(self.session.clone())
    }

    fn as_server(&self) -> Option<&RedisNode> {
        Some(self)
    }

    fn address(&self) -> String {
        self.name.clone()
    }
}

impl fmt::Debug for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisNode").field("address", &self.name).field("link", &self.link()).finish()
    }
}

/// A connection for questions.
pub(crate) struct Inquiry {
    connection: connector::InquiryConnection,
    limit: Duration,
}

impl Inquiry {
    /// Asks one question; an error of the server is a fault like any other.
    pub(crate) async fn ask(&mut self, command: &redis::Cmd) -> Result<redis::Value, Fault> {
        match tokio::time::timeout(self.limit, self.connection.handle.send_packed_command(command)).await {
            Ok(Ok(redis::Value::ServerError(error))) => Err(fault::of_server(&error)),
            Ok(answer) => answer.map_err(|error| fault::of_connection(&error)),
            Err(_) => Err(Fault::new(FaultKind::TimedOut, format!("no answer within {:?}", self.limit))),
        }
    }
}

/// Why a node could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no tokio runtime to run the connection on.
    #[error("a connection needs a tokio runtime: call this inside #[tokio::main] or Runtime::block_on")]
    NoRuntime,
    /// The certificate file cannot be used.
    #[error("{0}")]
    Certificates(std::io::Error),
}
