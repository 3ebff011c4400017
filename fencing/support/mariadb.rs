//! A MariaDB for one test.

use rustix::process::Signal;

use super::daemon::{Daemon, User, directory, find, finish};

const FOLDERS: &[&str] = &["/usr/sbin", "/opt/homebrew/bin"];
const INSTALL: &str = "install MariaDB with \"apt-get install mariadb-server\" or \"brew install mariadb\"";

pub struct MariaDb(Daemon);

impl MariaDb {
    /// A server that does not wait for the disk: the tests cut connections, not the power.
    pub fn start() -> Self {
        Self::with(&["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"])
    }

    /// With further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let user = User::named("mysql");
        let dir = directory(user);
        let data = dir.path().join("data");
        let program = |name: &str| find(name, FOLDERS, INSTALL);
        let mut install = user.command(&program("mariadb-install-db"));
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(format!("--datadir={}", data.display()));
        finish(install, dir.path());
        let (server, admin) = (program("mariadbd"), program("mariadb-admin"));
        let socket = dir.path().join("socket");
        let command = move |port: u16| {
            let mut command = user.command(&server);
            command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
            command.arg(format!("--datadir={}", data.display())).arg(format!("--socket={}", socket.display()));
            command.arg(format!("--port={port}")).args(["--max-connections=400", "--innodb-buffer-pool-size=32M"]);
            command.args(&arguments);
            command
        };
        let ready = move |port: u16| {
            let mut command = user.command(&admin);
            command.args(["--no-defaults", "--protocol=tcp", "-h127.0.0.1", "-uroot", "-s", "ping"]).current_dir("/");
            command.arg(format!("-P{port}")).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let server = Self(Daemon::start(dir, Signal::TERM, command, ready));
        let mut create = user.command(&program("mariadb"));
        create.args(["--no-defaults", "--protocol=tcp", "-h127.0.0.1", "-uroot", "-e", "CREATE DATABASE redfence"]);
        create.arg(format!("-P{}", server.port()));
        let created = create.status();
        assert!(created.is_ok_and(|status| status.success()), "{create:?} failed");
        server
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn url(&self) -> String {
        Self::url_at(self.port())
    }

    /// Through a proxy.
    pub fn url_at(port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}/redfence?ssl-mode=disabled")
    }
}
