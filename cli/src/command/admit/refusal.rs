//! [`Refusal`]: why a store did not admit a token.

use redfence::FencingToken;

/// Why a token was not admitted.
pub(super) enum Refusal {
    Stale(FencingToken),
    /// Another process holds the fence.
    Busy(String),
    /// The store did not say whether the token is stale.
    NoVerdict(String),
    /// The call is wrong.
    Usage(String),
}
