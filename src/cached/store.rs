//! [`CacheStore`]: where values are kept, each behind a fence.

use std::sync::Arc;
use std::time::Duration;

use crate::verifier::Verdict;
use crate::{FencingToken, Resource};

/// A value in a store, with what a reader needs to decide whether it is still good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The value.
    pub value: Arc<[u8]>,
    /// The token of the lease under which it was computed.
    pub token: FencingToken,
    /// How much longer it is valid.
    pub ttl: Duration,
    /// How long it took to compute it. A store keeps it in whole microseconds.
    pub took: Duration,
}

impl Entry {
    /// The longest value, in bytes: 16 MiB.
    pub const LEN_MAX: usize = 16 * 1024 * 1024;

    /// The longest time to live: 365 days.
    pub const TTL_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);

    /// All of it.
    #[must_use]
    pub const fn new(value: Arc<[u8]>, token: FencingToken, ttl: Duration, took: Duration) -> Self {
        Self { value, token, ttl, took }
    }
}

/// Keeps values for their time to live, and the highest token of each key for longer.
///
/// Every implementation must pass the contract suite, `redfence::cached::contract::check` (feature `testing`).
pub trait CacheStore: Send + Sync + 'static {
    /// Why the store did not answer.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The entry of `key`; `None` if there is none, or if it has expired.
    fn get(&self, key: &Resource) -> impl Future<Output = Result<Option<Entry>, Self::Error>> + Send;

    /// Replaces the entry of `key`, unless a higher token was accepted before: **check and write are one atomic step** for all
    /// users of the store.
    ///
    /// The highest token outlives the value: a write that comes when the value has expired is still refused if its token is
    /// stale. A store may keep a bounded number of tokens, if it refuses what is below the highest token that it gave up.
    fn put(&self, key: &Resource, entry: &Entry) -> impl Future<Output = Result<Verdict, Self::Error>> + Send;

    /// Removes the entry of `key`, if there is one, unless a higher token was accepted before; as [`CacheStore::put`]. The token
    /// is kept in any case, so that no value comes back that was computed under a lower one.
    fn remove(&self, key: &Resource, token: FencingToken) -> impl Future<Output = Result<Verdict, Self::Error>> + Send;
}
