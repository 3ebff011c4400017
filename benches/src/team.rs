//! [`Team`]: controls many worker processes that want one resource. All waits here are bounded: if a worker does not
//! answer, the error names it, and all workers are ended.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use redfence::{Clock as _, SystemClock};

use crate::limits;
use crate::outcome::Outcome;
use crate::stage::Stage;
use crate::stint::{Record, Stint, WAIT_LIMIT};
use crate::worker::{Order, Setup, Worker};

/// How many workers are started at a time.
const BATCH: usize = 25;
/// How long a worker may take to connect.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a worker may take to answer, after the last moment for a lease.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// How long sending the order to begin may take: in all, and for each worker.
const TELLING: Duration = Duration::from_millis(200);
const TELLING_EACH: Duration = Duration::from_millis(2);
/// How many checks in a row must find that no stopped process has the lock, and how many checks there are at most.
const CLEAN_LOOKS: usize = 10;
const LOOKS_MAX: usize = 400;
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// Processes that get the same orders. They are ended when this is dropped.
pub(crate) struct Team {
    workers: Vec<Worker>,
}

impl Team {
    /// Starts a worker for each setup, some at a time; returns when all are connected.
    pub(crate) async fn start(setups: &[Setup]) -> Outcome<Self> {
        limits::check_room_for(setups.len())?;
        let mut workers = Vec::new();
        for batch in setups.chunks(BATCH) {
            let starts = batch.iter().map(|setup| async {
                let start = tokio::time::timeout(START_LIMIT, Worker::start(setup)).await;
                let late =
                    || format!("a worker of {} was not connected within {START_LIMIT:?}", setup.contestant.name());
                start.map_err(|_| late())?
            });
            workers.extend(try_join_all(starts).await?.into_iter().map(|(worker, _)| worker));
        }
        Ok(Self { workers })
    }

    /// Orders all of them to acquire `resource` again and again for `time`, from a moment in the near future on.
    pub(crate) async fn begin(&mut self, resource: &str, time: Duration) -> Outcome<Stint> {
        let telling = TELLING + TELLING_EACH * u32::try_from(self.workers.len())?;
        let stint = Stint::new(resource, SystemClock.now().after(telling), time);
        for worker in &mut self.workers {
            worker.order(&Order::Work(stint.clone())).await?;
        }
        if SystemClock.now() > stint.begins() {
            eprintln!(
                "benches: the orders to {} workers took longer than {telling:?}: they began late",
                self.workers.len()
            );
        }
        Ok(stint)
    }

    /// Their results, in the order in which they were started.
    pub(crate) async fn records(&mut self, stint: &Stint) -> Outcome<Vec<Record>> {
        let limit = stint.ends().after(WAIT_LIMIT + ANSWER_LIMIT).since(SystemClock.now());
        let answers = self.workers.iter_mut().map(|worker| worker.answer_within(limit));
        Ok(try_join_all(answers).await?.into_iter().map(|answer| answer.record).collect())
    }

    /// Runs all of them for `time`, without measuring.
    pub(crate) async fn warm_up(&mut self, resource: &str, time: Duration) -> Outcome {
        let stint = self.begin(resource, time).await?;
        self.records(&stint).await?;
        Ok(())
    }

    /// Stops half of them during their work, but none that has a lock of `resource` on any node: such a process
    /// continues, and another one is stopped. Stopped processes leave the team.
    pub(crate) async fn stop_half(&mut self, stage: &Stage, resource: &str) -> Outcome<Vec<Worker>> {
        let mut stopped = self.workers.split_off(self.workers.len().div_ceil(2));
        stopped.iter().try_for_each(Worker::stop)?;
        // Requests that were on their way when a process was stopped may still be granted, so one check is not enough.
        let mut clean = 0;
        for _ in 0..LOOKS_MAX {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            let holders = stage.holders(resource)?;
            clean += 1;
            for worker in stopped.iter_mut().filter(|worker| holders.contains(&worker.process())) {
                clean = 0;
                let other = self.workers.pop().ok_or("no process is left to be stopped")?;
                other.stop()?;
                let holder = std::mem::replace(worker, other);
                holder.go_on()?;
                self.workers.insert(0, holder);
            }
            if clean == CLEAN_LOOKS {
                return Ok(stopped);
            }
        }
        Err(format!("a stopped process held the lock, in each of {LOOKS_MAX} checks").into())
    }

    /// Ends all of them, and returns when they have ended.
    pub(crate) async fn end(self) {
        join_all(self.workers.into_iter().map(Worker::end)).await;
    }
}
