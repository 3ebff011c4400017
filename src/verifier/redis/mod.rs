//! [`RedisStore`]: the highest tokens in a Redis or Valkey, beside the data that they guard.

use redis::Script;
use redis::aio::ConnectionLike;

use super::{Rule, StaleToken, TokenStore, Verdict};
use crate::{FencingToken, Resource};

mod error;
mod fenced;
pub mod lua;
mod pipeline;
mod slot;

pub use error::{StoreError, WriteError};
pub use fenced::{Fenced, FencedScript};
pub use pipeline::FencedPipeline;
pub use slot::hash_slot;

/// Tokens, and values if wanted, in one Redis or Valkey: check and write are one script.
///
/// The token of a resource and the value that it guards are fields of one hash, `<prefix>:fence:<resource>`, without a
/// time to live: a fence must outlive every lock. Use a server with `appendonly yes` and `maxmemory-policy noeviction`;
/// one that forgets the fence lets stale writers in.
///
/// This is the server of the *data*. It is no node of the lock, though it may be one of the machines.
#[derive(Clone)]
pub struct RedisStore<C> {
    connection: C,
    prefix: String,
    script: Script,
    command: Script,
    pipeline: Script,
    /// Whether a key in another slot than the fence is refused before anything is sent.
    one_slot: bool,
}

impl<C> RedisStore<C> {
    /// A store over a connection of the redis crate, for instance a `MultiplexedConnection` or a `ConnectionManager`.
    #[must_use]
    pub fn new(connection: C) -> Self {
        Self::with_prefix(connection, "redfence")
    }

    /// The same with another first part of the keys.
    #[must_use]
    pub fn with_prefix(connection: C, prefix: impl Into<String>) -> Self {
        let [script, command, pipeline] = [lua::ADMIT, lua::COMMAND, lua::PIPELINE].map(Script::new);
        Self { connection, prefix: prefix.into(), script, command, pipeline, one_slot: false }
    }

    /// The same, made for a Cluster: a key that is not in the slot of its fence is refused before anything is sent, also by a
    /// single server, so that tests on one find it. In a Cluster the server refuses it in any case.
    #[must_use]
    pub fn for_cluster(mut self) -> Self {
        self.one_slot = true;
        self
    }

    /// Writes under `token` to keys of one's own.
    ///
    /// ```no_run
    /// # use redfence::{FencingToken, Resource, verifier::{RedisStore, WriteError}};
    /// # async fn example(connection: redis::aio::MultiplexedConnection, token: FencingToken) -> Result<(), WriteError> {
    /// # let order = Resource::new("orders/42").unwrap();
    /// let store = RedisStore::new(connection);
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

    /// The key of a resource's hash.
    #[must_use]
    pub fn key(&self, resource: &Resource) -> String {
        format!("{}:fence:{resource}", self.prefix)
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> RedisStore<C> {
    /// Writes `value` if `token` passes, in one script.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: then the value may or may not have been written, by this token. Offering it again is safe, but
    /// that [`Rule::Strict`] refuses it if it had been.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the write done or not done, never half done.
    pub async fn write(
        &self,
        resource: &Resource,
        token: FencingToken,
        rule: Rule,
        value: &[u8],
    ) -> Result<Verdict, StoreError> {
        self.judge(resource, token, rule, Some(value)).await
    }

    /// The highest token that was accepted for a resource: for people and metrics, never in front of a write.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the server does not answer properly.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    pub async fn highest(&self, resource: &Resource) -> Result<Option<FencingToken>, StoreError> {
        let mut connection = self.connection.clone();
        let token: Option<String> = redis::cmd("HGET")
            .arg(self.key(resource))
            .arg("token")
            .query_async(&mut connection)
            .await
            .map_err(|error| StoreError::of(resource, &error.to_string()))?;
        token.map(|token| token.parse().map_err(|error| StoreError::of(resource, &format!("{error}")))).transpose()
    }

    /// The value of a resource and the highest token that was accepted for it: the one that it was written under, unless
    /// a newer one was only admitted since.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the server does not answer properly.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    pub async fn read(&self, resource: &Resource) -> Result<Option<(FencingToken, Vec<u8>)>, StoreError> {
        let mut connection = self.connection.clone();
        let (token, value): (Option<String>, Option<Vec<u8>>) = redis::cmd("HMGET")
            .arg(self.key(resource))
            .arg(&["token", "value"])
            .query_async(&mut connection)
            .await
            .map_err(|error| StoreError::of(resource, &error.to_string()))?;
        let Some(token) = token else { return Ok(None) };
        let token = token.parse().map_err(|error| StoreError::of(resource, &format!("{error}")))?;
        Ok(value.map(|value| (token, value)))
    }

    async fn judge(
        &self,
        resource: &Resource,
        token: FencingToken,
        rule: Rule,
        value: Option<&[u8]>,
    ) -> Result<Verdict, StoreError> {
        let mut connection = self.connection.clone();
        let mut call = self.script.key(self.key(resource));
        call.arg(token.get()).arg(u8::from(rule == Rule::Strict));
        if let Some(value) = value {
            call.arg(value);
        }
        let answer =
            call.invoke_async(&mut connection).await.map_err(|error| StoreError::of(resource, &error.to_string()))?;
        match fenced::judged(answer) {
            Ok(_) => Ok(Verdict::Admitted),
            Err(WriteError::Stale(StaleToken { highest })) => Ok(Verdict::Stale { highest }),
            Err(error) => Err(StoreError::of(resource, &error.to_string())),
        }
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> TokenStore for RedisStore<C> {
    type Error = StoreError;

    async fn admit(&self, resource: &Resource, token: FencingToken, rule: Rule) -> Result<Verdict, StoreError> {
        self.judge(resource, token, rule, None).await
    }
}

impl<C> std::fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
