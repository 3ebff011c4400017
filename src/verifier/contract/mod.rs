//! The suites that stores must pass: [`check`] for every [`TokenStore`], and `check_writes` for
//! those that write as well (feature `unstable`).

use futures::future::join_all;

use super::{Rule, TokenStore, Verdict};
use crate::{FencingToken, Resource};

#[cfg(feature = "unstable")]
mod writes;

#[cfg(feature = "unstable")]
pub use writes::{Answer, FencedWrites, Refusal, check_writes};

/// The rule that a store broke.
#[derive(Debug, thiserror::Error)]
#[error("the token store breaks its contract: {0}")]
pub struct Broken(String);

/// Runs the suite on `store`. `fresh` is a name that the store has never seen; the suite appends ` 2` and the like to
/// it.
///
/// # Errors
///
/// [`Broken`] with the first rule that does not hold.
///
/// # Cancel safety
///
/// Leaves the tokens that it has stored so far.
pub async fn check<S: TokenStore>(store: &S, fresh: &str) -> Result<(), Broken> {
    let resource = |n: u32| Resource::new(format!("{fresh} {n}")).map_err(|error| Broken(error.to_string()));
    let token = |n: u64| FencingToken::new(n).map_err(|error| Broken(error.to_string()));
    const MAX: u64 = FencingToken::MAX;
    type Offers = &'static [(u64, bool)];
    let table: [(&str, Rule, Offers); 5] = [
        ("lower tokens are refused", Rule::AcceptEqual, &[(5, true), (4, false), (1, false), (6, true), (5, false)]),
        ("equal tokens pass", Rule::AcceptEqual, &[(5, true), (5, true), (5, true)]),
        ("equal tokens are refused when strict", Rule::Strict, &[(5, true), (5, false), (6, true), (6, false)]),
        ("a refused token is not stored", Rule::Strict, &[(9, true), (3, false), (8, false), (10, true)]),
        ("tokens are exact up to the greatest", Rule::Strict, &[(MAX - 1, true), (MAX, true), (MAX - 1, false)]),
    ];
    for (n, (rule_name, rule, offers)) in (1..).zip(table) {
        let resource = resource(n)?;
        let mut highest = None;
        for (number, expected) in offers {
            let verdict = admit(store, &resource, token(*number)?, rule).await?;
            let expected = match (expected, highest) {
                (false, Some(highest)) => Verdict::Stale { highest },
                _ => Verdict::Admitted,
            };
            if verdict != expected {
                return Err(Broken(format!("{rule_name}: offered {number}, {verdict} instead of {expected}")));
            }
            if verdict == Verdict::Admitted {
                highest = Some(token(*number)?);
            }
        }
    }
    let (one, other) = (resource(100)?, resource(101)?);
    for (resource, number) in [(&one, 7), (&other, 1), (&one, 7), (&other, 1)] {
        if admit(store, resource, token(number)?, Rule::AcceptEqual).await? != Verdict::Admitted {
            return Err(Broken("resources are judged apart".to_owned()));
        }
    }
    tokens_at_once(store, &resource(102)?, false).await?;
    tokens_at_once(store, &resource(103)?, true).await
}

/// Offers many tokens at once, in one order or the other. A store that reads all of them before it stores the first keeps
/// the one that it stored last. In one of the two orders that is not the highest.
async fn tokens_at_once<S: TokenStore>(store: &S, resource: &Resource, reversed: bool) -> Result<(), Broken> {
    const MOST: u64 = 64;
    let token = |n: u64| FencingToken::new(n).map_err(|error| Broken(error.to_string()));
    let mut offers = (1..=MOST).map(token).collect::<Result<Vec<_>, _>>()?;
    if reversed {
        offers.reverse();
    }
    for verdict in join_all(offers.into_iter().map(|token| admit(store, resource, token, Rule::AcceptEqual))).await {
        let _ = verdict?;
    }
    let (verdict, expected) =
        (admit(store, resource, token(MOST - 1)?, Rule::AcceptEqual).await?, Verdict::Stale { highest: token(MOST)? });
    if verdict == expected {
        return Ok(());
    }
    Err(Broken(format!(
        "check and store are one step: {MOST} tokens at once, and then {verdict} instead of {expected}"
    )))
}

async fn admit<S: TokenStore>(store: &S, of: &Resource, token: FencingToken, rule: Rule) -> Result<Verdict, Broken> {
    store.admit(of, token, rule).await.map_err(|error| Broken(format!("it failed: {error}")))
}
