//! [`Cached::get_or_compute`]: the whole of it, in one call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::computation::check;
use super::error::CachedError;
use super::handle::Cached;
use super::lookup::Lookup;
use super::store::CacheStore;
use crate::{Resource, ResourceError};

impl<S: CacheStore> Cached<S> {
    /// The value of `key`. If there is none, one task in all processes runs `compute`, the value lives for `ttl`, and all
    /// other callers wait for it and get it.
    ///
    /// - **Errors, panics, dropped futures.** If `compute` fails or panics, or this future is dropped, the next caller runs its
    ///   own `compute` at once. After the crash of a process that happens when its lease ends, a time to live of the lock later.
    /// - **Early refresh.** Shortly before the value expires, one caller's `compute` runs in a background task. All callers
    ///   get the old value meanwhile, also this one. If that `compute` fails, an event reports it, and the old value stays.
    /// - **Lost lease.** `compute` runs to its end. Its value is stored unless a newer holder has stored one. Then it is
    ///   refused, and the caller gets the newer value; its own if the newer one has expired already.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// use redfence::cached::{Cached, MemoryCache};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
    /// let cached = Cached::new(redlock, MemoryCache::new(10_000));
    /// let ttl = Duration::from_secs(60);
    /// let report = cached.get_or_compute("report:7", ttl, || async { Ok::<_, Infallible>(b"costly".to_vec()) }).await?;
    /// assert_eq!(&*report, b"costly");
    /// let again = cached.get_or_compute("report:7", ttl, || async { Err("not called") }).await?;
    /// assert_eq!(again, report);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CachedError`], with the error of `compute` as [`CachedError::Compute`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, `compute` is dropped, and the next caller goes on.
    pub async fn get_or_compute<F, E>(
        &self,
        key: impl TryInto<Resource, Error: Into<ResourceError>>,
        ttl: Duration,
        compute: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Arc<[u8]>, CachedError<E>>
    where
        F: Future<Output = Result<Vec<u8>, E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        check(ttl).map_err(CachedError::widened)?;
        let key: Resource = key.try_into().map_err(Into::<ResourceError>::into)?;
        let (value, refresh) = match self.lookup(&key).await.map_err(CachedError::widened)? {
            Lookup::Hit(value) => return Ok(value),
            Lookup::Miss(computation) => return computation.run(ttl, compute).await,
            Lookup::Early(value, refresh) => (value, refresh),
        };
        tokio::spawn(async move {
            if let Some(computation) = refresh.begin().await
                && let Err(error) = computation.run(ttl, compute).await
            {
                tracing::warn!(%key, %error, "the early refresh failed; the old value lives until it expires");
            }
        });
        Ok(value)
    }
}
