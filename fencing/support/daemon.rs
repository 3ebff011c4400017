//! A server process on loopback with its own directory, under a user who is not root.

use std::fs::File;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::port::claim_port;

const PORT_ATTEMPTS: usize = 5;
/// How often a condition is checked, about every 10 ms: a minute for a server to start or to end.
const LOOKS: usize = 6_000;

pub struct Daemon {
    child: Child,
    signal: Signal,
    pub port: u16,
    dir: TempDir,
    command: Box<dyn FnMut(u16) -> Command + Send + Sync>,
    ready: Box<dyn FnMut(u16) -> bool + Send + Sync>,
}

/// The user that the server runs as: databases refuse to run as root. `None`: the user who runs the tests.
#[derive(Clone, Copy)]
pub struct User(Option<(u32, u32)>);

impl User {
    pub fn named(name: &str) -> Self {
        if !geteuid().is_root() {
            return Self(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
        let ids = [name, "nobody"].into_iter().find_map(|name| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map_while(|number| number.parse::<u32>().ok());
            Some((numbers.next()?, numbers.next()?))
        });
        Self(Some(ids.unwrap_or_else(|| panic!("there is neither a user {name} nor a user nobody"))))
    }

    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.stdin(Stdio::null());
        command
    }

    fn own(self, path: &Path) {
        if let Some((user, group)) = self.0 {
            chown(path, Some(user), Some(group)).expect("the directory for the server's user");
        }
    }
}

/// A directory for the server, with the log of its programs.
pub fn directory(user: User) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory for the server");
    user.own(dir.path());
    dir
}

pub fn log(dir: &Path) -> File {
    File::options().create(true).append(true).open(dir.join("log")).expect("a log for the server")
}

/// Runs a program that ends by itself. It has its own folder for temporary files, because two MariaDBs that share one
/// destroy each other's tables.
pub fn finish(mut command: Command, dir: &Path) {
    let ended = command.current_dir(dir).env("TMPDIR", dir).stdout(log(dir)).stderr(log(dir)).status();
    let ok = ended.as_ref().is_ok_and(std::process::ExitStatus::success);
    assert!(ok, "{command:?} failed ({ended:?}):\n{}", said(dir));
}

/// A program of a package: on PATH, or the newest in one of the folders, where `*` stands for one part.
pub fn find(program: &str, folders: &[&str], install: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).map(|folder| folder.join(program)).collect();
    found.retain(|file| file.is_file());
    found.truncate(1);
    for folder in folders {
        let (before, after) = folder.split_once('*').unwrap_or((folder, ""));
        let mut versions: Vec<PathBuf> =
            std::fs::read_dir(before).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        versions.sort();
        let inside = |version: &PathBuf| version.join(after.trim_start_matches('/')).join(program);
        found.extend(versions.iter().rev().map(inside).filter(|file| file.is_file()));
    }
    found.into_iter().next().unwrap_or_else(|| {
        panic!(
            "{program} was not found. These tests start their own servers: {install}, or run scripts/test, which does."
        )
    })
}

impl Daemon {
    /// Starts the command for a free port, and waits until `ready` is true for that port.
    pub fn start(
        dir: TempDir,
        signal: Signal,
        mut command: impl FnMut(u16) -> Command + Send + Sync + 'static,
        mut ready: impl FnMut(u16) -> bool + Send + Sync + 'static,
    ) -> Self {
        for _ in 0..PORT_ATTEMPTS {
            let port = claim_port();
            if let Some(child) = launch(dir.path(), port, &mut command, &mut ready) {
                return Self { child, signal, port, dir, command: Box::new(command), ready: Box::new(ready) };
            }
        }
        panic!("the server does not start:\n{}", said(dir.path()))
    }

    /// Ends it with a signal and starts it again on its port, with its directory.
    pub fn restart(&mut self, signal: Signal) {
        self.end(signal);
        self.child = launch(self.dir.path(), self.port, &mut self.command, &mut self.ready)
            .unwrap_or_else(|| panic!("the server does not come back:\n{}", said(self.dir.path())));
    }

    fn end(&mut self, signal: Signal) {
        let asked = kill_process(Pid::from_child(&self.child), signal).is_ok();
        for _ in 0..LOOKS {
            if !asked || !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            pause();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end(self.signal);
    }
}

/// `None` if it does not get ready.
fn launch(
    dir: &Path,
    port: u16,
    command: &mut impl FnMut(u16) -> Command,
    ready: &mut impl FnMut(u16) -> bool,
) -> Option<Child> {
    let mut command = command(port);
    command.current_dir(dir).env("TMPDIR", dir).stdout(log(dir)).stderr(log(dir));
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    for _ in 0..LOOKS {
        // First, so that a server of another program on that port is not taken for ours.
        if child.try_wait().expect("a child of ours").is_some() {
            break;
        }
        if ready(port) {
            return Some(child);
        }
        pause();
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn said(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

/// The pause between two checks of a condition.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(10));
}
