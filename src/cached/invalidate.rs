//! [`Cached::invalidate`]: removes a value and whatever is still computed from the data behind it.

use super::error::CachedError;
use super::handle::Cached;
use super::store::CacheStore;
use crate::verifier::Verdict;
use crate::{Resource, ResourceError};

impl<S: CacheStore> Cached<S> {
    /// Removes the value of `key`. Call it after the data behind the value has changed: when it has returned, no process reads a
    /// value from the store whose computation began before the call.
    ///
    /// It holds the lock of the key meanwhile, so it waits for a computation that runs. A task that has lost its lease may
    /// still compute, but its value is refused: the removal has the greater token.
    ///
    /// # Errors
    ///
    /// [`CachedError::Key`], [`CachedError::Acquire`] and [`CachedError::Store`]. Then the value may be there still.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the value is removed or not, and the lock is released.
    pub async fn invalidate(&self, key: impl TryInto<Resource, Error: Into<ResourceError>>) -> Result<(), CachedError> {
        let key: Resource = key.try_into().map_err(Into::<ResourceError>::into)?;
        let guard = self.redlock.acquire_within(&key, self.left(self.now())).await.map_err(CachedError::Acquire)?;
        let removed = self.remove(&key, guard.token()).await;
        drop(guard.release().await);
        match removed? {
            // A holder that came after this one has computed already.
            Verdict::Admitted | Verdict::Stale { .. } => Ok(()),
        }
    }
}
