//! [`FencedStore`]: an object store that was seen to keep conditions.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};
use redfence::FencingToken;
use redfence_claim::{ClaimError, judge_claim};

use crate::claim::{put, version_of};
use crate::probe::{is_refusal, probe};
use crate::record::Record;
use crate::{Claim, Error};

/// How often others may come between a claim's read and its put.
const ATTEMPTS: usize = 16;

/// An object store that was seen to keep the condition of a put. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FencedStore {
    store: Arc<dyn ObjectStore>,
}

/// A fenced object, as a reader without a claim sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The highest token that has claimed it.
    pub highest: FencingToken,
    /// `None`: nothing was written yet, or it was deleted.
    pub content: Option<Bytes>,
}

/// A fenced object with what a put needs.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) record: Record,
    pub(crate) content: Option<Bytes>,
    pub(crate) version: UpdateVersion,
}

impl FencedStore {
    /// Takes a store after a probe: puts on `path` that must pass, and others that must be refused. Seven requests, once for
    /// each process; `path` keeps a small object that nothing else may use.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Unfit`] if the store has no put on condition, as the local file system, or ignores the condition.
    /// [`ClaimError::Store`] if it could not be asked. [`ClaimError::Retry`] if too many probes ran at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the small object.
    pub async fn open(store: Arc<dyn ObjectStore>, path: &Path) -> Result<Self, Error> {
        probe(&*store, path).await?;
        Ok(Self { store })
    }

    /// Claims the object for `token`, whether it is there or not: no older holder can write it from now on. Call it before
    /// the first read of what the lock protects; [`Claim::content`] is that read.
    ///
    /// Two requests, and two more each time that another claim comes between, at most 32. It writes the content again, so
    /// keep what is large beside the fenced object: [`Claim::stage`].
    ///
    /// # Errors
    ///
    /// [`ClaimError::Stale`] when a newer holder has claimed. [`ClaimError::NotAFence`] if the object was written by
    /// something else: it is left alone. [`ClaimError::Retry`] when others came between too often. [`ClaimError::Store`]
    /// for all else; the claim may have been made, and may be repeated.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the object claimed or not. Its content stays.
    pub async fn claim(&self, object: &Path, token: FencingToken) -> Result<Claim, Error> {
        for _ in 0..ATTEMPTS {
            let (record, content, mode) = match get(&*self.store, object).await? {
                None => (Record::first(token), None, PutMode::Create),
                Some(found) => {
                    judge_claim(token, Some(found.record.token))?;
                    (found.record.claimed(token)?, found.content, PutMode::Update(found.version))
                }
            };
            match put(&*self.store, object, &record, content.as_ref(), mode).await {
                Ok(version) => {
                    return Ok(Claim::new(self.clone(), object.clone(), Object { record, content, version }));
                }
                // Another one's claim, or this one's after a lost answer: to claim once more is right for both.
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(ClaimError::Store(error)),
            }
        }
        Err(ClaimError::Retry)
    }

    /// Reads a fenced object without a claim. `None` if no holder has claimed it yet.
    ///
    /// # Errors
    ///
    /// [`ClaimError::NotAFence`], [`ClaimError::Store`].
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    pub async fn read(&self, object: &Path) -> Result<Option<Found>, Error> {
        let found = get(&*self.store, object).await?;
        Ok(found.map(|Object { record, content, .. }| Found { highest: record.token, content }))
    }

    /// The store itself, for what is not fenced.
    pub fn store(&self) -> &dyn ObjectStore {
        &*self.store
    }
}

pub(crate) async fn get(store: &dyn ObjectStore, path: &Path) -> Result<Option<Object>, Error> {
    let found = match store.get(path).await {
        Ok(found) => found,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(ClaimError::Store(error)),
    };
    let version = version_of(&found.meta);
    let (record, content) = Record::divide(&found.bytes().await.map_err(ClaimError::Store)?)?;
    Ok(Some(Object { record, content, version }))
}
