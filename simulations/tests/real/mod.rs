//! A real `redis-server` on its own Unix socket, which ends with the test that started it.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const NOT_FOUND: &str = "redis-server was not found on PATH. This test compares the virtual server with a real one: \
     install it with \"apt-get install redis-server\" or \"brew install redis\", or run scripts/test, which does.";
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct RealServer {
    child: Child,
    dir: TempDir,
}

/// One connection that sends and receives raw bytes.
pub(crate) struct RealConnection(UnixStream);

impl RealServer {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the server");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"]);
        command.arg(dir.path().join("socket")).arg("--dir").arg(dir.path()).args(arguments);
        let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => panic!("{NOT_FOUND}"),
            Err(error) => panic!("redis-server could not be started: {error}"),
        };
        let mut log = BufReader::new(child.stdout.take().expect("the log of our own server"));
        let (mut said, mut line) = (String::new(), String::new());
        while !line.contains("eady to accept connections") {
            line.clear();
            let length = log.read_line(&mut line).expect("to read the log of our own server");
            assert!(length > 0, "redis-server ended before it was ready:\n{said}");
            said.push_str(&line);
        }
        // The rest of the log is not read. A full pipe would stop the server, but it writes only a line or two more.
        child.stdout = Some(log.into_inner());
        Self { child, dir }
    }

    pub(crate) fn connect(&self) -> RealConnection {
        let stream = UnixStream::connect(self.dir.path().join("socket")).expect("to reach our own server");
        stream.set_read_timeout(Some(ANSWER_LIMIT)).expect("to bound the wait");
        RealConnection(stream)
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RealConnection {
    /// Sends `request` and reads until the answer ends with `end`, or the server hangs up.
    pub(crate) fn exchange(&mut self, request: &[u8], end: &[u8]) -> Vec<u8> {
        self.0.write_all(request).expect("to send to our own server");
        let (mut answer, mut part) = (Vec::new(), [0; 65_536]);
        loop {
            let length = match self.0.read(&mut part) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                Err(error) => panic!("no answer to {:?}: {error}", String::from_utf8_lossy(request)),
            };
            answer.extend_from_slice(&part[..length]);
            if length == 0 || (!end.is_empty() && answer.ends_with(end)) {
                return answer;
            }
        }
    }
}
