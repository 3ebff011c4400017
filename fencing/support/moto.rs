//! A server that speaks S3 for one test: moto, in Python. It keeps objects in memory. It checks a condition and then
//! stores without a lock in between, so it can test the protocol, but not atomicity.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::daemon::{Daemon, User, directory, find};
use super::http::ask;

/// The place where scripts/test installs it.
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/servers/moto/bin/moto_server");
const INSTALL: &str = "install it with \"pip install 'moto[server,s3]'\"";

pub struct Moto(Daemon);

impl Moto {
    pub const BUCKET: &str = "redfence";

    /// A server with an empty bucket.
    pub fn start() -> Self {
        let program = if Path::new(OURS).is_file() { PathBuf::from(OURS) } else { find("moto_server", &[], INSTALL) };
        let command = move |port: u16| {
            let mut command = Command::new(&program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdin(Stdio::null());
            command
        };
        let bucket = format!("/{}", Self::BUCKET);
        let ready = move |port| ask(port, "PUT", &bucket).is_some_and(|answer| answer.starts_with("HTTP/1.1 200"));
        Self(Daemon::start(directory(User::named("root")), Signal::TERM, command, ready))
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }
}
