//! [`Computation`]: the right to compute a value, and the duty to store it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::error::CachedError;
use super::flight::Place;
use super::handle::Cached;
use super::store::{CacheStore, Entry};
use crate::verifier::Verdict;
use crate::{FencingToken, Guard, Moment, Resource};

/// The right to compute the value of a key. Drop it, and the next task or process has it.
///
/// It holds the lease of the key, which renews itself.
#[must_use = "the other tasks wait until the value is stored or this is dropped"]
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub struct Computation<S> {
    cached: Cached<S>,
    key: Resource,
    place: Place,
    /// None if the lock or the store is unavailable: then the value is not stored.
    guard: Option<Guard>,
    began: Moment,
}

impl<S: CacheStore> Computation<S> {
    pub(super) fn begin(cached: &Cached<S>, key: Resource, place: Place, guard: Option<Guard>) -> Self {
        Self { began: cached.now(), cached: cached.clone(), key, place, guard }
    }

    /// The token under which the value will be stored; `None` if it will not be stored, because the lock or the store is
    /// unavailable.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn token(&self) -> Option<FencingToken> {
        self.guard.as_ref().map(|guard| guard.token())
    }

    /// Runs `compute`, and stores what it returns.
    pub(super) async fn run<F, E>(self, ttl: Duration, compute: impl FnOnce() -> F) -> Result<Arc<[u8]>, CachedError<E>>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
    {
        let after = self.cached.settings.compute_max;
        // A panic and a dropped future drop this computation.
        let error = match timeout(after, compute()).await {
            Ok(Ok(value)) => return self.finish(value.into(), ttl).await.map_err(CachedError::widened),
            Ok(Err(error)) => CachedError::Compute(error),
            Err(_) => CachedError::TimedOut { after },
        };
        self.abandon().await;
        Err(error)
    }

    /// Stores the value for `ttl`, passes it to the tasks of this process that wait for it, and lets other processes read it.
    ///
    /// Returns the value. If the lease was lost and a newer holder has stored another value meanwhile, returns that one.
    ///
    /// # Errors
    ///
    /// [`CachedError::TooLong`], [`CachedError::Ttl`] and [`CachedError::Store`]. Then the next task computes.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the value is stored or not, and the next task reads it or computes.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub async fn finish(mut self, value: Arc<[u8]>, ttl: Duration) -> Result<Arc<[u8]>, CachedError> {
        let asked = self.cached.now();
        let outcome = self.stored(value, ttl).await;
        if let Ok((value, true)) = &outcome {
            self.place.publish(value, asked);
        }
        self.abandon().await;
        outcome.map(|(value, _)| value)
    }

    /// Returns the value for the caller, and whether the other tasks of this process may have it, too: not if it is stale.
    async fn stored(&self, value: Arc<[u8]>, ttl: Duration) -> Result<(Arc<[u8]>, bool), CachedError> {
        check(ttl)?;
        if value.len() > Entry::LEN_MAX {
            return Err(CachedError::TooLong { len: value.len() });
        }
        let Some(token) = self.token() else { return Ok((value, true)) };
        let entry = Entry::new(value, token, ttl, self.cached.now().since(self.began));
        let written = self.cached.write(&self.key, &entry).await;
        let is_stale = matches!(written, Ok(Verdict::Stale { .. }));
        let newer = match written {
            Ok(Verdict::Admitted) => Ok(None),
            Ok(Verdict::Stale { highest }) => {
                tracing::warn!(key = %self.key, ?token, ?highest, "a newer value is stored, this one was refused");
                // What the newer holder wrote, if it is still there.
                self.cached.read(&self.key).await
            }
            Err(error) => Err(error),
        };
        match newer {
            Ok(Some(newer)) => Ok((newer.value, true)),
            Ok(None) => Ok((entry.value, !is_stale)),
            Err(error) if self.cached.computes_without(&error) => {
                tracing::warn!(key = %self.key, %error, "the value was computed and could not be stored");
                Ok((entry.value, !is_stale))
            }
            Err(error) => Err(error),
        }
    }

    /// Stores nothing, and lets the next task and the next process go on. A drop does the same in the background.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the lease is released all the same.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub async fn abandon(self) {
        let Self { place, guard, .. } = self;
        drop(place);
        if let Some(guard) = guard {
            // What a release finds is reported as an event.
            drop(guard.release().await);
        }
    }
}

/// Whether a store can keep a value for so long.
pub(super) fn check(ttl: Duration) -> Result<(), CachedError> {
    let is_possible = (Duration::from_millis(1)..=Entry::TTL_MAX).contains(&ttl);
    if is_possible { Ok(()) } else { Err(CachedError::Ttl { ttl }) }
}

impl<S> fmt::Debug for Computation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computation").field("key", &self.key).field("guard", &self.guard).finish_non_exhaustive()
    }
}
