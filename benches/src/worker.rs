//! Worker processes: the bench starts itself again, sends orders to standard input and reads answers, one line of JSON
//! each.

use std::io::{BufRead as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use redfence::Guard;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::contestants::{Contestant, Locker};
use crate::load::{Load, Tally};
use crate::meter;
use crate::outcome::Outcome;
use crate::stint::{Record, Stint};

/// The first word of a worker's command line.
const WORD: &str = "worker";

/// The setup of a worker, which does not change.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) contestant: Contestant,
    pub(crate) urls: Vec<String>,
    /// Threads of its runtime; by default as many as there are cores.
    threads: Option<usize>,
}

impl Setup {
    /// A worker that may use the whole machine.
    pub(crate) const fn new(contestant: Contestant, urls: Vec<String>) -> Self {
        Self { contestant, urls, threads: None }
    }

    /// A worker among very many: its runtime has one thread.
    pub(crate) const fn small(contestant: Contestant, urls: Vec<String>) -> Self {
        Self { contestant, urls, threads: Some(1) }
    }
}

/// A command to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Run a load.
    Run(Load),
    /// Acquire one resource again and again, like other processes.
    Work(Stint),
    /// Release all leases. Then acquire this many leases with this TTL, and keep them.
    Hold { leases: usize, ttl: Duration },
    /// Report the present state.
    Report,
}

/// Its answers: one when it is connected, and one after every order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Responder {
    /// The result of a load.
    pub(crate) tally: Tally,
    /// The result of a stint.
    pub(crate) record: Record,
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

/// Carries out orders until there are no more.
pub(crate) fn serve(setup: &str) -> Outcome {
    let setup: Setup = serde_json::from_str(setup)?;
    end_with_the_bench();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    setup.threads.map(|threads| runtime.worker_threads(threads));
    let runtime = runtime.enable_all().build()?;
    let locker = runtime.block_on(setup.contestant.connect(&setup.urls))?;
    let mut guards = Vec::new();
    answer(Tally::default(), Record::default(), &guards)?;
    for line in std::io::stdin().lock().lines() {
        let (mut tally, mut record) = (Tally::default(), Record::default());
        match serde_json::from_str(&line?)? {
            Order::Run(load) => tally = runtime.block_on(load.run(&locker))?,
            Order::Work(stint) => record = runtime.block_on(stint.run(&locker))?,
            Order::Hold { leases, ttl } => {
                // Earlier leases are released first: they may be for the same resources.
                guards.clear();
                guards = runtime.block_on(hold(&locker, leases, ttl))?;
            }
            Order::Report => {}
        }
        answer(tally, record, &guards)?;
    }
    Ok(())
}

/// Also if the bench ends without having ended its workers. Only Linux has this; elsewhere they end with their orders.
fn end_with_the_bench() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
}

fn answer(tally: Tally, record: Record, guards: &[Guard]) -> Outcome {
    let held = guards.iter().filter(|guard| guard.check().is_ok()).count();
    let (cpu, resident_bytes) = (meter::cpu_time(), meter::resident_bytes()?);
    let answer = Responder { tally, record, cpu, resident_bytes, held };
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

/// How long a worker may take to end once it has no more orders.
const END_LIMIT: Duration = Duration::from_secs(10);

/// The control of a worker process. The process ends when this is dropped.
pub(crate) struct Worker {
    contestant: Contestant,
    /// Ends the process with it.
    process: Child,
    id: u32,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts a worker. Returns when it is connected, with its state.
    pub(crate) async fn start(setup: &Setup) -> Outcome<(Self, Responder)> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([WORD, &serde_json::to_string(setup)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a worker has no pipes".into());
        };
        let id = process.id().ok_or("a worker has no process")?;
        let answers = BufReader::new(answers).lines();
        let mut worker = Self { contestant: setup.contestant, process, id, orders, answers };
        let answer = worker.answer().await?;
        Ok((worker, answer))
    }

    /// Sends an order; [`Worker::answer`] waits for its result.
    pub(crate) async fn order(&mut self, order: &Order) -> Outcome {
        let line = format!("{}\n", serde_json::to_string(order)?);
        Ok(self.orders.write_all(line.as_bytes()).await?)
    }

    /// The answer to the oldest order that has none yet.
    pub(crate) async fn answer(&mut self) -> Outcome<Responder> {
        let line =
            self.answers.next_line().await?.ok_or_else(|| format!("{} ended; the reason is above", self.name()))?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Gives an order and waits for the answer.
    pub(crate) async fn ask(&mut self, order: &Order) -> Outcome<Responder> {
        self.order(order).await?;
        self.answer().await
    }

    /// The same; it is an error if there is none within `limit`.
    pub(crate) async fn answer_within(&mut self, limit: Duration) -> Outcome<Responder> {
        let late = format!("{} did not answer within {limit:?}", self.name());
        tokio::time::timeout(limit, self.answer()).await.map_err(|_| late)?
    }

    /// Its name and process id, for messages.
    fn name(&self) -> String {
        format!("a worker of {} (process {})", self.contestant.name(), self.id)
    }

    /// The id of its process.
    pub(crate) const fn process(&self) -> u32 {
        self.id
    }

    /// Stops the process: its connections stay open, and it does nothing.
    pub(crate) fn stop(&self) -> Outcome {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) -> Outcome {
        self.signal(Signal::CONT)
    }

    /// A process that has not been waited for keeps its id, so the signal meets no other process.
    fn signal(&self, signal: Signal) -> Outcome {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.ok_or_else(|| format!("{} has ended", self.name()))?;
        Ok(kill_process(id, signal)?)
    }

    /// Ends the process as a crash does, and returns when it has ended.
    pub(crate) async fn kill(mut self) -> Outcome {
        Ok(self.process.kill().await?)
    }

    /// Gives no more orders, and returns when the process has ended; it is killed if it does not end by itself.
    pub(crate) async fn end(self) {
        let Self { mut process, orders, .. } = self;
        drop(orders);
        if tokio::time::timeout(END_LIMIT, process.wait()).await.is_err() {
            eprintln!("benches: process {} of a worker did not end within {END_LIMIT:?} and is killed", self.id);
            let _ = process.kill().await;
        }
    }
}
