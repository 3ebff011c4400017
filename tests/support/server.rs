//! A real `redis-server`, which a test starts and which ends with the test.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use super::deadline::poll_until;
use super::port::claim_port;
use super::tls::TestCa;

const START_LIMIT: Duration = Duration::from_secs(10);
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// Another program may use a port that we claimed.
const PORT_ATTEMPTS_MAX: usize = 10;

const NOT_FOUND: &str = "redis-server was not found on PATH. These tests start their own servers: \
     install it with \"apt-get install redis-server\" or \"brew install redis\", or run scripts/test, which does.";

/// One server process on loopback, with its own directory. It keeps nothing on disk unless asked to.
pub struct RedisServer {
    child: Child,
    dir: TempDir,
    port: u16,
    tls_port: Option<u16>,
    extra_args: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
    state: Mutex<State>,
}

/// The last thing that was done to the process: a signal may go only to a living process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Paused,
    Killed,
}

/// `n` independent servers, started side by side.
pub fn servers(n: usize) -> Vec<RedisServer> {
    let starting: Vec<_> = (0..n).map(|_| std::thread::spawn(RedisServer::start)).collect();
    starting.into_iter().map(|server| server.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With further arguments of redis-server, such as `&["--maxmemory", "1mb"]`.
    pub fn with(extra_args: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the server");
        let server = Self::launch(dir, extra_args.iter().map(|arg| (*arg).to_owned()).collect(), Vec::new(), false);
        server.found();
        server
    }

    /// With further variables in its environment, and with the directory that it runs in.
    pub fn in_environment(dir: TempDir, environment: Vec<(&'static str, OsString)>) -> Self {
        let server = Self::bare_in_environment(dir, environment);
        server.found();
        server
    }

    /// The same, not initialized.
    pub fn bare_in_environment(dir: TempDir, environment: Vec<(&'static str, OsString)>) -> Self {
        Self::launch(dir, Vec::new(), environment, false)
    }

    /// A server that is not initialized, as after its very first start.
    pub fn bare() -> Self {
        Self::bare_with(&[])
    }

    /// The same with further arguments of redis-server.
    pub fn bare_with(extra_args: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the server");
        Self::launch(dir, extra_args.iter().map(|arg| (*arg).to_owned()).collect(), Vec::new(), false)
    }

    /// Listening on a Unix domain socket as well; see [`RedisServer::unix_url`].
    pub fn with_unix_socket() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the server");
        let socket = dir.path().join("redis.sock").display().to_string();
        Self::launch(dir, vec!["--unixsocket".to_owned(), socket], Vec::new(), false)
    }

    /// Listening for TLS as well; see [`RedisServer::tls_url`]. The plain port remains, for [`RedisServer::command`].
    pub fn start_tls(ca: &TestCa) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the server");
        let mut args = vec!["--tls-auth-clients".to_owned(), "no".to_owned()];
        for (flag, path) in [
            ("--tls-cert-file", ca.certificate_path()),
            ("--tls-key-file", ca.key_path()),
            ("--tls-ca-cert-file", ca.ca_path()),
        ] {
            args.extend([flag.to_owned(), path.display().to_string()]);
        }
        Self::launch(dir, args, Vec::new(), true)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it runs, and keeps its data.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.dir.path().join("redis.sock").display())
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("tls_port() and tls_url() are for a server started with start_tls()")
    }

    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.tls_port())
    }

    /// Declares the server new, as `redfence bootstrap` does: a server that started a moment ago would have to rest
    /// before it takes part, for it may have forgotten locks.
    pub fn found(&self) {
        let script = include_str!("../../src/node/redis/join.lua");
        let answer =
            self.command(&["EVAL", script, "1", "redfence:node", "initialize", "redfence", "1", "0", "", "0", "1"]);
        // A replica takes no writes, and a full server has no room for counters. Some tests are about these servers.
        let stays_as_it_is = ["READONLY", "OOM"].iter().any(|code| answer.contains(code));
        assert!(!answer.starts_with("(error)") || stays_as_it_is, "the server could not be initialized: {answer}");
    }

    /// Ends the server as a power cut does: what was not on disk is lost.
    pub fn kill(&mut self) {
        self.child.kill().expect("to kill our own server");
        self.child.wait().expect("to see our own server end");
        self.set_state(State::Killed);
    }

    /// Starts the server again on the same port, in the same directory and with the same arguments.
    pub fn restart(&mut self) {
        self.kill();
        self.spawn_again();
        if let Err(why) = self.wait_until_ready() {
            panic!("redis-server did not come back on port {}: {why}", self.port);
        }
    }

    /// Freezes the process: connections stay open, and nothing is answered.
    pub fn pause(&self) {
        if self.state() == State::Running {
            kill_process(self.pid(), Signal::STOP).expect("to stop our own server");
            // The signal takes effect some time later; after this wait the caller can rely on silence.
            waitpid(Some(self.pid()), WaitOptions::UNTRACED).expect("to see our own server stopped");
            self.set_state(State::Paused);
        }
    }

    /// Lets it go on: what arrived in between is answered now.
    pub fn resume(&self) {
        if self.state() == State::Paused {
            kill_process(self.pid(), Signal::CONT).expect("to continue our own server");
            self.set_state(State::Running);
        }
    }

    /// Sends one command on a new connection, and renders the reply for a human: `OK`, `42`, `(nil)`, `(error) ERR …`,
    /// one line an element of an array.
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words)
            .unwrap_or_else(|error| panic!("{words:?} got no answer from the server on port {}: {error}", self.port))
    }

    /// Whether it is Redis 7 or later, or a Valkey, which says that it is Redis 7.2.
    pub fn is_redis_7(&self) -> bool {
        let info = self.command(&["INFO", "server"]);
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).expect("a version");
        version.split('.').next().and_then(|major| major.parse::<u32>().ok()).expect("a number") >= 7
    }

    /// Every key of the first database, sorted. An initialized server has a record and all counters.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.command(&["KEYS", "*"]).lines().map(str::to_owned).collect();
        keys.sort();
        keys
    }

    fn launch(dir: TempDir, extra_args: Vec<String>, environment: Vec<(&'static str, OsString)>, tls: bool) -> Self {
        let (port, tls_port) = (claim_port(), tls.then(claim_port));
        let child = spawn(dir.path(), port, tls_port, &extra_args, &environment);
        let state = Mutex::new(State::Running);
        let mut server = Self { child, dir, port, tls_port, extra_args, environment, state };

        for _ in 0..PORT_ATTEMPTS_MAX {
            match server.wait_until_ready() {
                Ok(()) => return server,
                Err(why) if why.contains("Address already in use") => {
                    server.kill();
                    (server.port, server.tls_port) = (claim_port(), tls.then(claim_port));
                    server.spawn_again();
                }
                Err(why) => panic!("redis-server {:?} did not start: {why}", server.extra_args),
            }
        }
        panic!("{PORT_ATTEMPTS_MAX} claimed ports in a row were taken by other programs");
    }

    fn spawn_again(&mut self) {
        self.child = spawn(self.dir.path(), self.port, self.tls_port, &self.extra_args, &self.environment);
        self.set_state(State::Running);
    }

    /// Its log must say that it is ready, and the answer must name its process, so that it cannot come from another
    /// server.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let outcome = poll_until(START_LIMIT, || {
            if let Some(status) = self.child.try_wait().expect("to look at our own server") {
                return Some(Err(format!("it ended with {status}:\n{}", self.log())));
            }
            if !self.log().contains("Ready to accept connections") {
                return None;
            }
            let info = self.try_command(&["INFO", "server"]).ok()?;
            let ours = self.child.id().to_string();
            // If INFO is forbidden, the process is not known; but the log says that the server is ready.
            match info.lines().find_map(|line| line.strip_prefix("process_id:")) {
                Some(process) if process != ours => {
                    Some(Err(format!("process {process} answers on port {}, and ours is {ours}", self.port)))
                }
                _ => Some(Ok(())),
            }
        });
        outcome.unwrap_or_else(|limit| Err(format!("no answer to INFO within {limit:?}:\n{}", self.log())))
    }

    fn try_command(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(COMMAND_LIMIT))?;
        let mut replies = BufReader::new(stream.try_clone()?);
        if let Some(password) = self.password() {
            stream.write_all(&request(&["AUTH", password]))?;
            read_reply(&mut replies)?;
        }
        stream.write_all(&request(words))?;
        read_reply(&mut replies)
    }

    fn password(&self) -> Option<&str> {
        let flag = self.extra_args.iter().position(|arg| arg == "--requirepass")?;
        self.extra_args.get(flag + 1).map(String::as_str)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(log_path(self.dir.path())).unwrap_or_default()
    }

    fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process too. Errors are ignored: the server may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    dir: &Path,
    port: u16,
    tls_port: Option<u16>,
    extra_args: &[String],
    environment: &[(&'static str, OsString)],
) -> Child {
    // Truncates the log of the previous process: "Ready" must come from the one that starts now.
    let log = File::create(log_path(dir)).expect("a log file for the server");
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "-::1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"])
        .arg(dir)
        .args(extra_args)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the same log file for both streams"))
        .stderr(log);
    if let Some(tls_port) = tls_port {
        command.args(["--tls-port", &tls_port.to_string()]);
    }
    match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{NOT_FOUND}"),
        Err(error) => panic!("redis-server could not be started: {error}"),
    }
}

fn log_path(dir: &Path) -> PathBuf {
    dir.join("redis.log")
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

fn read_reply(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line.trim_end().split_at(1);
    let length = || rest.parse::<i64>().map_err(|_| std::io::Error::other(format!("not RESP: {line:?}")));
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "-" => Ok(format!("(error) {rest}")),
        "$" => match usize::try_from(length()?) {
            Err(_) => Ok("(nil)".to_owned()),
            Ok(size) => {
                let mut bulk = vec![0; size + 2];
                from.read_exact(&mut bulk)?;
                bulk.truncate(size);
                Ok(String::from_utf8_lossy(&bulk).into_owned())
            }
        },
        "*" => match usize::try_from(length()?) {
            Err(_) => Ok("(nil)".to_owned()),
            Ok(count) => {
                let elements: std::io::Result<Vec<String>> = (0..count).map(|_| read_reply(from)).collect();
                Ok(elements?.join("\n"))
            }
        },
        _ => Err(std::io::Error::other(format!("not RESP: {line:?}"))),
    }
}
