//! A holder that is stopped for longer than its lock lives, while other processes wait.

use std::time::Duration;

use redfence::{Clock as _, SystemClock};

use super::super::{NODES, complain_of};
use crate::contestants::Contestant;
use crate::meter::Reading;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::stint::{Record, until};
use crate::table::{Table, number};
use crate::target::Target;
use crate::team::Team;
use crate::worker::{Order, Setup, Worker};

/// How long the lock lives after its holder was stopped.
const TTL: Duration = Duration::from_secs(2);
/// The resource of a worker that was ordered to hold one lease.
const HELD: &str = "lease:0";
/// When the others have come, and the holder is stopped.
const COMING: Duration = Duration::from_secs(1);
/// From then on their requests are counted, until shortly before the lock ends, because reading the counters also takes
/// time.
const CALM: Duration = Duration::from_millis(500);
const LAST_LOOK: Duration = Duration::from_millis(30);
/// How long a lock may be free until the next process has it.
const DELAY_MAX_MS: f64 = 100.0;
/// How many grants a waiter may ask of one node during the life of a lock.
const GRANTS_MAX: f64 = 2.0;
/// How long the holder may take to acquire.
const HOLD_LIMIT: Duration = Duration::from_secs(30);

/// The figures of the others.
pub(super) struct Stopped {
    waiters: usize,
    /// From the end of the lock on a majority of the servers until the next process had it.
    delay_ms: f64,
    counted: Duration,
    /// Of all waiters to all nodes, in that time.
    grants: u64,
}

impl Stopped {
    pub(super) async fn watch(plan: &Plan) -> Outcome<Self> {
        let stage = Stage::for_herd(NODES, plan.waiters)?;
        let (mut holder, _) = Worker::start(&Setup::small(Contestant::REDFENCE, stage.urls())).await?;
        let mut team = super::start::herd(plan, &stage, plan.waiters).await?;
        holder.order(&Order::Hold { leases: 1, ttl: TTL }).await?;
        if holder.answer_within(HOLD_LIMIT).await?.held != 1 {
            return Err("the holder lost its lease at once".into());
        }
        let stopped = Self::meanwhile(&stage, &holder, &mut team).await;
        holder.go_on()?;
        holder.end().await;
        team.end().await;
        stopped
    }

    async fn meanwhile(stage: &Stage, holder: &Worker, team: &mut Team) -> Outcome<Self> {
        let stint = team.begin(HELD, COMING + TTL * 2).await?;
        until(stint.begins().after(COMING)).await;
        holder.stop()?;
        until(SystemClock.now().after(CALM)).await;
        let (began, before) = (SystemClock.now(), Reading::take(stage)?);
        until(stage.free_at(HELD)?.before(LAST_LOOK)).await;
        let spent = before.spent(stage)?;
        let counted = SystemClock.now().since(began);
        let free = stage.free_at(HELD)?;
        let records = team.records(&stint).await?;
        complain_of(Contestant::REDFENCE, &records);
        let delay_ms = match records.iter().filter_map(Record::first_lease).min() {
            // Locks live for whole milliseconds, and reading takes time: the end is not known more exactly.
            Some(next) if next >= free.before(LAST_LOOK) => next.since(free).as_secs_f64() * 1e3,
            Some(next) => {
                eprintln!("benches: a process had the lease {:?} before the holder's lock ended", free.since(next));
                f64::NAN
            }
            None => {
                eprintln!("benches: no process had the lease after the holder that was stopped");
                f64::NAN
            }
        };
        // A grant is the only script that uses SET; other requests in that time are probes.
        Ok(Self { waiters: records.len(), delay_ms, counted, grants: spent.sets })
    }

    /// Commands of one waiter to one node while a lock lives.
    fn grants_each(&self) -> f64 {
        let lives = TTL.as_secs_f64() / self.counted.as_secs_f64();
        self.grants as f64 / (self.waiters * NODES) as f64 * lives
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&[
            "holder stopped, processes that wait",
            "next has it ms after the TTL",
            "grants asked for meanwhile",
            "in s",
            "a waiter, node and TTL",
        ]);
        table.row([
            self.waiters.to_string(),
            number(self.delay_ms),
            number(self.grants as f64),
            number(self.counted.as_secs_f64()),
            number(self.grants_each()),
        ]);
        table
    }

    pub(super) fn targets(&self) -> Vec<Target> {
        vec![
            Target::at_most("holder stopped: next has the lock after the TTL, ms", DELAY_MAX_MS, self.delay_ms),
            Target::at_most("holder stopped: grants asked for, a waiter, node and TTL", GRANTS_MAX, self.grants_each()),
        ]
    }
}
