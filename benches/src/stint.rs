//! [`Stint`]: one task of a process that acquires and releases one resource for some time, together with many other
//! processes; and [`Record`]: its result over time.

use std::time::Duration;

use redfence::{Clock as _, Moment, SystemClock};
use serde::{Deserialize, Serialize};

use crate::contestants::Locker;
use crate::load::Tally;
use crate::meter;
use crate::outcome::Outcome;

/// The work of all processes of a herd from one moment on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stint {
    pub(crate) resource: String,
    /// The beginning, on the clock that all processes of the machine share, counted from its origin.
    begins: Duration,
    pub(crate) time: Duration,
}

/// The result of one process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Sections that ended before the end of the stint. Later ones have fewer and fewer rivals.
    pub(crate) sections: u64,
    /// The same, in each [`TICK`].
    ticks: Vec<u32>,
    /// The longest wait for a lease, also beyond the end, and also of a process that got none.
    pub(crate) longest_wait: Duration,
    /// When the process had its first lease, from the origin of the clock.
    first_lease: Option<Duration>,
    /// What the process spent during the stint.
    pub(crate) cpu: Duration,
    /// Sections that failed, and one of their errors.
    pub(crate) failed: u64,
    pub(crate) complaint: Option<String>,
}

/// The step in which sections are counted.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// How long after the end of a stint the last lease may come: longer than the lock of a dead holder lives.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_secs(30);

impl Stint {
    pub(crate) fn new(resource: &str, begins: Moment, time: Duration) -> Self {
        Self { resource: resource.to_owned(), begins: begins.since_origin(), time }
    }

    pub(crate) const fn begins(&self) -> Moment {
        Moment::from_origin(self.begins)
    }

    pub(crate) const fn ends(&self) -> Moment {
        self.begins().after(self.time)
    }

    /// Runs the stint, in the process that got the order.
    pub(crate) async fn run(self, locker: &Locker) -> Outcome<Record> {
        until(self.begins()).await;
        let ends = self.ends();
        let before = meter::cpu_time();
        // A task, so that it lives on the thread of the runtime, where the connections do.
        let work = tokio::spawn(self.work(locker.clone()));
        until(ends).await;
        let cpu = meter::cpu_time().saturating_sub(before);
        Ok(Record { cpu, ..work.await? })
    }

    async fn work(self, locker: Locker) -> Record {
        let ends = self.ends();
        let mut record = Record::default();
        record.ticks.resize(self.time.as_nanos().div_ceil(TICK.as_nanos()) as usize, 0);
        let mut began = SystemClock.now();
        while began < ends {
            let limit = ends.after(WAIT_LIMIT).since(began);
            let section = tokio::time::timeout(limit, locker.section(&self.resource)).await;
            let now = SystemClock.now();
            match section {
                Ok(Ok(waited)) => {
                    record.count_lease(began.after(waited), waited);
                    if now < ends {
                        record.count_section(now.since(self.begins()));
                    }
                }
                Ok(Err(error)) => record.fail(now.since(began), error.to_string()),
                Err(_) => record.fail(now.since(began), format!("no lease within {WAIT_LIMIT:?} after the end")),
            }
            began = now;
            // Sections that fail at once must not block the tasks of connections.
            tokio::task::yield_now().await;
        }
        record
    }
}

impl Record {
    fn count_lease(&mut self, lease: Moment, waited: Duration) {
        self.longest_wait = self.longest_wait.max(waited);
        self.first_lease.get_or_insert(lease.since_origin());
    }

    /// Counts a section that ended at this time after the beginning.
    fn count_section(&mut self, ended: Duration) {
        self.sections += 1;
        if let Some(tick) = self.ticks.get_mut(ticks_of(ended)) {
            *tick += 1;
        }
    }

    fn fail(&mut self, waited: Duration, complaint: String) {
        self.longest_wait = self.longest_wait.max(waited);
        self.failed += 1;
        self.complaint = Some(complaint);
    }

    /// Records the time of the first lease.
    pub(crate) fn first_lease(&self) -> Option<Moment> {
        self.first_lease.map(Moment::from_origin)
    }

    /// The result of all processes in `time`.
    pub(crate) fn tally(records: &[Self], time: Duration) -> Tally {
        Tally {
            sections: records.iter().map(|record| record.sections).collect(),
            time,
            longest_wait: records.iter().map(|record| record.longest_wait).max().unwrap_or_default(),
            failed: records.iter().map(|record| record.failed).sum(),
            complaint: records.iter().find_map(|record| record.complaint.clone()),
            ..Tally::default()
        }
    }

    /// Sections per second of all processes together, in the complete ticks between two times from the beginning.
    pub(crate) fn rate(records: &[Self], from: Duration, to: Duration) -> f64 {
        let (first, end) = (from.as_nanos().div_ceil(TICK.as_nanos()) as usize, ticks_of(to));
        let ticks = records.iter().flat_map(|record| record.ticks.get(first..end).unwrap_or_default());
        let sections: f64 = ticks.copied().map(f64::from).sum();
        sections / (TICK.as_secs_f64() * end.saturating_sub(first) as f64)
    }
}

/// Whole ticks of a time: also the number of the tick that a time lies in.
const fn ticks_of(time: Duration) -> usize {
    (time.as_nanos() / TICK.as_nanos()) as usize
}

/// Waits until that moment.
pub(crate) async fn until(moment: Moment) {
    tokio::time::sleep(moment.since(SystemClock.now())).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(ended_ms: &[u64]) -> Record {
        let mut record = Record { ticks: vec![0; 10], ..Record::default() };
        for ms in ended_ms {
            let lease = Moment::from_origin(Duration::from_millis(*ms));
            record.count_lease(lease, Duration::from_millis(*ms / 10));
            record.count_section(Duration::from_millis(*ms));
        }
        record
    }

    #[test]
    fn sections_are_counted_when_they_end() {
        let record = record(&[0, 99, 100, 999]);
        assert_eq!(record.ticks, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((record.sections, record.longest_wait), (4, Duration::from_millis(99)));
        assert_eq!(record.first_lease(), Some(Moment::default()));
    }

    #[test]
    fn a_rate_is_of_whole_ticks_of_all_processes() {
        let records = [record(&[50, 150, 250]), record(&[250, 350])];
        let rate = |from, to| Record::rate(&records, Duration::from_millis(from), Duration::from_millis(to));
        assert_eq!((rate(100, 300), rate(101, 399), rate(0, 1_000)), (15.0, 20.0, 5.0));
        assert!(rate(900, 900).is_nan());
    }
}
