//! Every Rust block of the migration guides does on three real servers what its page says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

#[path = "../../../fencing/support/daemon.rs"]
#[allow(dead_code, unreachable_pub, clippy::indexing_slicing, reason = "a part of it is for databases")]
mod daemon;
#[path = "../../../tests/support/deadline.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of it is for other tests")]
mod deadline;
#[path = "../../../tests/support/port.rs"]
#[allow(unreachable_pub, reason = "other tests use it from outside")]
mod port;

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};

use daemon::{Daemon, User, directory, find};
use redfence::Redlock;
use rustix::process::Signal;

fn redis() -> Daemon {
    let program = find("redis-server", &["/opt/homebrew/bin"], "install Redis with \"apt-get install redis-server\"");
    let command = move |port: u16| {
        let mut command = Command::new(&program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]).stdin(Stdio::null());
        command
    };
    let ready = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    Daemon::start(directory(User::named("redis")), Signal::TERM, command, ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_of_rust_runs_on_three_servers() {
    let servers = [redis(), redis(), redis()];
    let urls = servers.each_ref().map(|server| format!("redis://127.0.0.1:{}", server.port));
    // The pages take it for granted, as `redfence bootstrap`.
    Redlock::builder().urls(&urls).new_installation(true).connect().await.unwrap();
    migration_example::run(&urls).await.unwrap();
}
