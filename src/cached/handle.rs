//! [`Cached`]: the handle, and its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::error::{CachedError, Unanswered};
use super::flight::Flights;
use super::store::{CacheStore, Entry};
use crate::verifier::Verdict;
use crate::{AcquireError, FencingToken, Moment, Redlock, Resource};

/// What a call does if the lock or the store is unavailable: too few nodes answer, or the store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IfUnavailable {
    /// It fails. The default.
    #[default]
    Fail,
    /// It computes the value all the same, and does not store it. Tasks of one process still share it; each process computes
    /// its own.
    Compute,
}

/// Values that are computed once for all processes that want them.
///
/// All processes use the same nodes, the same store and the same keys. A key is also the name of the lock that the computing
/// task holds, so give cached values names of their own: a task that holds the lock of a key and then asks for the value waits
/// for itself. Cloning is cheap; tasks of one process must share one `Cached` or its clones, to share what they compute.
///
/// A value is [`Entry::LEN_MAX`] bytes at most. Callers serialize it.
pub struct Cached<S> {
    pub(super) redlock: Redlock,
    pub(super) store: Arc<S>,
    pub(super) flights: Arc<Flights>,
    pub(super) settings: Settings,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    wait_max: Duration,
    pub(super) compute_max: Duration,
    store_timeout: Duration,
    pub(super) early_percent: u32,
    if_unavailable: IfUnavailable,
}

impl<S: CacheStore> Cached<S> {
    /// Values in `store`, computed under the locks of `redlock`.
    #[must_use]
    pub fn new(redlock: Redlock, store: S) -> Self {
        let settings = Settings {
            wait_max: redlock.wait_max(),
            compute_max: Duration::from_secs(30),
            store_timeout: Duration::from_secs(1),
            early_percent: 100,
            if_unavailable: IfUnavailable::Fail,
        };
        Self { redlock, store: Arc::new(store), flights: Arc::default(), settings }
    }

    /// How long a call waits for a value that another task or process computes. Default: that of the locker
    /// ([`Builder::wait_max`](crate::Builder::wait_max)).
    #[must_use]
    pub const fn wait_max(mut self, wait_max: Duration) -> Self {
        self.settings.wait_max = wait_max;
        self
    }

    /// How long a computation may take. After that it is cancelled at its current await point. Default: 30 s.
    #[must_use]
    pub const fn compute_max(mut self, compute_max: Duration) -> Self {
        self.settings.compute_max = compute_max;
        self
    }

    /// How long the store may take to answer. Default: 1 s.
    #[must_use]
    pub const fn store_timeout(mut self, store_timeout: Duration) -> Self {
        self.settings.store_timeout = store_timeout;
        self
    }

    /// How early a value is computed again before it expires, in percent of the time that computing it took, on average. A
    /// higher number makes it less likely that the value expires before the new one is there. 0 switches it off. Default: 100.
    #[must_use]
    pub const fn early_refresh(mut self, percent: u32) -> Self {
        self.settings.early_percent = percent;
        self
    }

    /// What to do if the lock or the store is unavailable. Default: [`IfUnavailable::Fail`].
    #[must_use]
    pub const fn if_unavailable(mut self, if_unavailable: IfUnavailable) -> Self {
        self.settings.if_unavailable = if_unavailable;
        self
    }

    pub(super) fn now(&self) -> Moment {
        self.redlock.clock().now()
    }

    /// How much longer a call may wait that began then.
    pub(super) fn left(&self, began: Moment) -> Duration {
        self.settings.wait_max.saturating_sub(self.now().since(began))
    }

    pub(super) async fn read(&self, key: &Resource) -> Result<Option<Entry>, CachedError> {
        self.answer(self.store.get(key)).await
    }

    pub(super) async fn write(&self, key: &Resource, entry: &Entry) -> Result<Verdict, CachedError> {
        self.answer(self.store.put(key, entry)).await
    }

    pub(super) async fn remove(&self, key: &Resource, token: FencingToken) -> Result<Verdict, CachedError> {
        self.answer(self.store.remove(key, token)).await
    }

    async fn answer<T>(&self, call: impl Future<Output = Result<T, S::Error>>) -> Result<T, CachedError> {
        let within = self.settings.store_timeout;
        match timeout(within, call).await {
            Ok(answer) => answer.map_err(|error| CachedError::Store(Box::new(error))),
            Err(_) => Err(CachedError::Store(Box::new(Unanswered { within }))),
        }
    }

    /// Whether the value is computed without what failed.
    pub(super) fn computes_without(&self, error: &CachedError) -> bool {
        let is_unavailable = match error {
            CachedError::Store(_) => true,
            CachedError::Acquire(error) => !error.is_held() && !matches!(error, AcquireError::Resource(_)),
            _ => false,
        };
        is_unavailable && self.settings.if_unavailable == IfUnavailable::Compute
    }

    pub(super) fn may_compute_without(&self) -> bool {
        self.settings.if_unavailable == IfUnavailable::Compute
    }
}

impl<S> Clone for Cached<S> {
    fn clone(&self) -> Self {
        Self {
            redlock: self.redlock.clone(),
            store: Arc::clone(&self.store),
            flights: Arc::clone(&self.flights),
            settings: self.settings,
        }
    }
}

impl<S> fmt::Debug for Cached<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("redlock", &self.redlock)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
