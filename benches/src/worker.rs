//! Worker processes: the bench starts itself again, gives orders on standard input and reads answers, a line of JSON each.

use std::io::{BufRead as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use redfence::Guard;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Outcome;
use crate::contestants::{Contestant, Locker};
use crate::load::{Load, Tally};
use crate::meter;

/// The first word of a worker's command line.
const WORD: &str = "worker";

/// What a worker is for all its life.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) contestant: Contestant,
    pub(crate) urls: Vec<String>,
}

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Run a load.
    Run(Load),
    /// Let go of what is held; acquire so many leases for so long each and keep them.
    Hold { leases: usize, ttl: Duration },
    /// Tell how it stands.
    Tell,
}

/// What it answers, when it is connected and after every order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// What came of a load.
    pub(crate) tally: Tally,
    /// CPU that the process has spent so far.
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
    /// Leases that are held and not lost.
    pub(crate) held: usize,
}

/// How many leases are acquired at a time.
const ACQUIRES_AT_A_TIME: usize = 256;

/// The setup of this process if it was started as a worker.
pub(crate) fn order() -> Option<String> {
    let mut words = std::env::args().skip(1);
    (words.next().as_deref() == Some(WORD)).then(|| words.next().unwrap_or_default())
}

/// Obeys orders until there are no more.
pub(crate) fn serve(setup: &str) -> Outcome {
    let setup: Setup = serde_json::from_str(setup)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let locker = runtime.block_on(setup.contestant.connect(&setup.urls))?;
    let mut guards = Vec::new();
    answer(Tally::default(), &guards)?;
    for line in std::io::stdin().lock().lines() {
        let mut tally = Tally::default();
        match serde_json::from_str(&line?)? {
            Order::Run(load) => tally = runtime.block_on(load.run(&locker))?,
            Order::Hold { leases, ttl } => {
                // What was held before is let go first: it may be the same.
                guards.clear();
                guards = runtime.block_on(hold(&locker, leases, ttl))?;
            }
            Order::Tell => {}
        }
        answer(tally, &guards)?;
    }
    Ok(())
}

fn answer(tally: Tally, guards: &[Guard]) -> Outcome {
    let held = guards.iter().filter(|guard| guard.check().is_ok()).count();
    let answer = Answer { tally, cpu: meter::cpu_time(), resident_bytes: meter::resident_bytes()?, held };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&answer)?)?;
    Ok(out.flush()?)
}

async fn hold(locker: &Locker, leases: usize, ttl: Duration) -> Outcome<Vec<Guard>> {
    let Locker::Redfence(redlock) = locker else { return Err("only redfence renews leases by itself".into()) };
    let redlock = redlock.with_ttl(ttl)?;
    let mut guards = Vec::with_capacity(leases);
    let mut acquires = futures::stream::iter(0..leases)
        .map(|n| redlock.acquire(format!("lease:{n}")))
        .buffer_unordered(ACQUIRES_AT_A_TIME);
    while let Some(guard) = acquires.try_next().await? {
        guards.push(guard);
    }
    Ok(guards)
}

/// A worker process, from outside. It ends when this is dropped.
pub(crate) struct Worker {
    /// Ends the process with it.
    _process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts a worker; returns when it is connected, with how it stands.
    pub(crate) async fn start(setup: &Setup) -> Outcome<(Self, Answer)> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([WORD, &serde_json::to_string(setup)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a worker has no pipes".into());
        };
        let mut worker = Self { _process: process, orders, answers: BufReader::new(answers).lines() };
        let answer = worker.answer().await?;
        Ok((worker, answer))
    }

    /// Gives an order; [`Worker::answer`] waits for what comes of it.
    pub(crate) async fn order(&mut self, order: &Order) -> Outcome {
        let line = format!("{}\n", serde_json::to_string(order)?);
        Ok(self.orders.write_all(line.as_bytes()).await?)
    }

    /// The answer to the oldest order that has none yet.
    pub(crate) async fn answer(&mut self) -> Outcome<Answer> {
        let line = self.answers.next_line().await?.ok_or("a worker ended; it says why above")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Gives an order and waits for the answer.
    pub(crate) async fn ask(&mut self, order: &Order) -> Outcome<Answer> {
        self.order(order).await?;
        self.answer().await
    }
}
