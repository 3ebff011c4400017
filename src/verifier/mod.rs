//! The resource server's side: refuses writes whose token is lower than one that it has seen.
//!
//! A verifier knows nothing about locks, nodes or lockers, and trusts no clock and no network. It needs only this:
//! its store keeps what it stored at least as durably as the data that it guards.
//!
//! **The check belongs in the same atomic step as the write.** A check in front of a write is only *admission*: a
//! newer holder may write between the two, and then the older write overwrites it. [`MemoryStore::write`] and the
//! Redis store's `write` check and write in one step; [`Verifier::admit`] alone is admission.

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

/// Whether a token that was accepted before passes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
// Exhaustive, as [`Verdict`]: a store that meets a rule that it does not know must not compile.
pub enum Rule {
    /// `token ≥ highest` passes, so a holder may write more than once. The default.
    #[default]
    AcceptEqual,
    /// `token > highest` passes: one write for each lease.
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

/// What a verifier decides about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an ignored verdict is an unfenced write"]
pub enum Verdict {
    /// The write may go ahead; or it is already done, if check and write are one step.
    Admitted,
    /// A newer holder has written, so the lease of this token is over.
    Stale {
        /// The highest token accepted for the resource.
        highest: FencingToken,
    },
}

impl Verdict {
    /// The same, counted by the metric for stale tokens if it is one.
    fn counted(self, #[cfg_attr(not(feature = "metrics"), expect(unused_variables))] store: &'static str) -> Self {
        #[cfg(feature = "metrics")]
        if let Self::Stale { .. } = self {
            crate::metrics::stale_token(store);
        }
        self
    }

    /// The verdict as a result, for `?`.
    ///
    /// # Errors
    ///
    /// [`StaleToken`] if the token is stale.
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

/// Keeps the highest token of each resource.
///
/// Every implementation must pass the contract suite (feature `testing`), which offers tokens one after another and many
/// at once. No suite can show that a token stays stored over a crash: that is the promise of the store.
///
/// The trait is for admission alone, because only a store knows what a write is. To fence, give the store a call of its
/// own that checks and writes in one step, like [`MemoryStore::write`]. The crates in `fencing/` do that for databases.
///
/// The metric for stale tokens counts what the stores of this crate refuse. A store of your own calls
/// `redfence::metrics::stale_token` for that (feature `metrics`).
pub trait TokenStore: Send + Sync {
    /// Why the store could not judge a token.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Judges `token` by `rule` and, if it passes, stores it as the highest: **one atomic step** for all users of the
    /// store. When the future is ready, the step is done and the token is stored permanently.
    fn admit(
        &self,
        resource: &Resource,
        token: FencingToken,
        rule: Rule,
    ) -> impl Future<Output = Result<Verdict, Self::Error>> + Send;
}

/// Checks tokens against the highest one that was accepted before.
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

    /// Judges a token and stores it. This is only **admission**: fencing needs the check in the same step as the
    /// write.
    ///
    /// # Errors
    ///
    /// The error of the store. Then the verdict is unknown, and the write must not go ahead.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the token may be stored or not. Both are safe: a token that is stored too early
    /// refuses only older tokens.
    pub async fn admit(&self, resource: &Resource, token: FencingToken) -> Result<Verdict, S::Error> {
        self.store.admit(resource, token, self.rule).await
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The rule.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
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
