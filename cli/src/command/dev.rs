//! `redfence dev`: starts servers on this machine, to try things out.

use std::fs::File;
use std::future::poll_fn;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::task::Poll;
use std::time::Duration;

use redfence::{Clock as _, SystemClock};
use serde::Serialize;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::exec;
use crate::args::{DevArgs, Global};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::monitor;
use crate::output::Output;
use crate::signals::Signals;

const PROGRAM: &str = "redis-server";
const NOT_INSTALLED: &str = "redis-server is not installed, or not on PATH: install it with \"apt-get install redis-server\" \
     or \"brew install redis\"; `redfence demo` needs nothing installed";

/// The log line that every supported version of Redis and Valkey writes when it listens.
const READY: &str = "Ready to accept connections";

/// How long a server may take until it listens.
const START_MAX: Duration = Duration::from_secs(10);
/// The time between two checks of the log.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How many ports are tried: a port that was free a moment ago may be taken.
const PORTS_MAX: usize = 5;

#[derive(Serialize)]
struct Ready<'a> {
    /// The value for REDFENCE_NODES.
    nodes: &'a str,
    servers: Vec<ReadyServer<'a>>,
}

#[derive(Serialize)]
struct ReadyServer<'a> {
    url: &'a str,
    pid: Option<u32>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    ServerEnded { url: &'a str, left: usize },
}

/// Starts servers, and stops them at a signal.
pub(crate) async fn dev(args: &DevArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    // The directory must exist longer than the servers, which always end with this program.
    let directory = tempfile::tempdir()
        .map_err(|error| Failure::new(Exit::Failed, format!("no directory for the servers: {error}")))?;
    let started = tokio::select! {
        started = start(args, global, &directory) => started,
        signal = signals.ending() => return Ok(Exit::from(signal)),
    };
    let mut servers = started?;
    let nodes = servers.iter().map(|server| &*server.url).collect::<Vec<_>>().join(",");
    let list = servers.iter().map(|server| ReadyServer { url: &server.url, pid: server.child.id() }).collect();
    let human = format!("export REDFENCE_NODES={nodes}\n# {} servers run until Ctrl-C", servers.len());
    // If no one reads the result, the servers may still be wanted.
    let _ = output.result(&human, &Ready { nodes: &nodes, servers: list });
    let outcome = watch(&mut servers, &mut signals, output).await;
    for server in &mut servers {
        // The servers have nothing to save. One that has already ended is fine.
        let _ = server.child.kill().await;
    }
    outcome
}

/// Reports each server that dies, until a signal ends the program or no server is left.
async fn watch(servers: &mut Vec<Server>, signals: &mut Signals, output: Output) -> Result<Exit, Failure> {
    loop {
        let (at, status) = tokio::select! {
            ended = one_ended(servers) => ended,
            // The usual end.
            _ = signals.ending() => return Ok(Exit::Done),
        };
        let Server { url, .. } = servers.remove(at);
        let (left, status) = (servers.len(), status.map_or_else(|| "unknown".to_owned(), |status| status.to_string()));
        output.event(&Event::ServerEnded { url: &url, left });
        output.note(&format!("{url} has ended ({status}); {left} left"));
        if left == 0 {
            return Err(Failure::new(Exit::Failed, "no server is left"));
        }
    }
}

/// Waits until one of the servers ends.
async fn one_ended(servers: &mut [Server]) -> (usize, Option<ExitStatus>) {
    poll_fn(|context| {
        for (at, server) in servers.iter_mut().enumerate() {
            let mut ended = std::pin::pin!(server.child.wait());
            if let Poll::Ready(status) = ended.as_mut().poll(context) {
                return Poll::Ready((at, status.ok()));
            }
        }
        Poll::Pending
    })
    .await
}

/// One of the servers. It is killed when this is dropped.
struct Server {
    url: String,
    child: Child,
}

async fn start(args: &DevArgs, global: &Global, directory: &TempDir) -> Result<Vec<Server>, Failure> {
    let starting = (0..args.count).map(|_| Server::start(directory));
    let servers: Vec<Server> = futures::future::try_join_all(starting).await?;
    // These servers are the nodes, whatever else was named as nodes.
    let global = Global { nodes: servers.iter().map(|server| server.url.clone()).collect(), ..global.clone() };
    let redlock = connect::to_servers(&global)?.connect().await?;
    redlock.admin().bootstrap().await.map_err(|error| Failure::new(Exit::NoQuorum, error.to_string()))?;
    Ok(servers)
}

impl Server {
    async fn start(directory: &TempDir) -> Result<Self, Failure> {
        let mut last = None;
        for _ in 0..PORTS_MAX {
            let failed =
                |error: std::io::Error| Failure::new(Exit::NoQuorum, format!("{PROGRAM} cannot be run: {error}"));
            let port = free_port().map_err(failed)?;
            let child = spawn(directory, port).map_err(failed)?;
            let mut server = Self { url: format!("redis://127.0.0.1:{port}"), child };
            match server.listens(&log_of(directory, port)).await {
                Ok(()) => return Ok(server),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| did_not_start("no port is free")))
    }

    /// Waits until the server's own log says that it listens. A reply on its port may come from another server, which
    /// must not be initialized.
    async fn listens(&mut self, log: &Path) -> Result<(), Failure> {
        let until = SystemClock.now().after(START_MAX);
        while SystemClock.now() < until {
            let listens = std::fs::read_to_string(log).is_ok_and(|log| log.contains(READY));
            match self.child.try_wait() {
                Ok(None) if listens => return Ok(()),
                Ok(None) => tokio::time::sleep(LOOK_EVERY).await,
                Ok(Some(status)) if Exit::from(status) == Exit::Command(Exit::NotFound.code()) => {
                    return Err(Failure::new(Exit::NoQuorum, NOT_INSTALLED));
                }
                Ok(Some(status)) => return Err(did_not_start(&format!("it ended with {status}"))),
                Err(error) => return Err(did_not_start(&error.to_string())),
            }
        }
        Err(did_not_start(&format!("it did not listen within {START_MAX:?}")))
    }
}

fn did_not_start(why: &str) -> Failure {
    Failure::new(Exit::NoQuorum, format!("{PROGRAM} did not start: {why}"))
}

fn log_of(directory: &TempDir, port: u16) -> PathBuf {
    directory.path().join(format!("{port}.log"))
}

fn spawn(directory: &TempDir, port: u16) -> std::io::Result<Child> {
    let log = File::create(log_of(directory, port))?;
    let port = port.to_string();
    // Started through this program, so that the server always ends with it, but not at Ctrl-C by itself.
    Command::new(monitor::this_program()?)
        .arg0("redfence")
        .args([exec::NAME, &std::process::id().to_string(), PROGRAM])
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--daemonize", "no"])
        .arg("--dir")
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
