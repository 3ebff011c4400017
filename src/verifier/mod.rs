//! The resource server's side: refuses writes whose token is older than one it has seen.
//!
//! A verifier knows nothing about locks, nodes or lockers, and trusts no clock and no network. It needs one thing: that
//! its store keeps what it stored, at least as durably as the data that it guards.
//!
//! **The check belongs in the same atomic step as the write.** A check in front of a write is *admission*: between the
//! two a newer holder may write, and the older write lands on top. [`MemoryStore::write`] and the Redis store's `write`
//! check and write in one step; [`Verifier::admit`] alone is admission.

#[cfg(feature = "testing")]
pub mod contract;
mod memory;
#[cfg(feature = "redis")]
mod redis;

pub use memory::MemoryStore;
#[cfg(feature = "redis")]
pub use redis::{RedisStore, StoreError};

use std::fmt;

use crate::{FencingToken, Resource};

/// Whether a token that was seen before passes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// `token ≥ highest` passes: a holder writes more than once. The default.
    #[default]
    AcceptEqual,
    /// `token > highest` passes: one write a lease.
    Strict,
}

impl Rule {
    /// Judges `token` against the highest that was accepted before.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn judge(self, token: FencingToken, highest: Option<FencingToken>) -> Verdict {
        match highest {
            Some(highest) if token < highest || (self == Self::Strict && token == highest) => {
                Verdict::Stale { highest }
            }
            _ => Verdict::Admitted,
        }
    }
}

/// What a verifier says to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an ignored verdict is an unfenced write"]
pub enum Verdict {
    /// The write may go ahead, or has gone ahead where check and write are one step.
    Admitted,
    /// A newer holder has written: the lease that this token belongs to is over.
    Stale {
        /// The highest token accepted for the resource.
        highest: FencingToken,
    },
}

impl Verdict {
    /// The same as a result, for `?`.
    ///
    /// # Errors
    ///
    /// [`StaleToken`] when the token was stale.
    pub fn into_result(self) -> Result<(), StaleToken> {
        match self {
            Self::Admitted => Ok(()),
            Self::Stale { highest } => Err(StaleToken { highest }),
        }
    }
}

/// A write was refused because its token is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stale fencing token: a holder with token {highest} has written since; acquire the lock again")]
pub struct StaleToken {
    /// The highest token accepted for the resource.
    pub highest: FencingToken,
}

/// Where the highest token of each resource is kept.
///
/// A store is done when it passes the contract suite (feature `testing`).
pub trait TokenStore: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Judges `token` by `rule` and, if it passes, stores it as the highest: **one atomic step**, for all users of the
    /// store. The step is over when the future is, and what was stored stays stored.
    fn admit(
        &self,
        resource: &Resource,
        token: FencingToken,
        rule: Rule,
    ) -> impl Future<Output = Result<Verdict, Self::Error>> + Send;
}

/// Checks tokens against the highest that was accepted before.
///
/// ```
/// use redfence::verifier::{MemoryStore, Verdict, Verifier};
/// use redfence::{FencingToken, Resource};
///
/// # futures::executor::block_on(async {
/// let verifier = Verifier::new(MemoryStore::new());
/// let ledger = Resource::new("ledger")?;
/// let (older, newer) = (FencingToken::new(41)?, FencingToken::new(42)?);
///
/// assert_eq!(verifier.admit(&ledger, newer).await?, Verdict::Admitted);
/// assert_eq!(verifier.admit(&ledger, older).await?, Verdict::Stale { highest: newer });
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Verifier<S> {
    store: S,
    rule: Rule,
}

impl<S: TokenStore> Verifier<S> {
    /// A verifier that accepts equal tokens.
    #[must_use]
    pub const fn new(store: S) -> Self {
        Self { store, rule: Rule::AcceptEqual }
    }

    /// A verifier that accepts each token once.
    #[must_use]
    pub const fn strict(store: S) -> Self {
        Self { store, rule: Rule::Strict }
    }

    /// Judges a token and remembers it. This is **admission**: fencing needs the check in the same step as the write.
    ///
    /// # Errors
    ///
    /// The store's; then nothing is known, and the write must not go ahead.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the token stored or not: both are safe, for a token that is stored too early refuses
    /// only older ones.
    pub async fn admit(&self, resource: &Resource, token: FencingToken) -> Result<Verdict, S::Error> {
        self.store.admit(resource, token, self.rule).await
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted => f.write_str("admitted"),
            Self::Stale { highest } => write!(f, "stale: {highest} was seen"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let token = |n| FencingToken::new(n).unwrap();
        for (rule, given, highest, admitted) in [
            (Rule::AcceptEqual, 5, None, true),
            (Rule::AcceptEqual, 5, Some(5), true),
            (Rule::AcceptEqual, 6, Some(5), true),
            (Rule::AcceptEqual, 4, Some(5), false),
            (Rule::Strict, 5, None, true),
            (Rule::Strict, 5, Some(5), false),
            (Rule::Strict, 6, Some(5), true),
        ] {
            let verdict = rule.judge(token(given), highest.map(token));
            assert_eq!(verdict == Verdict::Admitted, admitted, "{rule:?} {given} after {highest:?}");
        }
    }
}
