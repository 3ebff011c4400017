//! [`RedisNode`]: a Redis or Valkey server as a node.

mod address;
mod connection;
mod courier;
mod dial;
mod fault;
mod keys;
mod script;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub use address::{Address, AddressError};
pub use dial::{Dial, Stream};
pub use keys::Prefix;

use self::connection::Route;
use self::courier::{Courier, Envelope};
use super::{Answer, Node};
use crate::node::TokioSpawner;
use crate::protocol::{Fault, FaultKind, Request, Verb};
use crate::{Entropy, Spawner};

/// A Redis or Valkey server as a node.
///
/// One connection, kept by a task of its own: all requests that wait go out in one write, in order, and the next turn
/// begins when the last one is answered. A connection whose answer stays out too long is dropped and dialled anew, with
/// growing pauses. While there is none, requests fail at once and are never kept for later.
///
/// Dropping the node lets the task finish what was sent and end.
pub struct RedisNode {
    queue: mpsc::UnboundedSender<Envelope>,
    waiting: Arc<AtomicUsize>,
    link: watch::Receiver<Link>,
    session: watch::Receiver<u64>,
    admitted: Arc<AtomicU64>,
    name: String,
    route: Route,
    encrypted: bool,
}

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Being dialled; requests wait for the outcome.
    Dialing,
    /// In use.
    Up,
    /// The last dial failed; the next one follows.
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
            entropy: Arc::new(Entropy::from_system()),
            spawner: Arc::new(TokioSpawner),
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
            .finish_non_exhaustive()
    }
}

impl RedisNode {
    /// The most grants that wait for one server before further ones are refused as overloaded.
    pub const QUEUE_MAX: usize = 65_536;

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
            let trust = match &options.ca_file {
                Some(path) => tls::Trust::file(path).map_err(OpenError::Certificates)?,
                None => tls::Trust::default(),
            };
            dial::Network::new(address.endpoint, trust)
        };
        #[cfg(not(feature = "tls"))]
        let network = dial::Network::new(address.endpoint);
        let node = Self::over(Arc::new(network), name, address.login, options)?;
        Ok(Self { encrypted: private, ..node })
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
        let (queue, envelopes) = mpsc::unbounded_channel();
        let (link_sender, link) = watch::channel(Link::Dialing);
        let (session_sender, session) = watch::channel(0);
        let (waiting, admitted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let gate = courier::Gate { session: session_sender, admitted: Arc::clone(&admitted) };
        let (waiting_too, name_too) = (Arc::clone(&waiting), name.clone());
        let route = Route { dial, login, options };
        let courier = Courier {
            name: name_too,
            route: route.clone(),
            queue: envelopes,
            waiting: waiting_too,
            link: link_sender,
            gate,
        };
        route.options.spawner.spawn(Box::pin(courier.run()));
        Ok(Self { queue, waiting, link, session, admitted, name, route, encrypted: false })
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
            Err(_) => Err(Fault::new(FaultKind::Unreachable, "the connection's task ended")),
        }
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
        let limit = self.route.options.response_timeout;
        Ok(Inquiry { connection: self.route.connect().await?, limit })
    }

    /// The state of the connection now.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link.borrow().clone()
    }
}

impl Node for RedisNode {
    fn send(&self, request: Request, answer: Answer) {
        let is_grant = matches!(request.verb, Verb::Grant { .. });
        // Only grants are refused: a release that cannot wait would leave a lock behind.
        if is_grant && self.waiting.load(Ordering::Relaxed) >= Self::QUEUE_MAX {
            return answer.fail(FaultKind::Overloaded, "");
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(mpsc::error::SendError(envelope)) = self.queue.send(Envelope { request, answer }) {
            envelope.answer.fail(FaultKind::Unreachable, "the runtime of this node's connection has ended");
        }
    }

    fn admit(&self, session: u64) {
        self.admitted.store(session, Ordering::Relaxed);
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
    connection: connection::Connection,
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
