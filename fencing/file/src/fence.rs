//! [`FileFence`]: the highest tokens in a file.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redfence::verifier::{Rule, StaleToken, TokenStore, Verdict};
use redfence::{FencingToken, Resource};

use crate::FileError;
use crate::disk::Files;

/// How long a call waits for another process unless [`FileFence::wait`] says otherwise.
const WAIT: Duration = Duration::from_secs(10);

/// The highest tokens of some resources in a file.
#[derive(Debug, Clone)]
pub struct FileFence {
    path: PathBuf,
    wait: Duration,
    rule: Rule,
}

/// The fence is held: no other process is admitted, for any resource of the file, until this is dropped or the process ends.
#[derive(Debug)]
#[must_use = "the fence is held as long as this is"]
pub struct Admitted {
    lock: File,
}

impl FileFence {
    /// The fence in this file, which is made at the first admission. Its directory has to be on a local disk: network file
    /// systems differ in what their locks and their fsync are worth.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), wait: WAIT, rule: Rule::AcceptEqual }
    }

    /// How long a call waits while another process holds the fence; ten seconds unless set.
    #[must_use]
    pub const fn wait(mut self, most: Duration) -> Self {
        self.wait = most;
        self
    }

    /// Each token passes once.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.rule = Rule::Strict;
        self
    }

    /// Admits `token` and holds the fence: write, make it durable, then drop what this gives back. Blocks.
    ///
    /// The token is on disk before this returns. So after a crash between this and the write older holders are shut out, and
    /// the next holder finds what the write had got to.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let (path, report) = (dir.path().join("fence"), dir.path().join("report"));
    /// use redfence::{FencingToken, Resource};
    /// use redfence_file::{FileError, FileFence};
    ///
    /// let (fence, resource) = (FileFence::at(path), Resource::new("report")?);
    /// let admitted = fence.admit(&resource, FencingToken::new(42)?)?;
    /// std::fs::write(report, "the newest")?;
    /// drop(admitted);
    ///
    /// let older = fence.admit(&resource, FencingToken::new(41)?);
    /// assert!(matches!(older, Err(FileError::Stale(stale)) if stale.highest.get() == 42));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileError`]: then nothing may be written. After [`FileError::Io`] the token may be the highest or not.
    pub fn admit(&self, resource: &Resource, token: FencingToken) -> Result<Admitted, FileError> {
        self.admit_by(self.rule, resource, token)
    }

    fn admit_by(&self, rule: Rule, resource: &Resource, token: FencingToken) -> Result<Admitted, FileError> {
        let files = Files::find(&self.path)?;
        let lock = files.lock(self.wait)?;
        let mut tokens = files.read(Some(&lock))?;
        let highest = tokens.get(resource).copied();
        rule.judge(token, highest).into_result()?;
        if highest == Some(token) {
            // The process that stored it may have been killed before the name was on disk.
            files.sync_name()?;
            files.mark(&lock)?;
        } else {
            tokens.insert(resource.clone(), token);
            files.replace(&tokens, &lock)?;
        }
        Ok(Admitted { lock })
    }

    /// Admits `token`, runs `write` while the fence is held, and gives back what it gave. Blocks.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit); then `write` did not run.
    pub fn write<T>(
        &self,
        resource: &Resource,
        token: FencingToken,
        write: impl FnOnce() -> T,
    ) -> Result<T, FileError> {
        let admitted = self.admit(resource, token)?;
        let written = write();
        drop(admitted);
        Ok(written)
    }

    /// The highest token of a resource, without a lock: for people and metrics, never in front of a write.
    ///
    /// # Errors
    ///
    /// [`FileError::Corrupt`] and [`FileError::Io`].
    pub fn highest(&self, resource: &Resource) -> Result<Option<FencingToken>, FileError> {
        Ok(Files::find(&self.path)?.read(None)?.get(resource).copied())
    }
}

/// Lets go, also where another process has inherited the lock.
impl Drop for Admitted {
    fn drop(&mut self) {
        // If that fails, closing it does the same, once every process has closed it.
        let _ = self.lock.unlock();
    }
}

/// The lock, for a command that is to hold it too: it is held until the last process that has it has ended.
impl AsFd for Admitted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

/// Admission alone: the fence is let go before this returns. It blocks the thread, as every call here does.
impl TokenStore for FileFence {
    type Error = FileError;

    async fn admit(&self, resource: &Resource, token: FencingToken, rule: Rule) -> Result<Verdict, FileError> {
        match self.admit_by(rule, resource, token) {
            Ok(_held) => Ok(Verdict::Admitted),
            Err(FileError::Stale(StaleToken { highest })) => Ok(Verdict::Stale { highest }),
            Err(error) => Err(error),
        }
    }
}
