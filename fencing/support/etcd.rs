//! An etcd for one test.

use rustix::process::Signal;

use super::daemon::{Daemon, User, directory, find};
use super::http::ask;
use super::port::claim_port;

const INSTALL: &str = "install etcd with \"apt-get install etcd-server\" or \"brew install etcd\"";

pub struct Etcd(Daemon);

impl Etcd {
    /// A cluster of one member.
    pub fn start() -> Self {
        let user = User::named("etcd");
        let dir = directory(user);
        let data = dir.path().join("data");
        let program = find("etcd", &[], INSTALL);
        let command = move |port: u16| {
            let (clients, peers) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", claim_port()));
            let mut command = user.command(&program);
            command.args(["--name", "alone", "--data-dir"]).arg(&data);
            command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
            command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
            command.args(["--initial-cluster", &format!("alone={peers}")]);
            command
        };
        let ready = |port| ask(port, "GET", "/health").is_some_and(|answer| answer.contains("\"true\""));
        Self(Daemon::start(dir, Signal::TERM, command, ready))
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }
}
