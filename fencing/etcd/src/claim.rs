//! [`Claim`]: a fence's revision that no older holder has, as a comparison for transactions.

use etcd_client::{Compare, CompareOp, KeyValue, KvClient, Txn, TxnOp, TxnOpResponse, TxnResponse};
use redfence::{FencingToken, Resource};
use redfence_claim::{ClaimError, digits, from_digits, judge_claim, judge_refusal};

use crate::Error;
use crate::answer::unanswered;

/// How often others may come between a claim's read and its transaction.
const ATTEMPTS: usize = 16;

/// The key of the fence of `resource`. Its value is the token in sixteen digits; it has no lease.
#[must_use]
pub fn key(resource: &Resource) -> String {
    format!("redfence/fence/{}", resource.as_str())
}

/// Claims `resource` for `token`: no transaction of an older holder passes from now on. Call it before the first read of what
/// the lock protects.
///
/// Two requests, and one more each time that another claim comes between, at most 17.
///
/// # Errors
///
/// [`ClaimError::Stale`] when a newer holder has claimed. [`ClaimError::NotAFence`] if the key holds something else.
/// [`ClaimError::Retry`] when others came between too often. [`ClaimError::Store`] for all else; the claim may have been
/// made, and may be repeated.
///
/// # Cancel safety
///
/// Dropping the future leaves the resource claimed or not. Nothing else changes.
pub async fn claim(client: &mut KvClient, resource: &Resource, token: FencingToken) -> Result<Claim, Error> {
    let key = key(resource);
    let mut found = client.get(key.as_str(), None).await.map_err(ClaimError::Store)?.take_kvs().pop();
    for _ in 0..ATTEMPTS {
        judge_claim(token, held(found.as_ref())?)?;
        let seen = found.as_ref().map_or(0, KeyValue::mod_revision);
        let raise = Txn::new()
            .when([Compare::mod_revision(key.as_str(), CompareOp::Equal, seen)])
            // Without a lease, and so also without the one that another client may have given it.
            .and_then([TxnOp::put(key.as_str(), digits(token), None)])
            .or_else([TxnOp::get(key.as_str(), None)]);
        let answer = client.txn(raise).await.map_err(ClaimError::Store)?;
        if answer.succeeded() {
            let revision = answer.header().map(etcd_client::ResponseHeader::revision).ok_or(ClaimError::NotAFence)?;
            return Ok(Claim { resource: resource.clone(), key, token, revision });
        }
        found = fence_in(&answer);
    }
    Err(ClaimError::Retry)
}

/// The highest token that has claimed `resource`: for people and metrics, never in front of a write.
///
/// # Errors
///
/// [`ClaimError::NotAFence`], [`ClaimError::Store`].
///
/// # Cancel safety
///
/// Changes nothing.
pub async fn highest(client: &mut KvClient, resource: &Resource) -> Result<Option<FencingToken>, Error> {
    let found = client.get(key(resource), None).await.map_err(ClaimError::Store)?.take_kvs().pop();
    held(found.as_ref())
}

/// A resource that was claimed for a token: the right to write until another holder or task claims.
///
/// Tasks of one holder share it, or clone it. If they claim each for itself, the first one's next transaction is
/// [`ClaimError::Retry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    resource: Resource,
    key: String,
    token: FencingToken,
    revision: i64,
}

impl Claim {
    /// The token that claimed.
    #[must_use]
    pub const fn token(&self) -> FencingToken {
        self.token
    }

    /// The comparison that holds as long as no other holder or task has claimed: for a transaction of your own, as etcd's `IsOwner`.
    ///
    /// It compares the revision of the fence, which every claim changes. [`fenced`](Self::fenced) builds the whole transaction.
    #[must_use]
    pub fn is_mine(&self) -> Compare {
        Compare::mod_revision(self.key.as_str(), CompareOp::Equal, self.revision)
    }

    /// `txn`, with its own comparisons and both of its branches, behind [`is_mine`](Self::is_mine), in one transaction. It needs
    /// etcd 3.3, and counts as two more operations. [`judge`](Self::judge) reads the answer.
    #[must_use]
    pub fn fenced(&self, txn: Txn) -> Txn {
        Txn::new().when([self.is_mine()]).and_then([TxnOp::txn(txn)]).or_else([TxnOp::get(self.key.as_str(), None)])
    }

    /// What the answer to a [`fenced`](Self::fenced) transaction means: the answer to the caller's own, whose comparisons may have
    /// held or not.
    ///
    /// # Errors
    ///
    /// Those of [`ClaimError`], with what to do after each.
    pub fn judge(&self, answer: &TxnResponse) -> Result<TxnResponse, Error> {
        match answer.op_responses().pop() {
            Some(TxnOpResponse::Txn(own)) if answer.succeeded() => Ok(own),
            Some(TxnOpResponse::Get(_)) if !answer.succeeded() => {
                Err(judge_refusal(self.token, held(fence_in(answer).as_ref())?))
            }
            _ => Err(ClaimError::NotAFence),
        }
    }

    /// Runs `txn` if no other claim was made, in one step. Gives back the answer to it; its own comparisons may have held or not.
    ///
    /// # Errors
    ///
    /// Those of [`ClaimError`]. After [`ClaimError::Unknown`] and [`ClaimError::Retry`]: [`Claim::again`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the outcome unknown.
    pub async fn commit(&self, client: &mut KvClient, txn: Txn) -> Result<TxnResponse, Error> {
        let answer = client.txn(self.fenced(txn)).await.map_err(unanswered)?;
        self.judge(&answer)
    }

    /// Claims anew with the same token. A transaction of this claim that was not answered has happened by then, or never will:
    /// read what it was to write.
    ///
    /// # Errors
    ///
    /// As [`claim`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves this claim as it is, or the resource claimed anew: call it again.
    pub async fn again(&mut self, client: &mut KvClient) -> Result<(), Error> {
        *self = claim(client, &self.resource, self.token).await?;
        Ok(())
    }
}

fn held(fence: Option<&KeyValue>) -> Result<Option<FencingToken>, Error> {
    fence.map(|fence| from_digits(fence.value())).transpose()
}

fn fence_in(answer: &TxnResponse) -> Option<KeyValue> {
    match answer.op_responses().pop() {
        Some(TxnOpResponse::Get(mut found)) => found.take_kvs().pop(),
        _ => None,
    }
}
