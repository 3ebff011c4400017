//! [`Load`]: how many tasks want which resources, and [`Tally`]: the result.

use std::sync::Arc;
use std::time::Duration;

use redfence::{Clock as _, Moment, SystemClock};
use serde::{Deserialize, Serialize};

use crate::contestants::Locker;
use crate::outcome::Outcome;

/// Tasks that acquire and release, one section after the other, for some time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) tasks: usize,
    pub(crate) wanted: Wanted,
    pub(crate) time: Duration,
}

/// Which resources the tasks want.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// Each its own.
    Own,
    /// All the same one.
    One,
}

/// The result of a load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Sections of each task. If all want one resource, only sections that ended in time count: a task that still waits
    /// afterwards has no rivals any more.
    pub(crate) sections: Vec<u64>,
    /// From the first beginning to the end that counts.
    pub(crate) time: Duration,
    /// The time of every section, from acquire to the end of the release, in nanoseconds, ascending. Too much data to
    /// pass between processes.
    #[serde(skip)]
    pub(crate) section_ns: Vec<u64>,
    /// The longest that a task waited for a lease, also beyond the end.
    pub(crate) longest_wait: Duration,
    /// Sections that failed, and one of their errors.
    pub(crate) failed: u64,
    pub(crate) complaint: Option<String>,
}

impl Load {
    /// Runs the load to its end.
    pub(crate) async fn run(&self, locker: &Locker) -> Outcome<Tally> {
        let began = SystemClock.now();
        let ends = began.after(self.time);
        let runs: Vec<_> = (0..self.tasks)
            .map(|task| {
                let resource: Arc<str> = match self.wanted {
                    Wanted::Own => format!("bench:{task}").into(),
                    Wanted::One => "bench:one".into(),
                };
                tokio::spawn(run_task(locker.clone(), resource, ends))
            })
            .collect();
        let mut tally = Tally::default();
        for run in runs {
            let task = tokio::time::timeout(self.time + WAIT_LIMIT, run).await;
            tally.add(
                task.map_err(|_| format!("a task did not end within {WAIT_LIMIT:?} after the round"))??,
                &self.wanted,
            );
        }
        tally.section_ns.sort_unstable();
        tally.time = match self.wanted {
            Wanted::Own => SystemClock.now().since(began),
            Wanted::One => self.time,
        };
        Ok(tally)
    }
}

/// How long after the end of a round the last section may end: timeouts and pauses are much shorter.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// What one task did.
#[derive(Default)]
struct TaskTally {
    in_time: u64,
    section_ns: Vec<u64>,
    longest_wait: Duration,
    failed: u64,
    complaint: Option<String>,
}

async fn run_task(locker: Locker, resource: Arc<str>, ends: Moment) -> TaskTally {
    let mut tally = TaskTally::default();
    let mut began = SystemClock.now();
    while began < ends {
        let section = locker.section(&resource).await;
        let now = SystemClock.now();
        match section {
            Ok(waited) => {
                tally.section_ns.push(u64::try_from(now.since(began).as_nanos()).unwrap_or(u64::MAX));
                tally.longest_wait = tally.longest_wait.max(waited);
                tally.in_time += u64::from(now <= ends);
            }
            Err(error) => {
                tally.failed += 1;
                tally.complaint = Some(error.to_string());
                tokio::task::yield_now().await;
            }
        }
        began = now;
    }
    tally
}

impl Tally {
    /// Adds the result of tasks of another process at the same time.
    pub(crate) fn join(&mut self, other: Self) {
        self.sections.extend(other.sections);
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.failed += other.failed;
        self.complaint = other.complaint.or_else(|| self.complaint.take());
    }

    fn add(&mut self, task: TaskTally, wanted: &Wanted) {
        self.sections.push(match wanted {
            Wanted::Own => task.section_ns.len() as u64,
            Wanted::One => task.in_time,
        });
        self.section_ns.extend(task.section_ns);
        self.longest_wait = self.longest_wait.max(task.longest_wait);
        self.failed += task.failed;
        self.complaint = task.complaint.or_else(|| self.complaint.take());
    }
}
