//! The program under test, and its output.

#![allow(dead_code, unreachable_pub, reason = "every test binary compiles this module and uses the part that it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot run the program has failed"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::RedisServer;
use crate::support::deadline::poll_until;

/// Longer than any test here takes, unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(20);

/// The program without the configuration of the machine.
pub fn redfence() -> Command {
    let binary = env!("CARGO_BIN_EXE_redfence");
    // The process that runs the tests may ignore signals (nohup, some CI), and ignored signals are inherited. These
    // runs reset that.
    let mut command = if cfg!(target_os = "linux") {
        let mut command = Command::new("/usr/bin/env");
        command.args(["--default-signal", binary]);
        command
    } else {
        Command::new(binary)
    };
    for variable in ["REDFENCE_NODES", "REDFENCE_CA_FILE", "REDFENCE_LOG", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// The program with these nodes in its environment.
pub fn with_nodes(servers: &[RedisServer]) -> Command {
    let mut command = redfence();
    command.env("REDFENCE_NODES", urls(servers));
    command
}

pub fn urls(servers: &[RedisServer]) -> String {
    servers.iter().map(RedisServer::url).collect::<Vec<_>>().join(",")
}

/// The result of a program.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// All output on stdout as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// All output on stdout and stderr.
    pub fn everything(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// Runs the program to its end.
pub fn run(command: &mut Command, args: &[&str]) -> Ran {
    finished(command.args(args).output().unwrap())
}

pub fn call(nodes: &[RedisServer], args: &[&str]) -> Ran {
    run(&mut with_nodes(nodes), args)
}

pub fn json(nodes: &[RedisServer], args: &[&str]) -> Ran {
    run(with_nodes(nodes).arg("--json"), args)
}

/// Acquires, and returns the holder.
pub fn acquired(nodes: &[RedisServer], resource: &str, ttl: &str, label: &str) -> String {
    let ran = json(nodes, &["acquire", resource, "--ttl", ttl, "--label", label]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()["holder"].as_str().unwrap().to_owned()
}

pub fn is_free(nodes: &[RedisServer], resource: &str) -> bool {
    json(nodes, &["status", resource]).json()["agreement"] == "free"
}

/// The text that a script wrote, once it is there.
pub fn written(path: &Path) -> String {
    poll_until(LIMIT, || fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')))
        .unwrap_or_else(|limit| panic!("nothing in {} after {limit:?}", path.display()))
}

fn finished(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A program that still runs. It is killed at the end of the test.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command, args: &[&str]) -> Self {
        Self(command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Its events, as they come.
    pub fn events(&mut self) -> Events {
        Events(BufReader::new(self.0.stderr.take().unwrap()))
    }

    pub fn close_stdout_after_a_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line
    }

    pub fn code(&mut self) -> i32 {
        let ended = poll_until(LIMIT, || self.0.try_wait().unwrap());
        ended.unwrap_or_else(|limit| panic!("still running after {limit:?}")).code().unwrap()
    }

    /// Signals the program if it still runs. Returns whether that signal has ended it.
    pub fn ended_by(&mut self, signal: Signal) -> Option<()> {
        use std::os::unix::process::ExitStatusExt as _;
        match self.0.try_wait().unwrap() {
            Some(status) => (status.signal() == Some(signal.as_raw())).then_some(()),
            None => {
                self.signal(signal);
                None
            }
        }
    }

    pub fn killed(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub fn stderr(&mut self) -> String {
        std::io::read_to_string(self.0.stderr.take().unwrap()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of `--json` on stderr.
pub struct Events(BufReader<ChildStderr>);

impl Events {
    /// The next event, which must have this name.
    pub fn expect(&mut self, name: &str) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert_eq!(event["event"], name, "{line}");
        event
    }
}
