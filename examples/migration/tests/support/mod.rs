//! Redis servers that the tests of examples start and end.

#[path = "../../../../fencing/support/daemon.rs"]
#[allow(dead_code, unreachable_pub, clippy::indexing_slicing, reason = "a part of it is for databases")]
pub(crate) mod daemon;
#[path = "../../../../tests/support/deadline.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of it is for other tests")]
pub(crate) mod deadline;
#[path = "../../../../tests/support/port.rs"]
#[allow(unreachable_pub, reason = "other tests use it from outside")]
mod port;

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use daemon::{Daemon, User, directory, find};

/// One server on a loopback port.
pub(crate) fn redis() -> Daemon {
    let program = find("redis-server", &["/opt/homebrew/bin"], "install Redis with \"apt-get install redis-server\"");
    let command = move |port: u16| {
        let mut command = Command::new(&program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]).stdin(Stdio::null());
        command
    };
    let ready = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    Daemon::start(directory(User::named("redis")), Signal::TERM, command, ready)
}
