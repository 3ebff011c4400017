//! The command: shows the ledger, or is one of its processes.

mod play;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ledger::writer::Writer;
use rand::SeedableRng as _;
use rand::rngs::{StdRng, SysRng};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A ledger that several writers change under a distributed lock, and that refuses those whose lease is over.
///
/// Without a command it starts servers and writers of its own, and prints where to look.
#[derive(Parser)]
#[command(name = "ledger", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    play: play::Play,
}

#[derive(Subcommand)]
enum Task {
    /// The ledger's server alone. It ends with its standard input.
    Serve(Serve),
    /// A writer alone. It ends with its standard input.
    Write(Write),
    /// Takes locks in turn and writes down every answer. It ends with its standard input.
    Contend(Contend),
}

#[derive(Args)]
struct Serve {
    /// The database, as a URL.
    #[arg(long)]
    database: tokio_postgres::Config,
    /// The port, on loopback. 0: any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Reads tokens and does not compare them: to see what becomes of the money then.
    #[arg(long)]
    unfenced: bool,
}

#[derive(Args)]
struct Lock {
    /// The nodes of the lock, as URLs, with commas.
    #[arg(long, value_delimiter = ',', required = true)]
    nodes: Vec<String>,
    /// How long a lock lives unless it is renewed.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "2s")]
    ttl: Duration,
    /// How long it works under the lock.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "20ms")]
    work: Duration,
}

#[derive(Args)]
struct Write {
    #[command(flatten)]
    lock: Lock,
    /// Where the ledger is.
    #[arg(long)]
    ledger: String,
    /// Its name, for people.
    #[arg(long, default_value = "writer")]
    name: String,
}

#[derive(Args)]
struct Contend {
    #[command(flatten)]
    lock: Lock,
    /// What to lock, in turn, with commas.
    #[arg(long, value_delimiter = ',', required = true)]
    resources: Vec<String>,
    /// Where to write the history to, a line for each answer.
    #[arg(long)]
    history: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, play } = Arguments::parse();
    let outcome = match command {
        None => play::play(&play).await,
        Some(Task::Serve(task)) => serve(task).await,
        Some(Task::Write(task)) => write(task).await,
        Some(Task::Contend(task)) => contend(task).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ledger: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(task: Serve) -> Outcome {
    let router = ledger::server::router(task.database, !task.unfenced).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, task.port)).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(ledger::server::serve(listener, router, input_ended()).await?)
}

async fn write(task: Write) -> Outcome {
    let lock = ledger::lock(&task.lock.nodes, task.lock.ttl, &task.name).await?;
    let mut rng = StdRng::try_from_rng(&mut SysRng)?;
    let writer = Writer { name: task.name, ledger: task.ledger, work: task.lock.work };
    tokio::select! {
        ended = writer.run(&lock, &mut rng) => Ok(ended?),
        () = input_ended() => Ok(()),
    }
}

async fn contend(task: Contend) -> Outcome {
    let lock = ledger::lock(&task.lock.nodes, task.lock.ttl, "contender").await?;
    tokio::select! {
        ended = ledger::contender::run(&lock, &task.resources, task.lock.work, &task.history) => Ok(ended?),
        () = input_ended() => Ok(()),
    }
}

/// The process that started this one has ended, or wants it to end.
async fn input_ended() {
    let mut ignored = [0; 64];
    let mut input = tokio::io::stdin();
    while matches!(input.read(&mut ignored).await, Ok(1..)) {}
}
