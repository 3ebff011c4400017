//! Servers of a disaster: ordinary ones, and ones whose wall clock the test sets.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::RedisServer;
use crate::support::deadline::poll_until;

const CLOCK_LIMIT: Duration = Duration::from_secs(10);

const NO_FAKETIME: &str = "libfaketime was not found in /usr/lib or Homebrew. The disasters set the clocks of servers with it: \
     install it with \"apt-get install libfaketime\" or \"brew install libfaketime\", or run scripts/test, which does.";

/// A server that reads the time from a file which the test writes, in the server's directory.
pub fn timed_server() -> RedisServer {
    let (dir, environment) = timed(0);
    RedisServer::in_environment(dir, environment)
}

/// The same, not initialized, with a wall clock that is `seconds` ahead of the machine's from the start.
pub fn bare_server_ahead(seconds: i64) -> RedisServer {
    let (dir, environment) = timed(seconds);
    RedisServer::bare_in_environment(dir, environment)
}

fn timed(seconds: i64) -> (TempDir, Vec<(&'static str, OsString)>) {
    let library = library().expect(NO_FAKETIME);
    let dir = tempfile::tempdir().expect("a directory for the server");
    set_offset(dir.path(), seconds);
    let environment = environment(&library, dir.path());
    (dir, environment)
}

/// Steps the wall clock of a timed server to `seconds` ahead of the machine's.
pub fn step_clock(server: &RedisServer, seconds: i64) {
    let before = unix_seconds(server);
    set_offset(server.dir(), seconds);
    let stepped = || (unix_seconds(server) - before).abs() > seconds.abs() / 2;
    poll_until(CLOCK_LIMIT, || stepped().then_some(())).expect("the server's clock to follow");
}

fn unix_seconds(server: &RedisServer) -> i64 {
    let time = server.command(&["TIME"]);
    time.lines().next().and_then(|seconds| seconds.parse().ok()).expect("seconds")
}

fn environment(library: &Path, dir: &Path) -> Vec<(&'static str, OsString)> {
    let mut libraries = library.as_os_str().to_owned();
    let preload = if cfg!(target_os = "macos") { "DYLD_INSERT_LIBRARIES" } else { "LD_PRELOAD" };
    if cfg!(target_os = "linux") {
        // In many builds of Redis the allocator asks for the time before the library is ready; that of the C library
        // does not.
        libraries.push(" libc.so.6");
    }
    vec![
        (preload, libraries),
        ("DYLD_FORCE_FLAT_NAMESPACE", "1".into()),
        ("FAKETIME_TIMESTAMP_FILE", dir.join("offset").into()),
        ("FAKETIME_NO_CACHE", "1".into()),
        // Only the wall clock steps. Two names, for old and for new versions of the library.
        ("DONT_FAKE_MONOTONIC", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ]
}

/// Replaces the file as a whole: the server may read it at any moment.
fn set_offset(dir: &Path, seconds: i64) {
    std::fs::write(dir.join("offset.new"), format!("{seconds:+}\n")).expect("to write the offset");
    std::fs::rename(dir.join("offset.new"), dir.join("offset")).expect("to put the offset in place");
}

/// The library in its variant for programs with threads.
fn library() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .collect();
    places
        .extend(["/usr/lib/faketime/libfaketimeMT.so.1", "/usr/lib64/faketime/libfaketimeMT.so.1"].map(PathBuf::from));
    places
        .extend(["/opt/homebrew", "/usr/local"].map(|brew| Path::new(brew).join("lib/faketime/libfaketimeMT.1.dylib")));
    places.into_iter().find(|place| place.exists())
}
