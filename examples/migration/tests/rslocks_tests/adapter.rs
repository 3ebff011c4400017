//! rslock's names over redfence, with its keys: a start for programs that change step by step.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redfence::admin::Agreement;
use redfence::{ConfigError, Holder, KeyStyle, Redlock, WithLockError};
use redis::aio::MultiplexedConnection;
use redis::{Client, IntoConnectionInfo};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// rslock's errors, as far as they can happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("IO error: {0}")]
    Io(#[from] io::Error),
    #[error("Redis error: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("Resource is unavailable")]
    Unavailable,
    #[error("TTL exceeded")]
    TtlExceeded,
    #[error("TTL too large")]
    TtlTooLarge,
    #[error("Redis connection failed for all servers")]
    RedisConnectionFailed,
    #[error("Redis key mismatch: expected value does not match actual value")]
    RedisKeyMismatch,
    #[error("Redis key not found")]
    RedisKeyNotFound,
}

impl From<ConfigError> for LockError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::TtlTooShort { .. } => Self::TtlExceeded,
            ConfigError::TtlTooLong { .. } | ConfigError::TtlAboveMax { .. } => Self::TtlTooLarge,
            _ => Self::Unavailable,
        }
    }
}

/// A name of rslock's: any bytes.
pub(crate) struct LockResource(Vec<u8>);

impl LockResource {
    /// As redfence has it: what is no text is written in hexadecimal digits.
    fn name(&self) -> String {
        let hex = || self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        String::from_utf8(self.0.clone()).unwrap_or_else(|_| hex())
    }
}

pub(crate) trait ToLockResource {
    fn to_lock_resource(self) -> LockResource;
}

impl ToLockResource for &LockResource {
    fn to_lock_resource(self) -> LockResource {
        LockResource(self.0.clone())
    }
}

impl ToLockResource for &str {
    fn to_lock_resource(self) -> LockResource {
        LockResource(self.as_bytes().to_vec())
    }
}

impl ToLockResource for &[u8] {
    fn to_lock_resource(self) -> LockResource {
        LockResource(self.to_vec())
    }
}

impl<const N: usize> ToLockResource for &[u8; N] {
    fn to_lock_resource(self) -> LockResource {
        LockResource(self.to_vec())
    }
}

impl ToLockResource for &Vec<u8> {
    fn to_lock_resource(self) -> LockResource {
        LockResource(self.clone())
    }
}

/// A lease that was left to the one that knows its value: the holder, as nodes store it.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(crate) resource: Vec<u8>,
    pub(crate) val: Vec<u8>,
    pub(crate) validity_time: usize,
    pub(crate) lock_manager: LockManager,
}

impl Lock {
    pub(crate) async fn release(self) {
        self.lock_manager.unlock(&self).await;
    }

    fn holder(&self) -> Option<Holder> {
        std::str::from_utf8(&self.val).ok()?.parse().ok()
    }
}

#[derive(Debug)]
pub(crate) struct LockGuard {
    pub(crate) lock: Lock,
}

impl LockGuard {
    pub(crate) async fn release(self) {
        self.lock.release().await;
    }
}

#[derive(Debug, Clone)]
pub(crate) struct LockManager {
    inner: Arc<Mutex<Inner>>,
    nodes: Nodes,
    retry_count: u32,
    retry_delay: Duration,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) servers: Vec<Server>,
}

impl Inner {
    pub(crate) fn get_quorum(&self) -> u32 {
        u32::try_from(self.servers.len() / 2 + 1).unwrap_or(u32::MAX)
    }
}

/// Nodes, connected at the first call.
#[derive(Debug, Clone)]
struct Nodes {
    urls: Vec<String>,
    redlock: Arc<OnceCell<Redlock>>,
}

impl Nodes {
    fn of(urls: Vec<String>) -> Self {
        Self { urls, redlock: Arc::default() }
    }

    /// The locker. The servers of each test are new, and have rslock's keys.
    async fn redlock(&self) -> Result<&Redlock, LockError> {
        let builder = Redlock::builder().urls(&self.urls).new_installation(true).key_style(KeyStyle::PLAIN);
        self.redlock.get_or_try_init(|| builder.renewed(false).connect()).await.map_err(|_| LockError::Unavailable)
    }
}

/// One of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    client: Client,
    alone: Nodes,
}

impl Server {
    pub(crate) async fn get_connection(&mut self) -> Result<MultiplexedConnection, LockError> {
        Ok(self.client.get_multiplexed_async_connection().await?)
    }

    /// Locks on this server alone. redfence chooses the value.
    pub(crate) async fn lock(&mut self, resource: &LockResource, _val: &[u8], ttl: usize) -> bool {
        let ttl = Duration::from_millis(u64::try_from(ttl).unwrap_or(u64::MAX));
        let Ok(Ok(redlock)) = self.alone.redlock().await.map(|redlock| redlock.with_ttl(ttl)) else { return false };
        redlock.try_acquire(resource.name()).await.map(redfence::Guard::into_lease).is_ok()
    }

    /// Unlocks on this server alone.
    pub(crate) async fn unlock(&mut self, resource: impl ToLockResource, val: &[u8]) -> bool {
        let holder = std::str::from_utf8(val).ok().and_then(|text| text.parse().ok());
        let (Some(holder), Ok(redlock)) = (holder, self.alone.redlock().await) else { return false };
        let outcome = redlock.release_as(resource.to_lock_resource().name(), &holder).await;
        matches!(outcome, Ok(redfence::ReleaseOutcome::Released { .. }))
    }
}

impl LockManager {
    pub(crate) fn new<T: IntoConnectionInfo>(uris: Vec<T>) -> Self {
        Self::from_clients(uris.into_iter().map(|uri| Client::open(uri).expect("a URL")).collect())
    }

    pub(crate) fn from_clients(clients: Vec<Client>) -> Self {
        let url = |client: &Client| format!("redis://{}", client.get_connection_info().addr());
        let urls: Vec<_> = clients.iter().map(url).collect();
        let server = |client: Client| Server { alone: Nodes::of(vec![url(&client)]), client };
        let inner = Arc::new(Mutex::new(Inner { servers: clients.into_iter().map(server).collect() }));
        Self { inner, nodes: Nodes::of(urls), retry_count: 3, retry_delay: Duration::from_millis(200) }
    }

    pub(crate) async fn lock_inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().await
    }

    pub(crate) fn get_unique_lock_id(&self) -> io::Result<Vec<u8>> {
        // Each state has random keys.
        let chance = || RandomState::new().build_hasher().finish().to_le_bytes();
        Ok((0..3).flat_map(|_| chance()).take(20).collect())
    }

    pub(crate) fn set_retry(&mut self, count: u32, delay: Duration) {
        (self.retry_count, self.retry_delay) = (count, delay);
    }

    pub(crate) async fn lock(&self, resource: impl ToLockResource, ttl: Duration) -> Result<Lock, LockError> {
        let resource = resource.to_lock_resource();
        let redlock = self.nodes.redlock().await?.with_ttl(ttl)?;
        let wait_max = self.retry_delay * self.retry_count.saturating_sub(1);
        let guard = redlock.acquire_within(resource.name(), wait_max).await.map_err(|_| LockError::Unavailable)?;
        let valid_for = guard.valid_for().ok_or(LockError::TtlExceeded)?;
        Ok(self.lock_of(resource.0, &guard.into_lease().holder, valid_for))
    }

    fn lock_of(&self, resource: Vec<u8>, holder: &Holder, valid_for: Duration) -> Lock {
        let validity_time = usize::try_from(valid_for.as_millis()).unwrap_or(usize::MAX);
        Lock { resource, val: holder.to_string().into_bytes(), validity_time, lock_manager: self.clone() }
    }

    pub(crate) async fn acquire(&self, resource: impl ToLockResource, ttl: Duration) -> Result<LockGuard, LockError> {
        let resource = resource.to_lock_resource();
        loop {
            match self.lock(&resource, ttl).await {
                Ok(lock) => return Ok(LockGuard { lock }),
                Err(LockError::TtlTooLarge) => return Err(LockError::TtlTooLarge),
                Err(_) => {}
            }
        }
    }

    pub(crate) async fn extend(&self, lock: &Lock, ttl: Duration) -> Result<Lock, LockError> {
        let (redlock, holder) =
            (self.nodes.redlock().await?.with_ttl(ttl)?, lock.holder().ok_or(LockError::Unavailable)?);
        let resource = LockResource(lock.resource.clone());
        let valid_for = redlock.extend_as(resource.name(), &holder).await.map_err(|_| LockError::Unavailable)?;
        Ok(self.lock_of(resource.0, &holder, valid_for))
    }

    pub(crate) async fn unlock(&self, lock: &Lock) {
        if let (Some(holder), Ok(redlock)) = (lock.holder(), self.nodes.redlock().await) {
            drop(redlock.release_as(LockResource(lock.resource.clone()).name(), &holder).await);
        }
    }

    /// What a majority of the servers has at the key.
    pub(crate) async fn query_redis_for_key_value(&self, resource: &[u8]) -> Result<Option<Vec<u8>>, LockError> {
        let name = resource.to_lock_resource().name();
        let seen = self.nodes.redlock().await?.admin().inspect(name).await;
        match seen.map_err(|_| LockError::RedisConnectionFailed)?.agreement() {
            Agreement::HeldBy(occupant) => Ok(Some(occupant.value().into_owned().into_bytes())),
            Agreement::Free => Ok(None),
            _ => Err(LockError::RedisConnectionFailed),
        }
    }

    pub(crate) async fn is_freed(&self, lock: &Lock) -> Result<bool, LockError> {
        match self.query_redis_for_key_value(&lock.resource).await? {
            Some(val) if val == lock.val => Ok(false),
            Some(_) => Err(LockError::RedisKeyMismatch),
            None => Err(LockError::RedisKeyNotFound),
        }
    }

    pub(crate) async fn using<R>(
        &self,
        resource: &[u8],
        ttl: Duration,
        routine: impl AsyncFnOnce() -> R,
    ) -> Result<R, LockError> {
        let redlock = self.nodes.redlock().await?.with_ttl(ttl)?.with_renewed(true)?;
        let name = resource.to_lock_resource().name();
        redlock.with_lock(name, |_| routine()).await.map_err(|error| match error {
            WithLockError::Lost(_) => LockError::TtlExceeded,
            _ => LockError::Unavailable,
        })
    }
}
