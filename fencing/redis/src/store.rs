//! [`FencedRedis`]: a connection to the server of the data, and where its fences are.

use redfence::verifier::Rule;
use redfence::{FencingToken, Resource};
use redis::Script;
use redis::aio::ConnectionLike;

use crate::{Fenced, WriteError, lua};

/// Fences in one Redis or Valkey, beside the data that they protect.
///
/// The fence of a resource is the field `token` of the hash `<prefix>:fence:<resource>`, without a TTL: a fence must
/// outlive every lock. `redfence::verifier::RedisStore` uses the same fence, so both may be used. Use a server with
/// `appendonly yes` and `maxmemory-policy noeviction`: a server that forgets the fence admits stale writers. This is
/// the server of the *data*, and not a node of the lock, but it may run on the same machine as a node.
#[derive(Clone)]
pub struct FencedRedis<C> {
    pub(crate) connection: C,
    prefix: String,
    pub(crate) command: Script,
    pub(crate) pipeline: Script,
    /// Whether a key in another slot than the fence is refused before anything is sent.
    pub(crate) one_slot: bool,
}

impl<C> FencedRedis<C> {
    /// Over a connection of the redis crate, for instance a `MultiplexedConnection` or a `ConnectionManager`.
    #[must_use]
    pub fn new(connection: C) -> Self {
        Self::with_prefix(connection, "redfence")
    }

    /// The same with another prefix of the fences' keys.
    #[must_use]
    pub fn with_prefix(connection: C, prefix: impl Into<String>) -> Self {
        let [command, pipeline] = [lua::COMMAND, lua::PIPELINE].map(Script::new);
        Self { connection, prefix: prefix.into(), command, pipeline, one_slot: false }
    }

    /// The same, made for a Cluster: a key that is not in the slot of its fence is refused before anything is sent.
    /// This also happens with a single server, so that tests find it. In a Cluster the server refuses it in any case.
    #[must_use]
    pub fn for_cluster(mut self) -> Self {
        self.one_slot = true;
        self
    }

    /// The key of a resource's fence.
    #[must_use]
    pub fn key(&self, resource: &Resource) -> String {
        format!("{}:fence:{resource}", self.prefix)
    }

    /// Writes under `token` to your own keys.
    ///
    /// ```no_run
    /// # use redfence::{FencingToken, Resource};
    /// # use redfence_redis::{FencedRedis, WriteError};
    /// # async fn example(connection: redis::aio::MultiplexedConnection, token: FencingToken) -> Result<(), WriteError> {
    /// # let order = Resource::new("orders/42").unwrap();
    /// let store = FencedRedis::new(connection);
    /// match store.fenced(&order, token).set("orders/42", "paid").await {
    ///     Err(WriteError::Stale(stale)) => println!("{} has written since: acquire again", stale.highest),
    ///     written => written?,
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn fenced<'a>(&'a self, resource: &'a Resource, token: FencingToken) -> Fenced<'a, C> {
        Fenced { store: self, resource, token, rule: Rule::AcceptEqual }
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> FencedRedis<C> {
    /// The highest token that was accepted for a resource: for humans and metrics, never as a check before a write.
    ///
    /// # Errors
    ///
    /// [`WriteError::Refused`] and [`WriteError::Unknown`] when the server does not answer properly.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    pub async fn highest(&self, resource: &Resource) -> Result<Option<FencingToken>, WriteError> {
        let mut get = redis::cmd("HGET");
        let asked = get.arg(self.key(resource)).arg("token").query_async(&mut self.connection.clone()).await;
        let token: Option<String> = asked.map_err(|error| WriteError::of(&error))?;
        let parsed = token.map(|token| token.parse()).transpose();
        parsed.map_err(|error| WriteError::refused(&format!("{error}")))
    }
}

impl<C> std::fmt::Debug for FencedRedis<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FencedRedis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
