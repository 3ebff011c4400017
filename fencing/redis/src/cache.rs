//! [`RedisCache`]: cached values in Redis or Valkey, each behind a fence.

use std::time::Duration;

use redfence::cached::{CacheStore, Entry};
use redfence::verifier::Verdict;
use redfence::{FencingToken, Resource};
use redis::aio::ConnectionLike;
use redis::{ErrorKind, FromRedisValue as _, RedisError, Script, ScriptInvocation, Value};

use crate::lua;

/// How many fences are kept for each of the 1,024 slots of resources; 131,072 in all.
const FENCES_MAX: usize = 128;

/// Keeps the values of a `redfence::cached::Cached` in one Redis or Valkey. One script checks the token and writes the value.
///
/// | key | type | life |
/// |---|---|---|
/// | `{<prefix>:<slot>}:value:<key>` | hash: `value`, `token`, `took_us` | the time to live of the value |
/// | `{<prefix>:<slot>}:fences` | sorted set: the highest token of each key of the slot | without end |
///
/// The prefix is `redfence:cache` by default. A slot is CRC16 of the key modulo 1,024. There are 128 fences in a slot at most: a
/// further one replaces the lowest, and from then on tokens below that one are stale for all keys without a fence. So the
/// fences take some megabytes at most, however many keys are used, and a stale token never passes.
///
/// The server may drop values whenever it likes, but no fences: give it `maxmemory-policy volatile-ttl` or another policy that
/// evicts only keys with a time to live. This is the server of the *data*, not a node of the lock. In a Cluster, a value and
/// its fence share a slot.
///
/// ```no_run
/// use redfence::Redlock;
/// use redfence::cached::Cached;
/// use redfence_redis::RedisCache;
///
/// # async fn example(redlock: Redlock) -> Result<(), Box<dyn std::error::Error>> {
/// let client = redis::Client::open("redis://127.0.0.1:6379")?;
/// let cached = Cached::new(redlock, RedisCache::new(client.get_multiplexed_async_connection().await?));
/// let ttl = std::time::Duration::from_secs(60);
/// let report = cached.get_or_compute("report:7", ttl, || async { std::fs::read("report") }).await?;
/// # drop(report); Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisCache<C> {
    connection: C,
    prefix: String,
    get: Script,
    put: Script,
}

/// The server did not answer properly: a value that was to be written may be there or not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no proper answer about the cached value {key}: {reason}")]
#[non_exhaustive]
pub struct CacheError {
    /// The key of the value.
    pub key: Resource,
    /// The message of the server or of the connection.
    pub reason: String,
}

impl<C> RedisCache<C> {
    /// Over a connection of the redis crate, for instance a `MultiplexedConnection` or a `ConnectionManager`.
    #[must_use]
    pub fn new(connection: C) -> Self {
        Self::with_prefix(connection, "redfence:cache")
    }

    /// The same with another prefix of all keys.
    #[must_use]
    pub fn with_prefix(connection: C, prefix: impl Into<String>) -> Self {
        let [get, put] = [lua::CACHE_GET, lua::CACHE_PUT].map(Script::new);
        Self { connection, prefix: prefix.into(), get, put }
    }

    /// Where the value of `key` is in the server.
    #[must_use]
    pub fn key(&self, key: &Resource) -> String {
        format!("{{{}:{}}}:value:{key}", self.prefix, key.slot())
    }

    /// What the script needs to check a token.
    fn checked(&self, key: &Resource, token: FencingToken) -> ScriptInvocation<'_> {
        let mut call = self.put.key(format!("{{{}:{}}}:fences", self.prefix, key.slot()));
        call.key(self.key(key)).arg(token.get()).arg(key.as_str()).arg(FENCES_MAX);
        call
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> CacheStore for RedisCache<C> {
    type Error = CacheError;

    async fn get(&self, key: &Resource) -> Result<Option<Entry>, CacheError> {
        let mut call = self.get.key(self.key(key));
        let answer: Result<Vec<Value>, _> = call.arg(Entry::LEN_MAX).invoke_async(&mut self.connection.clone()).await;
        answer.and_then(entry).map_err(|error| failed(key, &error))
    }

    async fn put(&self, key: &Resource, entry: &Entry) -> Result<Verdict, CacheError> {
        let mut call = self.checked(key, entry.token);
        // Rounded up: 0 would mean that the value has expired already.
        call.arg(entry.ttl.as_nanos().div_ceil(1_000_000).to_string()).arg(entry.took.as_micros().to_string());
        let answer: Result<Vec<Value>, _> = call.arg(&entry.value[..]).invoke_async(&mut self.connection.clone()).await;
        answer.and_then(verdict).map_err(|error| failed(key, &error))
    }

    async fn remove(&self, key: &Resource, token: FencingToken) -> Result<Verdict, CacheError> {
        let answer: Result<Vec<Value>, _> = self.checked(key, token).invoke_async(&mut self.connection.clone()).await;
        answer.and_then(verdict).map_err(|error| failed(key, &error))
    }
}

fn entry(answer: Vec<Value>) -> Result<Option<Entry>, RedisError> {
    if answer.is_empty() {
        return Ok(None);
    }
    let Ok([left, token, took, value]) = <[Value; 4]>::try_from(answer) else { return Err(other_form()) };
    let (left, took) = (u64::from_redis_value(left)?, u64::from_redis_value(took)?);
    let value = Vec::from_redis_value(value)?;
    Ok(Some(Entry::new(value.into(), parsed(token)?, Duration::from_millis(left), Duration::from_micros(took))))
}

fn verdict(answer: Vec<Value>) -> Result<Verdict, RedisError> {
    let mut parts = answer.into_iter();
    match (parts.next(), parts.next()) {
        (Some(Value::Int(1)), None) => Ok(Verdict::Admitted),
        (Some(Value::Int(0)), Some(highest)) => Ok(Verdict::Stale { highest: parsed(highest)? }),
        _ => Err(other_form()),
    }
}

fn parsed(token: Value) -> Result<FencingToken, RedisError> {
    let number = u64::from_redis_value(token)?;
    FencingToken::new(number).map_err(|error| (ErrorKind::UnexpectedReturnType, "no token", error.to_string()).into())
}

fn other_form() -> RedisError {
    (ErrorKind::UnexpectedReturnType, "an answer of another form").into()
}

fn failed(key: &Resource, error: &RedisError) -> CacheError {
    CacheError { key: key.clone(), reason: crate::error::one_line(&error.to_string()) }
}

impl<C> std::fmt::Debug for RedisCache<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisCache").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
