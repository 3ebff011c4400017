//! [`RedisStore`]: keeps the highest tokens in Redis or Valkey, beside the data that they guard.

use redis::aio::ConnectionLike;
use redis::{Script, Value};

use super::{Rule, TokenStore, Verdict};
use crate::{FencingToken, Resource};

mod error;

pub use error::StoreError;

/// The check, which every fenced script begins with, and behind it the write of the value.
const ADMIT: &str = concat!(include_str!("fence.lua"), include_str!("admit.lua"));

/// Keeps tokens, and values if wanted, in one Redis or Valkey. One script checks and writes.
///
/// The token of a resource and the value that it guards are fields of one hash, `<prefix>:fence:<resource>`. The hash
/// has no time to live: a fence must outlive every lock. Use a server with `appendonly yes` and `maxmemory-policy
/// noeviction`; a server that forgets the fence admits stale writers.
///
/// This is the server of the *data*, not a node of the lock. It may run on the same machine as a node.
#[derive(Clone)]
pub struct RedisStore<C> {
    connection: C,
    prefix: String,
    script: Script,
}

impl<C> RedisStore<C> {
    /// A store over a connection of the redis crate, for instance a `MultiplexedConnection` or a `ConnectionManager`.
    #[must_use]
    pub fn new(connection: C) -> Self {
        Self::with_prefix(connection, "redfence")
    }

    /// The same, with `prefix` as the first part of all keys.
    #[must_use]
    pub fn with_prefix(connection: C, prefix: impl Into<String>) -> Self {
        Self { connection, prefix: prefix.into(), script: Script::new(ADMIT) }
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
    /// [`StoreError`]: then the value may or may not have been written under this token. You can repeat the call
    /// safely, but [`Rule::Strict`] refuses the token if the first call did write.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the write is done or not done, never half done.
    pub async fn write(
        &self,
        resource: &Resource,
        token: FencingToken,
        rule: Rule,
        value: &[u8],
    ) -> Result<Verdict, StoreError> {
        self.judge(resource, token, rule, Some(value)).await
    }

    /// The value of a resource, and the highest token that was accepted for it. The value was written under that
    /// token, unless a newer token was only admitted since.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the server does not answer properly.
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
        let answer: Vec<Value> =
            call.invoke_async(&mut connection).await.map_err(|error| StoreError::of(resource, &error.to_string()))?;
        let problem = |reason: &str| StoreError::of(resource, reason);
        match <[Value; 2]>::try_from(answer).as_ref() {
            Err(answer) if *answer == [Value::Int(1)] => Ok(Verdict::Admitted),
            Ok([Value::Int(0), Value::BulkString(digits)]) => {
                let highest = String::from_utf8_lossy(digits).parse();
                highest
                    .map(|highest| Verdict::Stale { highest }.counted("redis"))
                    .map_err(|error| problem(&format!("{error}")))
            }
            _ => Err(problem("an answer of another form")),
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
