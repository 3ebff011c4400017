//! Servers and processes on this machine: the ledger's own, for the command that shows it and for its tests.

mod process;
mod support;

use std::time::Duration;

pub use process::Process;
pub use support::deadline::{Deadline, eventually, poll_until};
pub use support::port::claim_port;
pub use support::{Postgres, RedisServer};

/// Nodes for the lock and a database, ended when this is dropped.
pub struct Servers {
    /// Servers without anything on disk: what they forget, they forget.
    pub nodes: Vec<RedisServer>,
    /// Transactions and fences.
    pub database: Postgres,
}

impl Servers {
    /// Starts all of them, side by side.
    #[must_use]
    pub fn start(nodes: usize) -> Self {
        let starting = std::thread::spawn(Postgres::start);
        let nodes = support::redis::servers(nodes);
        let database = starting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Self { nodes, database }
    }

    /// Where the nodes are.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// A process of the ledger's server, on a port.
    #[must_use]
    pub fn serve(&self, program: &std::path::Path, port: u16, fenced: bool) -> Process {
        let (port, database) = (port.to_string(), self.database.url());
        let mut arguments = vec!["serve", "--port", &port, "--database", &database];
        arguments.extend((!fenced).then_some("--unfenced"));
        Process::start(program, &arguments)
    }

    /// A process that writes.
    #[must_use]
    pub fn write(&self, program: &std::path::Path, ledger: &str, name: &str, ttl: Duration, work: Duration) -> Process {
        let (nodes, ttl, work) = (self.urls().join(","), written(ttl), written(work));
        let lock = ["--nodes", &nodes, "--ttl", &ttl, "--work", &work];
        Process::start(program, &[&["write", "--name", name, "--ledger", ledger], &lock[..]].concat())
    }
}

fn written(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
