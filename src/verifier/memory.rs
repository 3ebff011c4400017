//! [`MemoryStore`]: keeps the highest tokens in this process.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use super::{Rule, StaleToken, TokenStore, Verdict};
use crate::{FencingToken, Resource};

/// Keeps the highest tokens in this process, for resources that live in the same process.
///
/// It forgets them when the process ends, so it must not guard data that outlives the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    highest: Mutex<HashMap<Resource, FencingToken>>,
}

impl MemoryStore {
    /// A store that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `write` if `token` passes. Check and write are one step: no other write of this store runs in between.
    ///
    /// ```
    /// # use redfence::verifier::{MemoryStore, Rule};
    /// # use redfence::{FencingToken, Resource};
    /// let (store, ledger) = (MemoryStore::new(), Resource::new("ledger")?);
    /// let mut balance = 0;
    /// store.write(&ledger, FencingToken::new(2)?, Rule::AcceptEqual, || balance += 10)?;
    /// assert!(store.write(&ledger, FencingToken::new(1)?, Rule::AcceptEqual, || balance = 0).is_err());
    /// assert_eq!(balance, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`StaleToken`] if the token is stale; then `write` did not run.
    pub fn write<T>(
        &self,
        resource: &Resource,
        token: FencingToken,
        rule: Rule,
        write: impl FnOnce() -> T,
    ) -> Result<T, StaleToken> {
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        rule.judge(token, highest.get(resource).copied()).counted("memory").into_result()?;
        // Stored before the write: if `write` panics, an older token still must not pass afterwards.
        highest.insert(resource.clone(), token);
        Ok(write())
    }
}

impl TokenStore for MemoryStore {
    type Error = Infallible;

    async fn admit(&self, resource: &Resource, token: FencingToken, rule: Rule) -> Result<Verdict, Infallible> {
        Ok(match self.write(resource, token, rule, || ()) {
            Ok(()) => Verdict::Admitted,
            Err(StaleToken { highest }) => Verdict::Stale { highest },
        })
    }
}
