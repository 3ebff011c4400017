//! Whether a store respects the condition of a put. Some ignore it without an error.

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion};
use redfence_claim::ClaimError;

use crate::Error;

/// How often another probe may come between.
const ATTEMPTS: usize = 16;

/// Creates `path` if it is not there, and updates it: with the right version, with an old one, and where there is no
/// object.
///
/// The object is never deleted, and its content is different each time, so that the probes of several processes do not
/// mislead each other.
pub(crate) async fn probe(store: &dyn ObjectStore, path: &Path) -> Result<(), Error> {
    refused_or(put(store, path, 0, PutMode::Create).await)?;
    if refused_or(put(store, path, 0, PutMode::Create).await)?.is_some() {
        return Err(ClaimError::Unfit("it overwrites an object when asked to create it only if it is not there"));
    }
    for _ in 0..ATTEMPTS {
        let found = store.get(path).await.map_err(ClaimError::Store)?;
        let old = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let text = found.bytes().await.map_err(ClaimError::Store)?;
        let count = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<u64>().ok());
        let next = count.and_then(|count| count.checked_add(1)).ok_or(ClaimError::NotAFence)?;
        let Some(new) = refused_or(put(store, path, next, PutMode::Update(old.clone())).await)? else { continue };
        if new.e_tag.is_none() && new.version.is_none() {
            return Err(ClaimError::Unfit("it gives an object neither an ETag nor a version"));
        }
        if refused_or(put(store, path, next, PutMode::Update(old)).await)?.is_some() {
            return Err(ClaimError::Unfit("it overwrites an object of another version than the put asks for"));
        }
        let nowhere = Path::from(format!("{path}.never"));
        if refused_or(put(store, &nowhere, 0, PutMode::Update(new)).await)?.is_some() {
            drop(store.delete(&nowhere).await);
            return Err(ClaimError::Unfit("it updates an object that is not there"));
        }
        return Ok(());
    }
    Err(ClaimError::Retry)
}

async fn put(store: &dyn ObjectStore, path: &Path, count: u64, mode: PutMode) -> object_store::Result<UpdateVersion> {
    store.put_opts(path, PutPayload::from(count.to_string()), mode.into()).await.map(UpdateVersion::from)
}

/// `None`: the store says that the condition did not hold.
fn refused_or(answer: object_store::Result<UpdateVersion>) -> Result<Option<UpdateVersion>, Error> {
    match answer {
        Ok(version) => Ok(Some(version)),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
            Err(ClaimError::Unfit("it has no put on condition (object_store: PutMode::Create and PutMode::Update)"))
        }
        Err(error) => Err(ClaimError::Store(error)),
    }
}

/// Whether the store says that the condition of a put did not hold: 412, 409, 304 or 404. The cause is not known yet.
/// The put may have happened before, in an attempt whose answer was lost.
pub(crate) const fn is_refusal(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::AlreadyExists { .. }
            | StoreError::Precondition { .. }
            | StoreError::NotModified { .. }
            | StoreError::NotFound { .. }
    )
}
