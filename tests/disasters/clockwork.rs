//! Servers of a disaster: ordinary ones, and ones whose wall clock the test sets.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::RedisServer;
use crate::support::deadline::poll_until;

const START_LIMIT: Duration = Duration::from_secs(10);
const PORT_ATTEMPTS_MAX: usize = 10;

const NO_FAKETIME: &str = "libfaketime was not found in /usr/lib or Homebrew. The disasters set the clocks of servers with it: \
     install it with \"apt-get install libfaketime\" or \"brew install libfaketime\", or run scripts/test, which does.";

/// One server of a set.
pub enum Server {
    Plain(RedisServer),
    Timed(Clockwork),
}

impl Server {
    pub fn port(&self) -> u16 {
        match self {
            Self::Plain(server) => server.port(),
            Self::Timed(server) => server.port,
        }
    }

    /// Sends one command and renders the reply for a human.
    pub fn command(&self, words: &[&str]) -> String {
        match self {
            Self::Plain(server) => server.command(words),
            Self::Timed(server) => server.command(words).expect("an answer from our own server"),
        }
    }

    pub fn restart(&mut self) {
        match self {
            Self::Plain(server) => server.restart(),
            Self::Timed(server) => server.restart(),
        }
    }

    pub fn kill(&mut self) {
        match self {
            Self::Plain(server) => server.kill(),
            Self::Timed(server) => server.kill(),
        }
    }

    /// Moves the server's wall clock to so many seconds beside the machine's, at once.
    pub fn step_clock(&self, seconds: i64) {
        match self {
            Self::Plain(_) => panic!("the clock of this server cannot be set"),
            Self::Timed(server) => server.step_clock(seconds),
        }
    }
}

/// A server that reads the time from a file of ours.
pub struct Clockwork {
    child: Child,
    dir: TempDir,
    port: u16,
    library: PathBuf,
}

impl Clockwork {
    pub fn start() -> Self {
        let library = library().expect(NO_FAKETIME);
        let dir = tempfile::tempdir().expect("a directory for the server");
        set_offset(dir.path(), 0);
        let mut server = Self { child: spawn(dir.path(), 0, &library), dir, port: 0, library };
        // A port that was free a moment ago may be taken now: then the next one.
        for _ in 0..PORT_ATTEMPTS_MAX {
            server.kill();
            server.port = free_port();
            server.child = spawn(server.dir.path(), server.port, &server.library);
            if server.is_ready() {
                return server;
            }
        }
        panic!("redis-server under libfaketime did not start on {PORT_ATTEMPTS_MAX} ports in a row");
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.dir.path(), self.port, &self.library);
        assert!(self.is_ready(), "redis-server under libfaketime did not come back on port {}", self.port);
    }

    fn step_clock(&self, seconds: i64) {
        let before = self.unix_seconds();
        set_offset(self.dir.path(), seconds);
        let stepped = || (self.unix_seconds() - before).abs() > seconds.abs() / 2;
        poll_until(START_LIMIT, || stepped().then_some(())).expect("the server's clock to follow");
    }

    fn unix_seconds(&self) -> i64 {
        let time = self.command(&["TIME"]).expect("the server's time");
        time.lines().next().and_then(|seconds| seconds.parse().ok()).expect("seconds")
    }

    fn is_ready(&mut self) -> bool {
        let ready = poll_until(START_LIMIT, || {
            let ended = self.child.try_wait().expect("to look at our own server").is_some();
            let up = !ended && self.command(&["PING"]).is_ok_and(|answer| answer == "PONG");
            (ended || up).then_some(up)
        });
        ready.unwrap_or(false)
    }

    fn command(&self, words: &[&str]) -> redis::RedisResult<String> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let mut connection = client.get_connection_with_timeout(START_LIMIT)?;
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        Ok(rendered(&command.query(&mut connection)?))
    }
}

impl Drop for Clockwork {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    listener.local_addr().expect("the port that was given").port()
}

fn rendered(value: &redis::Value) -> String {
    match value {
        redis::Value::Int(number) => number.to_string(),
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::SimpleString(text) => text.clone(),
        redis::Value::Okay => "OK".to_owned(),
        redis::Value::Array(values) => values.iter().map(rendered).collect::<Vec<_>>().join("\n"),
        _ => "(nil)".to_owned(),
    }
}

fn spawn(dir: &Path, port: u16, library: &Path) -> Child {
    let mut libraries = library.as_os_str().to_owned();
    let preload = if cfg!(target_os = "macos") { "DYLD_INSERT_LIBRARIES" } else { "LD_PRELOAD" };
    if cfg!(target_os = "linux") {
        // The allocator of many builds of Redis asks for the time before the library is ready; the C library's does not.
        libraries.push(" libc.so.6");
    }
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no", "--dir"])
        .arg(dir)
        .env(preload, libraries)
        .env("DYLD_FORCE_FLAT_NAMESPACE", "1")
        .env("FAKETIME_TIMESTAMP_FILE", dir.join("offset"))
        .env("FAKETIME_NO_CACHE", "1")
        // Only the wall clock steps. Two names, for old and for new versions of the library.
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("to start redis-server; scripts/test installs it")
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
