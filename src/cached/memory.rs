//! [`MemoryCache`]: values in this process.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::fences::Fences;
use super::store::{CacheStore, Entry};
use crate::verifier::Verdict;
use crate::{Clock, FencingToken, Moment, Resource, SystemClock};

/// Keeps values in this process: for tasks of one process, and for tests. Clones are the same cache.
///
/// It holds a bounded number of values. If there are more, those that expire first make room.
#[derive(Clone)]
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    entries_max: usize,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    entries: HashMap<Resource, (Entry, Moment)>,
    first_to_expire: BTreeSet<(Moment, Resource)>,
    fences: HashMap<u16, Fences>,
}

impl MemoryCache {
    /// An empty cache of at most `entries_max` values.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        Self::on(Arc::new(SystemClock), entries_max)
    }

    /// The same on another clock.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn on(clock: Arc<dyn Clock>, entries_max: usize) -> Self {
        Self { clock, entries_max, inside: Arc::default() }
    }
}

impl Inside {
    fn admit(&mut self, key: &Resource, token: FencingToken) -> Verdict {
        self.fences.entry(key.slot()).or_default().admit(key, token)
    }

    fn remove(&mut self, key: &Resource) {
        if let Some((_, expires)) = self.entries.remove(key) {
            self.first_to_expire.remove(&(expires, key.clone()));
        }
    }

    fn insert(&mut self, key: &Resource, entry: Entry, now: Moment, entries_max: usize) {
        self.remove(key);
        let expires = now.after(entry.ttl);
        self.entries.insert(key.clone(), (entry, expires));
        self.first_to_expire.insert((expires, key.clone()));
        while let Some((expires, _)) = self.first_to_expire.first()
            && (self.entries.len() > entries_max || *expires <= now)
            && let Some((_, key)) = self.first_to_expire.pop_first()
        {
            self.entries.remove(&key);
        }
    }
}

impl CacheStore for MemoryCache {
    type Error = Infallible;

    async fn get(&self, key: &Resource) -> Result<Option<Entry>, Infallible> {
        let now = self.clock.now();
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let found = inside.entries.get(key).filter(|(_, expires)| *expires > now);
        Ok(found.map(|(entry, expires)| Entry { ttl: expires.since(now), ..entry.clone() }))
    }

    async fn put(&self, key: &Resource, entry: &Entry) -> Result<Verdict, Infallible> {
        let now = self.clock.now();
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = inside.admit(key, entry.token);
        if verdict == Verdict::Admitted {
            inside.insert(key, entry.clone(), now, self.entries_max);
        }
        Ok(verdict)
    }

    async fn remove(&self, key: &Resource, token: FencingToken) -> Result<Verdict, Infallible> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = inside.admit(key, token);
        if verdict == Verdict::Admitted {
            inside.remove(key);
        }
        Ok(verdict)
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("entries_max", &self.entries_max).finish_non_exhaustive()
    }
}
