//! A PostgreSQL for one test.

use rustix::process::Signal;

use super::daemon::{Daemon, User, directory, find, finish};

const FOLDERS: &[&str] = &["/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/*/bin"];
const INSTALL: &str = "install PostgreSQL with \"apt-get install postgresql\" or \"brew install postgresql\"";

pub struct Postgres(Daemon);

impl Postgres {
    /// A server that does not wait for the disk: the tests cut connections, not the power.
    pub fn start() -> Self {
        Self::with(&["fsync=off"])
    }

    /// With further settings.
    pub fn with(settings: &[&str]) -> Self {
        // Tests cause deadlocks, and should not wait the default second for their detection.
        let settings: Vec<String> =
            ["max_connections=200", "deadlock_timeout=50ms"].iter().chain(settings).map(ToString::to_string).collect();
        let user = User::named("postgres");
        let dir = directory(user);
        let data = dir.path().join("data");
        let program = |name: &str| find(name, FOLDERS, INSTALL);
        let mut initdb = user.command(&program("initdb"));
        initdb.args(["-U", "redfence", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"]).arg(&data);
        finish(initdb, dir.path());
        let (server, is_ready) = (program("postgres"), program("pg_isready"));
        let command = move |port: u16| {
            let mut command = user.command(&server);
            command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string()]);
            for setting in &settings {
                command.args(["-c", setting]);
            }
            command
        };
        let ready = move |port: u16| {
            let mut command = user.command(&is_ready);
            command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).current_dir("/");
            command.status().is_ok_and(|status| status.success())
        };
        // SIGINT: ends the sessions and then itself.
        Self(Daemon::start(dir, Signal::INT, command, ready))
    }

    /// Ends it as a crash does, connections and transactions with it, and starts it again with its data: it recovers from its
    /// log. With `fsync=off` that holds as long as the machine runs.
    pub fn crash(&mut self) {
        self.0.restart(Signal::QUIT);
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn url(&self) -> String {
        Self::url_at(self.port())
    }

    /// Through a proxy.
    pub fn url_at(port: u16) -> String {
        format!("postgres://redfence@127.0.0.1:{port}/postgres?sslmode=disable")
    }
}
