//! Servers of a disaster: ordinary ones, and ones whose wall clock the test sets.

use std::ffi::OsString;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::RedisServer;
use crate::support::deadline::poll_until;
use crate::support::faketime::{environment, set_offset};

const CLOCK_LIMIT: Duration = Duration::from_secs(10);

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
    let dir = tempfile::tempdir().expect("a directory for the server");
    set_offset(dir.path(), seconds);
    let environment = environment(dir.path());
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
