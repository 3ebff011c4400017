//! A store of values that fails or hangs when a test says so.

#![allow(unreachable_pub, reason = "as the other helpers")]

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redfence::cached::{CacheStore, Entry, MemoryCache};
use redfence::verifier::Verdict;
use redfence::{FencingToken, Resource};

/// What the store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheFault {
    #[default]
    Works,
    Fails,
    WritesFail,
    Hangs,
    /// The answer to a read takes this long to come back.
    SlowAnswers(Duration),
}

/// Clones are the same store.
#[derive(Debug, Clone)]
pub struct FaultyCache {
    pub inner: MemoryCache,
    state: Arc<Mutex<(CacheFault, usize)>>,
}

impl FaultyCache {
    pub fn over(inner: MemoryCache) -> Self {
        Self { inner, state: Arc::default() }
    }

    /// From here on it does this.
    pub fn set(&self, fault: CacheFault) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = fault;
    }

    /// How many writes it has accepted.
    pub fn puts(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn fault(&self) -> CacheFault {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}

impl CacheStore for FaultyCache {
    type Error = std::io::Error;

    async fn get(&self, key: &Resource) -> Result<Option<Entry>, std::io::Error> {
        match self.fault() {
            CacheFault::Hangs => pending().await,
            CacheFault::Fails => Err(std::io::Error::other("the store is down")),
            CacheFault::Works | CacheFault::WritesFail => self.inner.get(key).await.map_err(|never| match never {}),
            CacheFault::SlowAnswers(takes) => {
                let Ok(found) = self.inner.get(key).await;
                tokio::time::sleep(takes).await;
                Ok(found)
            }
        }
    }

    async fn put(&self, key: &Resource, entry: &Entry) -> Result<Verdict, std::io::Error> {
        match self.fault() {
            CacheFault::Hangs => pending().await,
            CacheFault::Fails | CacheFault::WritesFail => Err(std::io::Error::other("the store is down")),
            CacheFault::Works | CacheFault::SlowAnswers(_) => {
                let Ok(verdict) = self.inner.put(key, entry).await;
                if verdict == Verdict::Admitted {
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
                }
                Ok(verdict)
            }
        }
    }

    async fn remove(&self, key: &Resource, token: FencingToken) -> Result<Verdict, std::io::Error> {
        match self.fault() {
            CacheFault::Hangs => pending().await,
            CacheFault::Fails | CacheFault::WritesFail => Err(std::io::Error::other("the store is down")),
            CacheFault::Works | CacheFault::SlowAnswers(_) => {
                self.inner.remove(key, token).await.map_err(|never| match never {})
            }
        }
    }
}
