//! Shows the ledger: servers and writers of its own, and a writer that stands still now and then.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use ledger::servers::{Process, Servers, claim_port};
use tokio::signal::unix::{SignalKind, signal};

/// How long a lock lives here.
const TTL: Duration = Duration::from_secs(1);
/// How long a writer works under its locks.
const WORK: Duration = Duration::from_millis(250);
/// How long a writer stands still: long enough for others to take its locks and write.
const STILL: Duration = Duration::from_millis(1_800);
/// The time between two such pauses.
const BETWEEN: Duration = Duration::from_millis(700);
const NODES: usize = 3;
const WRITERS: [&str; 4] = ["writer 1", "writer 2", "writer 3", "writer 4"];

#[derive(Args)]
pub(crate) struct Play {
    /// Tokens are not compared: watch the sum.
    #[arg(long)]
    unfenced: bool,
}

/// Runs until Ctrl-C, or until it is asked to end in another way.
pub(crate) async fn play(options: &Play) -> crate::Outcome {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let ended = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    };
    let program = std::env::current_exe()?;
    // Dropped in the opposite order: writers, server, database and nodes.
    let servers = tokio::task::block_in_place(|| Servers::start(NODES));
    let port = claim_port();
    let ledger = format!("http://127.0.0.1:{port}");
    let _server = servers.serve(&program, port, !options.unfenced);
    let start = |name: &str| servers.write(&program, &ledger, name, TTL, WORK);
    let writers: Vec<Process> = WRITERS.map(start).into();
    explain(&ledger, !options.unfenced)?;
    tokio::select! {
        () = ended => {}
        () = stand_still_in_turn(&writers) => {}
    }
    println!("\nends what it has started");
    Ok(())
}

/// Each writer stands still in its turn, and goes on as if nothing had happened.
async fn stand_still_in_turn(writers: &[Process]) {
    loop {
        for writer in writers {
            tokio::time::sleep(BETWEEN).await;
            writer.pause();
            tokio::time::sleep(STILL).await;
            writer.resume();
        }
    }
}

fn explain(ledger: &str, fenced: bool) -> std::io::Result<()> {
    let what = if fenced {
        "Refused: a writer that stood still longer than its lease comes back and writes. Its token is lower than the\n\
         highest of the account, so the ledger refuses it, and the sum stays what it was."
    } else {
        "The sum: a writer that stood still longer than its lease comes back and writes what it had computed before. The\n\
         ledger compares no tokens, so the transfers of others in between are lost, and the sum goes wrong."
    };
    let (writers, nodes) = (WRITERS.len(), NODES);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{ledger}/\n\n{writers} writers, {nodes} Redis nodes, PostgreSQL. Look at:\n\n{what}\n\nCtrl-C ends all."
    )?;
    out.flush()
}
