//! [`Claim`]: an object that no older holder can write any more.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion};
use redfence::FencingToken;
use redfence_claim::{ClaimError, judge_refusal};

use crate::fenced_store::{Object, get};
use crate::probe::is_refusal;
use crate::record::Record;
use crate::{Error, FencedStore};

/// An object that was claimed for a token: what was found in it, and the right to write it until another holder or task claims.
///
/// Each task makes its own. If two tasks of one holder claim, the first one's next write is [`ClaimError::Retry`].
#[derive(Debug)]
pub struct Claim {
    store: FencedStore,
    path: Path,
    object: Object,
    /// How many writes were tried, so that each has a number of its own.
    writes: u64,
    staged: Vec<Path>,
}

impl Claim {
    pub(crate) const fn new(store: FencedStore, path: Path, object: Object) -> Self {
        Self { store, path, object, writes: 0, staged: Vec::new() }
    }

    /// The token that claimed.
    #[must_use]
    pub const fn token(&self) -> FencingToken {
        self.object.record.token
    }

    /// The content that the claim has found, or that was written under it since. `None`: there is none.
    #[must_use]
    pub const fn content(&self) -> Option<&Bytes> {
        self.object.content.as_ref()
    }

    /// Writes the content: one put on the condition that the object is as this claim has left it.
    ///
    /// A refusal is read back before it is called stale. It may be about this very write: clients repeat a put whose answer
    /// was lost, and object_store does so after a status 5xx.
    ///
    /// # Errors
    ///
    /// Those of [`ClaimError`], with what to do after each. After [`ClaimError::Unknown`] and [`ClaimError::Retry`]:
    /// [`Claim::again`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the outcome unknown.
    pub async fn write(&mut self, content: impl Into<Bytes>) -> Result<(), Error> {
        self.replace(Some(content.into())).await
    }

    /// Deletes the content. The object stays, with the token alone: a fence is never deleted.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the outcome unknown.
    pub async fn delete(&mut self) -> Result<(), Error> {
        self.replace(None).await
    }

    /// Claims anew with the same token, and tells whether the content is that of the last write that this claim has tried.
    ///
    /// A write that was not answered has happened by then, or never will. `false`: it has not, unless another task with the
    /// same token has written over it since.
    ///
    /// # Errors
    ///
    /// As [`FencedStore::claim`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves this claim as it is, or the object claimed anew: call it again.
    pub async fn again(&mut self) -> Result<bool, Error> {
        let last = self.object.record.written(self.writes, true).author;
        *self = self.store.claim(&self.path, self.token()).await?;
        Ok(self.object.record.author == last)
    }

    /// Puts what is large, or of another format, into an object of its own beside the fenced one, which no reader opens before a
    /// [`write`](Self::write) names it: the fenced object is then the side object that says what counts.
    ///
    /// The path is new: `<object>.parts/<token>-<claim>.<write>/<name>`. A write that is refused deletes what was staged for
    /// it, as far as the store answers. After an unknown outcome or a crash it stays, and so does what a later write no
    /// longer names: delete what is not named and has a lower token than the fence.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Store`]. The fenced object is not touched.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the staged object, which nothing names.
    pub async fn stage(&mut self, name: &str, payload: PutPayload) -> Result<Path, Error> {
        let Record { token, claim, .. } = self.object.record;
        let folder = format!("{}.parts/{token}-{claim}.{}", self.path, self.writes + 1);
        let path = Path::parse(folder).map_err(|error| ClaimError::Store(error.into()))?.join(name);
        // No other write has this path, so whatever is there is from an attempt of this very put.
        self.store.store().put(&path, payload).await.map_err(ClaimError::Store)?;
        self.staged.push(path.clone());
        Ok(path)
    }

    async fn replace(&mut self, content: Option<Bytes>) -> Result<(), Error> {
        self.writes += 1;
        let staged = std::mem::take(&mut self.staged);
        let record = self.object.record.written(self.writes, content.is_some());
        let mode = PutMode::Update(self.object.version.clone());
        let answer = match put(self.store.store(), &self.path, &record, content.as_ref(), mode).await {
            Ok(version) => {
                self.object = Object { record, content, version };
                Ok(())
            }
            Err(error @ StoreError::NotImplemented { .. }) => Err(ClaimError::Store(error)),
            Err(error) if is_refusal(&error) => self.read_back(record, content, error).await,
            Err(error) => Err(ClaimError::Unknown(error)),
        };
        if !matches!(answer, Ok(()) | Err(ClaimError::Unknown(_))) {
            for path in staged {
                drop(self.store.store().delete(&path).await);
            }
        }
        answer
    }

    /// What a refusal of the write `record` means.
    async fn read_back(&mut self, record: Record, content: Option<Bytes>, refusal: StoreError) -> Result<(), Error> {
        let found = match get(self.store.store(), &self.path).await {
            Ok(found) => found,
            Err(ClaimError::Store(error)) => return Err(ClaimError::Unknown(error)),
            Err(error) => return Err(error),
        };
        match found {
            // It did happen, in an attempt before the one that was refused. If another one has claimed since, the version
            // that is kept is an old one, and the next write finds out.
            Some(found) if found.record.author == record.author => {
                if found.record == record {
                    self.object = Object { record, content, version: found.version };
                }
                Ok(())
            }
            // A conflict (409) with a put that came to nothing says neither yes nor no.
            Some(found) if found.record == self.object.record => Err(ClaimError::Unknown(refusal)),
            found => Err(judge_refusal(record.token, found.map(|found| found.record.token))),
        }
    }
}

/// Both, because some stores know an object by the one and some by the other.
pub(crate) fn version_of(meta: &ObjectMeta) -> UpdateVersion {
    UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() }
}

pub(crate) async fn put(
    store: &dyn ObjectStore,
    path: &Path,
    record: &Record,
    content: Option<&Bytes>,
    mode: PutMode,
) -> object_store::Result<UpdateVersion> {
    let parts = [Some(Bytes::from(record.line())), content.cloned()];
    let payload: PutPayload = parts.into_iter().flatten().collect();
    store.put_opts(path, payload, mode.into()).await.map(UpdateVersion::from)
}
