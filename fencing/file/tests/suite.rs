//! The suites of stores, wrong stores that they refuse, and files that are no fence.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redfence::verifier::contract::{self, Answer, FencedWrites, Refusal, check_writes};
use redfence::{FencingToken, Resource};
use redfence_file::{FileError, FileFence};
use tempfile::TempDir;

fn token(number: u64) -> FencingToken {
    FencingToken::new(number).unwrap()
}

fn orders() -> Resource {
    Resource::new("orders/42").unwrap()
}

/// Common mistakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    No,
    /// The fence is released before the write.
    CheckApart,
    /// Read and written without a lock.
    NoLock,
    /// A missing fence admits every token, and the fence is deleted with the data.
    Forgets,
    RefusesEqual,
    MissingPasses,
    /// An unreadable file admits every token, and a crash has cut it.
    UnreadableIsFree,
}

/// A fence and a folder of rows. A write of a row is not one step: it cannot be torn by another writer, or the fence failed.
struct Store {
    dir: TempDir,
    wrong: Wrong,
}

impl Store {
    fn new(wrong: Wrong) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("rows")).unwrap();
        Self { dir, wrong }
    }

    fn fence(&self) -> FileFence {
        FileFence::at(self.path())
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("fence")
    }

    fn row(&self, resource: &Resource) -> PathBuf {
        let name: Vec<String> = resource.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
        self.dir.path().join("rows").join(name.concat())
    }

    /// Runs `write` behind the check. A wrong store runs `between` in its gap.
    fn fenced<T>(
        &self,
        resource: &Resource,
        token: FencingToken,
        between: impl FnOnce(),
        write: impl FnOnce() -> Answer<T>,
    ) -> Answer<T> {
        match self.wrong {
            Wrong::NoLock => {
                // As in shell scripts: read, compare and write as separate steps.
                let path = self.row(resource).with_extension("token");
                let highest = fs::read_to_string(&path).ok().and_then(|text| text.parse::<FencingToken>().ok());
                if let Some(highest) = highest.filter(|highest| *highest > token) {
                    return Err(Refusal::Stale { highest });
                }
                between();
                fs::write(&path, token.to_string()).map_err(failed)?;
                self.fence().write(resource, token, || ()).or_else(no_matter)?;
                write()
            }
            Wrong::CheckApart => {
                self.fence().write(resource, token, || ()).map_err(refusal)?;
                between();
                write()
            }
            Wrong::RefusesEqual => self.fence().strict().write(resource, token, write).map_err(refusal)?,
            _ => self.fence().write(resource, token, write).map_err(refusal)?,
        }
    }

    /// In the row of two at once, where the value is the token, even tokens are the older ones: each waits until the
    /// newer one has written.
    fn wait_for_the_newer(&self, resource: &Resource, token: FencingToken, value: i64) {
        let races = token.get().is_multiple_of(2) && i64::try_from(token.get()) == Ok(value);
        for _ in 0..if races { 5_000 } else { 0 } {
            if self.read(resource) == Ok(Some(value + 1)) {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

fn no_matter(_: FileError) -> Answer<()> {
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Failed(error.to_string())
}

fn refusal(error: FileError) -> Refusal {
    match error.stale() {
        Some(highest) => Refusal::Stale { highest },
        None => failed(error),
    }
}

fn missing(error: io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::NotFound { Refusal::Missing } else { failed(error) }
}

impl FencedWrites for Store {
    fn write(&self, resource: &Resource, token: FencingToken, value: i64) -> Answer<()> {
        let between = || self.wait_for_the_newer(resource, token, value);
        self.fenced(resource, token, between, || fs::write(self.row(resource), value.to_string()).map_err(failed))
    }

    fn change(&self, resource: &Resource, token: FencingToken) -> Answer<()> {
        let answer = self.fenced(
            resource,
            token,
            || (),
            || {
                let row = self.row(resource);
                fs::set_permissions(&row, fs::Permissions::from_mode(0o600)).map_err(missing)
            },
        );
        match answer {
            Err(Refusal::Missing) if self.wrong == Wrong::MissingPasses => Ok(()),
            answer => answer,
        }
    }

    fn batch(&self, resource: &Resource, token: FencingToken, values: &[i64]) -> Option<Answer<()>> {
        let write = |value: &i64| fs::write(self.row(resource), value.to_string()).map_err(failed);
        Some(self.fenced(resource, token, || (), || values.iter().try_for_each(write)))
    }

    fn delete(&self, resource: &Resource, token: FencingToken) -> Answer<()> {
        self.fenced(resource, token, || (), || fs::remove_file(self.row(resource)).map_err(failed))?;
        if self.wrong == Wrong::Forgets {
            for name in ["fence", "fence.lock"] {
                fs::remove_file(self.dir.path().join(name)).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn read(&self, resource: &Resource) -> Answer<Option<i64>> {
        match fs::read_to_string(self.row(resource)) {
            Ok(text) => text.parse().map(Some).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn highest(&self, resource: &Resource) -> Answer<Option<FencingToken>> {
        self.fence().highest(resource).map_err(failed)
    }

    fn expires(&self, _: &Resource) -> Answer<bool> {
        // A file has no TTL.
        Ok(false)
    }

    /// A crash in the middle of a replacement: half of the new file is written, and no process has a lock any more.
    fn crash(&self) -> bool {
        fs::write(self.dir.path().join("fence.new"), "redfence fe").unwrap();
        if self.wrong == Wrong::UnreadableIsFree {
            fs::remove_file(self.path()).unwrap();
            fs::remove_file(self.dir.path().join("fence.lock")).unwrap();
        }
        true
    }
}

#[test]
fn it_keeps_the_contracts() {
    let store = Store::new(Wrong::No);
    check_writes(&store, "orders").unwrap();
    futures::executor::block_on(contract::check(&store.fence(), "admission")).unwrap();
}

#[test]
fn the_suite_refuses_every_mutant() {
    for (wrong, rule) in [
        (Wrong::CheckApart, "behind a newer one"),
        (Wrong::NoLock, "behind a newer one"),
        (Wrong::Forgets, "outlives"),
        (Wrong::RefusesEqual, "an equal or greater one passes"),
        (Wrong::MissingPasses, "is missing"),
        (Wrong::UnreadableIsFree, "a crash forgets no fence"),
    ] {
        let broken = check_writes(&Store::new(wrong), "orders").expect_err(&format!("{wrong:?}")).to_string();
        println!("{wrong:?}: {broken}");
        assert!(broken.contains(rule) && !broken.contains("Failed("), "{wrong:?}: {broken}");
    }
}

fn corrupt(fence: &FileFence, reason: &str) {
    for error in [fence.admit(&orders(), token(FencingToken::MAX)).unwrap_err(), fence.highest(&orders()).unwrap_err()]
    {
        let said = error.to_string();
        assert!(matches!(error, FileError::Corrupt { .. }) && said.contains(reason), "{reason}: {said}");
        assert!(!said.contains('\n') && said.len() < 600, "{said}");
    }
}

#[test]
fn a_file_that_is_no_fence_admits_no_token() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fence");
    let fence = FileFence::at(&path);
    drop(fence.admit(&orders(), token(5)).unwrap());
    let whole = fs::read(&path).unwrap();
    for (content, reason) in [
        (&b""[..], "is empty"),
        (b"5", "not a fence file"),
        (b"\xff\xfe\0", "not text"),
        (&whole[..whole.len() - 1], "is cut"),
        (&whole[..20], "is cut"),
        (b"redfence fence 2\nend 0 00000000\n", "not a fence file"),
        (b"redfence fence 1\n5 orders/42\nend 1 00000000\n", "sum is wrong"),
        (b"redfence fence 1\n0 orders/42\nend 1 00000000\n", "line 2"),
    ] {
        fs::write(&path, content).unwrap();
        corrupt(&fence, reason);
        assert_eq!(fs::read(&path).unwrap(), content, "it is left as it was");
    }
    fs::File::create(&path).unwrap().set_len((16 << 20) + 1).unwrap();
    corrupt(&fence, "bytes");
    fs::remove_file(&path).unwrap();
    corrupt(&fence, "the file is gone");
    fs::create_dir(&path).unwrap();
    corrupt(&fence, "not a regular file");
    fs::remove_dir(&path).unwrap();
    // Restored, all is well; and removed with its lock file it is a new one.
    fs::write(&path, whole).unwrap();
    assert!(fence.admit(&orders(), token(4)).is_err());
    fs::hard_link(&path, dir.path().join("other")).unwrap();
    corrupt(&fence, "hard links");
    fs::remove_file(&path).unwrap();
    fs::remove_file(dir.path().join("fence.lock")).unwrap();
    drop(fence.admit(&orders(), token(1)).unwrap());
}

#[test]
fn one_file_under_two_names_is_one_fence() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("fence"), dir.path().join("link"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    // A dangling link would be replaced by a separate file.
    assert!(matches!(FileFence::at(&link).admit(&orders(), token(5)), Err(FileError::Io { .. })));
    let held = FileFence::at(&path).admit(&orders(), token(5)).unwrap();
    let other = FileFence::at(&link).wait(Duration::from_millis(20));
    let busy = other.admit(&orders(), token(6)).unwrap_err();
    assert!(matches!(busy, FileError::Busy { .. }) && busy.to_string().contains("fence.lock"), "{busy}");
    drop(held);
    drop(other.admit(&orders(), token(6)).unwrap());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(FileFence::at(&path).highest(&orders()).unwrap(), Some(token(6)));
}

#[test]
fn a_link_in_the_place_of_the_new_file_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, victim) = (dir.path().join("fence"), dir.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, dir.path().join("fence.new")).unwrap();
    drop(FileFence::at(&path).admit(&orders(), token(5)).unwrap());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn permissions_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fence");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(FileFence::at(&path).admit(&orders(), token(5)).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    drop(FileFence::at(&path).admit(&orders(), token(6)).unwrap());
    assert_eq!(mode(&path), 0o664);
}

#[test]
fn what_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    for (path, said) in [
        ("/nowhere/at/all", "finding the file"),
        ("/proc/fence", "opening the lock file"),
        ("/", "not a regular file"),
        (folder, "not a regular file"),
        ("", "names no file"),
    ] {
        let error = FileFence::at(path).admit(&orders(), token(5)).unwrap_err().to_string();
        assert!(error.contains(said), "{path:?}: {error}");
    }
    assert!(!Path::new("/.lock").exists() && !Path::new(&format!("{folder}.lock")).exists(), "nothing is left behind");
}
