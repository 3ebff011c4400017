//! A ledger with servers and writers of its own, what can happen to it, and what its database says afterwards.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses the part that it needs")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::path::Path;
use std::time::Duration;

use ledger::servers::{Process, Servers, claim_port, eventually};
use tokio::task::block_in_place;
use tokio_postgres::{Client, NoTls};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ledger");
/// Short, so that pauses beyond it are short.
pub const TTL: Duration = Duration::from_secs(1);
/// How long a process stands still: beyond the lease, and time for others to come in between.
pub const BEYOND_THE_LEASE: Duration = Duration::from_millis(1_500);
/// How long a writer works between its last look at the locks and its write: the same with and without fencing.
pub const WORK: Duration = Duration::from_millis(25);
/// For whatever has to come.
pub const LIMIT: Duration = Duration::from_secs(60);

pub struct Stage {
    pub servers: Servers,
    pub server: Process,
    pub writers: Vec<Process>,
    fenced: bool,
    port: u16,
    started: usize,
    /// By servers that were ended since.
    refused: u64,
}

/// What the database says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    pub sum: i64,
    pub opened_with: i64,
    pub transfers: i64,
    /// Accounts whose balance is not what their transfers come to.
    pub wrong: i64,
    /// Transfers that stand behind one of a newer holder of the same account.
    pub disordered: i64,
}

impl Stage {
    pub async fn set(fenced: bool, writers: usize) -> Self {
        let (servers, port) = block_in_place(|| (Servers::start(3), claim_port()));
        let server = servers.serve(Path::new(PROGRAM), port, fenced);
        let mut stage = Self { servers, server, writers: Vec::new(), fenced, port, started: 0, refused: 0 };
        stage.server_is_there().await;
        for _ in 0..writers {
            let writer = stage.writer();
            stage.writers.push(writer);
        }
        stage
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn writer(&mut self) -> Process {
        self.started += 1;
        let name = format!("writer {}", self.started);
        self.servers.write(Path::new(PROGRAM), &self.url(), &name, TTL, WORK)
    }

    async fn server_is_there(&self) {
        eventually(LIMIT, "the ledger answers", async || self.overview().await.is_ok()).await;
    }

    /// Ends a writer in the middle of whatever it does, and starts another in its place.
    pub fn kill_writer(&mut self, at: usize) {
        self.writers[at].kill();
        self.writers[at] = self.writer();
    }

    /// Some writers do not run for longer than a lease lasts, and do not notice.
    pub async fn pause_writers(&self, are_paused: impl Fn(usize) -> bool) {
        let paused = || self.writers.iter().enumerate().filter(|(at, _)| are_paused(*at)).map(|(_, writer)| writer);
        paused().for_each(Process::pause);
        tokio::time::sleep(BEYOND_THE_LEASE).await;
        paused().for_each(Process::resume);
    }

    /// The ledger's server stands still with requests inside, and all leases of their writers end meanwhile or do not.
    pub async fn pause_server(&self) {
        self.server.pause();
        tokio::time::sleep(BEYOND_THE_LEASE).await;
        self.server.resume();
    }

    /// Ends the ledger's server with requests inside, and starts it again.
    pub async fn restart_server(&mut self) {
        self.refused = self.refused().await;
        self.server.kill();
        self.server = self.servers.serve(Path::new(PROGRAM), self.port, self.fenced);
        self.server_is_there().await;
    }

    /// A node forgets all locks and counters.
    pub fn restart_node(&mut self, at: usize) {
        block_in_place(|| self.servers.nodes[at].restart());
    }

    /// A node stands still longer than a lease.
    pub async fn pause_node(&self, at: usize) {
        self.servers.nodes[at].pause();
        tokio::time::sleep(BEYOND_THE_LEASE).await;
        self.servers.nodes[at].resume();
    }

    /// The database crashes and recovers.
    pub fn crash_database(&mut self) {
        block_in_place(|| self.servers.database.crash());
    }

    pub async fn books(&self) -> Books {
        let row = self.database().await.query_one(include_str!("books.sql"), &[]).await.unwrap();
        Books {
            sum: row.get(0),
            opened_with: row.get(1),
            transfers: row.get(2),
            wrong: row.get(3),
            disordered: row.get(4),
        }
    }

    /// How many requests were refused as stale, at least: those between the last look and the end of a server are missing.
    pub async fn refused(&self) -> u64 {
        let mut refused = self.refused;
        eventually(LIMIT, "the ledger answers", async || {
            let overview = self.overview().await;
            refused = overview.as_ref().map_or(refused, |overview| self.refused + overview.refused);
            overview.is_ok()
        })
        .await;
        refused
    }

    async fn overview(&self) -> Result<ledger::Overview, reqwest::Error> {
        reqwest::get(format!("{}/accounts", self.url())).await?.error_for_status()?.json().await
    }

    /// Waits until this many transfers are written.
    pub async fn transfers_reach(&self, count: i64) {
        eventually(LIMIT, "transfers go on", async || self.books().await.transfers >= count).await;
    }

    async fn database(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.servers.database.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}
