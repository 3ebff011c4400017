//! [`RedisNode`]: a Redis or Valkey server as a node.

mod address;
#[cfg(test)]
mod any_bytes;
mod as_node;
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
mod key_style;
mod keys;
mod link;
mod options;
mod script;
mod send_queue;
mod subscription;
#[cfg(feature = "tls")]
mod tls;
mod unsent;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use self::url::AddressError;
pub use address::Address;
pub use dial::{Dial, Stream};
pub use key_style::{KeyStyle, KeyStyleError};
pub use keys::Prefix;
pub use link::Link;
pub use options::RedisNodeOptions;

use self::connector::Connector;
use self::courier::Courier;
use self::send_queue::SendQueue;
use crate::node::HomeRuntime;
use crate::protocol::{Fault, FaultKind};

/// A Redis or Valkey server as a node.
///
/// It uses one connection, and a second one for wakes if the server speaks only RESP2. If nothing is unanswered, a
/// request goes out at once. Requests that come meanwhile go out together, in order, after the last reply. A task of
/// the node reads and dials. It drops a connection whose reply takes too long, and dials again with growing pauses.
/// Without a connection, requests fail at once and are not kept for later.
///
/// If the node is dropped, the task finishes the requests that were sent, and then ends.
pub struct RedisNode {
    send_queue: Arc<SendQueue>,
    link: watch::Receiver<Link>,
    session: watch::Receiver<u64>,
    name: String,
    connector: Connector,
    encrypted: bool,
}

impl RedisNode {
    /// The most requests that may wait for one server. Beyond that, grants are refused as overloaded; extensions are
    /// refused beyond an eighth of it.
    pub const QUEUE_MAX: usize = send_queue::QUEUE_MAX;

    /// Starts to dial `address`. It returns at once; see [`RedisNode::dialled`].
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

    /// Starts to dial with `dial` in place of the network.
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
        // Timers need a tokio runtime, whatever spawner runs the tasks.
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
    /// The fault of the dial that failed. The node keeps trying.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing changes.
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

    /// Whether the connection is safe from eavesdroppers: TLS, a Unix socket, or loopback.
    pub(crate) const fn is_private(&self) -> bool {
        self.encrypted
    }

    /// A separate connection beside the courier's, for questions that are not requests.
    ///
    /// # Errors
    ///
    /// The fault that prevented the connection.
    pub(crate) async fn inquire(&self) -> Result<Inquiry, Fault> {
        let limit = self.connector.options.response_timeout;
        Ok(Inquiry { connection: self.connector.inquire().await?, limit })
    }

    /// Whether the server logs every write before it replies.
    ///
    /// # Errors
    ///
    /// The fault of the question. Managed servers do not answer it.
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
    /// Asks one question. An error reply of the server becomes a fault.
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
