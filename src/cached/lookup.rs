//! [`Cached::lookup`]: finds a value, or the right to compute it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::computation::Computation;
use super::decide::{Decision, decide, is_news};
use super::error::CachedError;
use super::flight::Place;
use super::handle::Cached;
use super::store::{CacheStore, Entry};
use crate::{AcquireError, FencingToken, Guard, Moment, Resource, ResourceError};

/// How often a process that waits for another one looks into the store. The queue of the lock wakes it as soon as the other
/// process has released. This is for the others behind it in the queue, and for a process that crashed before its release.
const POLL_PAUSE: Duration = Duration::from_millis(100);

/// What a reader found.
#[derive(Debug)]
#[non_exhaustive]
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub enum Lookup<S> {
    /// The value.
    Hit(Arc<[u8]>),
    /// The value, which expires soon: this reader should compute it anew, in the background.
    Early(Arc<[u8]>, Refresh<S>),
    /// There is none: this reader computes it, and all others wait.
    Miss(Computation<S>),
}

/// The right of one task of this process to compute a value anew before it expires. No reader waits for it.
#[must_use = "without `begin`, the value is not computed anew"]
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub struct Refresh<S> {
    cached: Cached<S>,
    key: Resource,
    place: Place,
    seen: FencingToken,
}

/// What this task does after the wait for the lock.
enum Turn {
    /// Another process has computed. The moment is one before the value was read.
    Value(Arc<[u8]>, Moment),
    /// This task computes, under the lease if there is one.
    Compute(Option<Guard>),
}

impl<S: CacheStore> Cached<S> {
    /// The value of `key`, or the right to compute it. [`Cached::get_or_compute`] is built on this; call it yourself if the
    /// computation has to run in a place of its own, such as another thread.
    ///
    /// # Errors
    ///
    /// [`CachedError`]: all but [`CachedError::Compute`], [`CachedError::TimedOut`] and [`CachedError::TooLong`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, this task leaves the queue, and a lease that it acquired is released.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub async fn lookup(
        &self,
        key: impl TryInto<Resource, Error: Into<ResourceError>>,
    ) -> Result<Lookup<S>, CachedError> {
        let (key, began) = (key.try_into().map_err(Into::<ResourceError>::into)?, self.now());
        let found = match self.read(&key).await {
            Err(error) if self.computes_without(&error) => {
                tracing::warn!(%key, %error, "the value is computed without the store");
                return self.lead(key, began, async |_| Ok(Turn::Compute(None))).await;
            }
            found => found?,
        };
        match (decide(found.as_ref(), self.settings.early_percent, self.redlock.chance()), found) {
            (Decision::Serve, Some(entry)) => Ok(Lookup::Hit(entry.value)),
            (Decision::Refresh, Some(Entry { value, token: seen, .. })) => {
                Ok(match self.flights.try_place(&key) {
                    Some(place) => Lookup::Early(value, Refresh { cached: self.clone(), key, place, seen }),
                    // Another task of this process does it.
                    None => Lookup::Hit(value),
                })
            }
            _ => self.lead(key, began, async |key| self.turn(key, began).await).await,
        }
    }

    /// Waits until no other task of this process is before this one, and then for the turn of this process.
    async fn lead(
        &self,
        key: Resource,
        began: Moment,
        turn: impl AsyncFnOnce(&Resource) -> Result<Turn, CachedError>,
    ) -> Result<Lookup<S>, CachedError> {
        let waited = |_| CachedError::Waited { waited: self.now().since(began) };
        let mut place = timeout(self.left(began), self.flights.place(&key)).await.map_err(waited)?;
        if let Some(value) = place.published_since(began) {
            return Ok(Lookup::Hit(value));
        }
        match turn(&key).await? {
            Turn::Value(value, read_at) => {
                place.publish(&value, read_at);
                Ok(Lookup::Hit(value))
            }
            Turn::Compute(guard) => Ok(Lookup::Miss(Computation::begin(self, key, place, guard))),
        }
    }

    /// Waits for the lock, or for the value that its holder computes.
    async fn turn(&self, key: &Resource, began: Moment) -> Result<Turn, CachedError> {
        let acquired = tokio::select! {
            biased;
            acquired = self.acquired(key, began) => acquired,
            (value, read_at) = self.written(key) => return Ok(Turn::Value(value, read_at)),
        };
        let guard = match acquired.map_err(CachedError::Acquire) {
            Err(error) if self.computes_without(&error) => {
                tracing::warn!(%key, %error, "the value is computed without the lock");
                return Ok(Turn::Compute(None));
            }
            acquired => acquired?,
        };
        // Another process may have computed while this one waited.
        let read_at = self.now();
        match self.read(key).await {
            Ok(None) => Ok(Turn::Compute(Some(guard))),
            Ok(Some(entry)) => {
                drop(guard.release().await);
                Ok(Turn::Value(entry.value, read_at))
            }
            Err(error) => {
                drop(guard.release().await);
                if self.computes_without(&error) { Ok(Turn::Compute(None)) } else { Err(error) }
            }
        }
    }

    async fn acquired(&self, key: &Resource, began: Moment) -> Result<Guard, AcquireError> {
        if self.may_compute_without() {
            // One attempt shows whether there is a quorum. Without one, this call does not wait.
            let first = self.redlock.try_acquire(key).await;
            if !first.as_ref().is_err_and(AcquireError::is_held) {
                return first;
            }
        }
        self.redlock.acquire_within(key, self.left(began)).await
    }

    /// The value, once a process has stored one, and a moment before it was read.
    async fn written(&self, key: &Resource) -> (Arc<[u8]>, Moment) {
        loop {
            sleep(POLL_PAUSE).await;
            let read_at = self.now();
            // If the store fails, the read that follows the lock says so.
            if let Ok(Some(entry)) = self.read(key).await {
                return (entry.value, read_at);
            }
        }
    }
}

impl<S: CacheStore> Refresh<S> {
    /// Acquires the lock without waiting for it. While another process holds it, looks for what that process stores.
    ///
    /// Returns `None` if there is nothing to compute: another process has stored a new value, the old one has expired, or the
    /// lock or the store is unavailable.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the old value lives until it expires, and a lease that was acquired is released.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub async fn begin(mut self) -> Option<Computation<S>> {
        let began = self.cached.now();
        loop {
            match self.cached.redlock.try_acquire(&self.key).await {
                Ok(guard) => return self.under(guard).await,
                Err(error) if error.is_held() && !self.cached.left(began).is_zero() => {}
                Err(error) => {
                    tracing::debug!(key = %self.key, %error, "not refreshed early");
                    return None;
                }
            }
            sleep(POLL_PAUSE).await;
            let read_at = self.cached.now();
            let found = self.cached.read(&self.key).await.ok()??;
            if self.is_over(Some(&found), read_at) {
                return None;
            }
        }
    }

    async fn under(mut self, guard: Guard) -> Option<Computation<S>> {
        let read_at = self.cached.now();
        let found = self.cached.read(&self.key).await;
        if found.as_ref().is_ok_and(|found| !self.is_over(found.as_ref(), read_at)) {
            let Self { cached, key, place, .. } = self;
            return Some(Computation::begin(&cached, key, place, Some(guard)));
        }
        drop(self);
        drop(guard.release().await);
        None
    }

    /// Whether another process has stored a new value. Then the tasks of this process get it.
    fn is_over(&mut self, found: Option<&Entry>, read_at: Moment) -> bool {
        let is_over = is_news(found, Some(self.seen));
        if let (true, Some(entry)) = (is_over, found) {
            self.place.publish(&entry.value, read_at);
        }
        is_over
    }
}

impl<S> fmt::Debug for Refresh<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").field("key", &self.key).field("seen", &self.seen).finish_non_exhaustive()
    }
}
