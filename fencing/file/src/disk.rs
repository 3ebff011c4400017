//! The files: their names, the lock, and a replacement that leaves the old or the new file at every moment.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redfence::{Clock as _, SystemClock};

use crate::FileError;
use crate::content::{self, Tokens};

/// The largest file, which is read and written as a whole: a hundred thousand resources.
const LEN_MAX: u64 = 16 << 20;
/// The longest pause between two tries to take a lock that another process has.
const PAUSE_MAX: Duration = Duration::from_millis(20);
/// The text of the lock file after the fence file was created.
const MARK: &[u8] =
    b"The file beside this one is a fence of redfence. This one is locked while it is used; keep both.\n";

/// A fence file and the files beside it.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) path: PathBuf,
    pub(crate) lock: PathBuf,
    new: PathBuf,
    dir: PathBuf,
}

impl Files {
    /// Follows links, so that two names of one file share one lock.
    pub(crate) fn find(path: &Path) -> Result<Self, FileError> {
        let failed = |source| FileError::Io { path: path.to_owned(), step: "finding the file", source };
        let real = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let name = path.file_name().ok_or_else(|| failed(io::Error::other("the path names no file")))?;
                fs::canonicalize(parent).map_err(failed)?.join(name)
            }
            Err(error) => return Err(failed(error)),
        };
        let beside = |suffix| {
            let mut name = OsString::from(&real);
            name.push(suffix);
            PathBuf::from(name)
        };
        let dir = real.parent().unwrap_or(Path::new("/")).to_owned();
        let files = Self { lock: beside(".lock"), new: beside(".new"), dir, path: real };
        files.check_kind()?;
        Ok(files)
    }

    /// Something else than a file is not touched, and nothing is put beside it.
    fn check_kind(&self) -> Result<(), FileError> {
        match fs::metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => Err(self.corrupt("it is not a regular file")),
            _ => Ok(()),
        }
    }

    fn io(&self, step: &'static str) -> impl Fn(io::Error) -> FileError {
        move |source| FileError::Io { path: self.path.clone(), step, source }
    }

    pub(crate) fn corrupt(&self, reason: impl Into<String>) -> FileError {
        FileError::Corrupt { path: self.path.clone(), lock: self.lock.clone(), reason: reason.into() }
    }

    /// Locks against all other processes, and other threads of this one.
    pub(crate) fn lock(&self, wait: Duration) -> Result<File, FileError> {
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.lock);
        let until = SystemClock.now().after(wait);
        let mut pause = Duration::from_millis(1);
        loop {
            let file = open().map_err(self.io("opening the lock file"))?;
            match file.try_lock() {
                // A lock of a removed file excludes no other process.
                Ok(()) if self.is_there(&file) => return Ok(file),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(self.io("locking")(error)),
            }
            let left = until.checked_since(SystemClock.now()).unwrap_or_default();
            if left.is_zero() {
                return Err(FileError::Busy { path: self.path.clone(), lock: self.lock.clone(), waited: wait });
            }
            std::thread::park_timeout(pause.min(left));
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn is_there(&self, file: &File) -> bool {
        let (Ok(one), Ok(other)) = (file.metadata(), fs::metadata(&self.lock)) else { return false };
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }

    /// The tokens; none if the file never existed. `lock` is the lock, if it is held.
    pub(crate) fn read(&self, lock: Option<&File>) -> Result<Tokens, FileError> {
        let reading = self.io("reading");
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let was_there = match lock {
                    Some(lock) => lock.metadata().map_err(self.io("reading the lock file"))?.len() > 0,
                    None => fs::metadata(&self.lock).is_ok_and(|metadata| metadata.len() > 0),
                };
                return if was_there { Err(self.corrupt("the file is gone")) } else { Ok(Tokens::new()) };
            }
            Err(error) => return Err(reading(error)),
        };
        if !metadata.is_file() {
            return Err(self.corrupt("it is not a regular file"));
        }
        // A replacement would leave the other name behind, with old tokens.
        if metadata.nlink() > 1 {
            return Err(self.corrupt("the file has several names (hard links), and a fence can only have one"));
        }
        if metadata.len() > LEN_MAX {
            return Err(
                self.corrupt(format!("it has {} bytes, and a fence file has at most {LEN_MAX}", metadata.len()))
            );
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(&reading)?;
        file.take(LEN_MAX + 1).read_to_end(&mut bytes).map_err(reading)?;
        content::parse(&bytes).map_err(|reason| self.corrupt(reason))
    }

    /// Replaces the file. A process that is killed halfway leaves the old file or the new one. When this returns, the
    /// new file and its name are on disk.
    pub(crate) fn replace(&self, tokens: &Tokens, lock: &File) -> Result<(), FileError> {
        let text = content::print(tokens);
        if text.len() as u64 > LEN_MAX {
            return Err(FileError::Full { path: self.path.clone(), most: LEN_MAX });
        }
        let writing = self.io("writing beside it");
        match fs::remove_file(&self.new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(writing(error)),
            _ => {}
        }
        // A new file, so that nothing is written through a link that another program left there.
        let mut new = OpenOptions::new().write(true).create_new(true).open(&self.new).map_err(&writing)?;
        if let Ok(metadata) = fs::metadata(&self.path) {
            new.set_permissions(metadata.permissions()).map_err(self.io("giving it the permissions of the file"))?;
        }
        new.write_all(text.as_bytes()).and_then(|()| new.sync_all()).map_err(writing)?;
        fs::rename(&self.new, &self.path).map_err(self.io("replacing it"))?;
        self.sync_name()?;
        self.mark(lock)
    }

    /// Makes sure that the current file is still there after a power cut.
    pub(crate) fn sync_name(&self) -> Result<(), FileError> {
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(self.io("syncing its directory"))
    }

    /// From now on a file that is gone is distinguished from one that never existed.
    pub(crate) fn mark(&self, mut lock: &File) -> Result<(), FileError> {
        let marking = self.io("marking the lock file");
        if lock.metadata().map_err(&marking)?.len() == 0 {
            lock.write_all(MARK).and_then(|()| lock.sync_all()).map_err(marking)?;
        }
        Ok(())
    }
}
