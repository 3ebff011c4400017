//! [`RedisNodeOptions`]: the settings of a node's connection.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::keys::Prefix;
use crate::node::HomeRuntime;
use crate::{Entropy, Spawner};

/// The settings of a node's connection.
#[derive(Clone)]
pub struct RedisNodeOptions {
    /// The first part of every key.
    pub prefix: Prefix,
    /// The longest time that dialling, TLS and login may take together.
    pub dial_timeout: Duration,
    /// A connection is dropped if nothing comes in for this long although requests are unanswered.
    pub response_timeout: Duration,
    /// Certificate authorities for `rediss://`, as a PEM file; `None` for the machine's own store.
    pub ca_file: Option<PathBuf>,
    /// The certificate and the private key, as PEM files, for servers that demand a client certificate.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must have; `None` for the host of its URL.
    pub server_name: Option<String>,
    /// The source of jitter for the pauses between dials.
    pub entropy: Arc<Entropy>,
    /// Runs the tasks of the connection: tokio, or a simulation.
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
