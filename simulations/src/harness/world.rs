//! [`World`]: the time of a run, its scheduled events, its random numbers and its records.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use redfence::{Clock as _, Resource, TokioClock, WallTime};

use super::timeline_event::TimelineEvent;
use crate::history::{Assumed, History, Record};
use crate::invariant::{Coverage, Disturbance, Violation, Wait, endless};
use crate::seeded_rng::SeededRng;

/// 2026-01-01: every wall clock starts around here.
pub const WALL_AT_START: WallTime = WallTime::from_unix_ms(1_767_225_600_000);

/// A run with more events than this within one millisecond counts as endless. Usually there are some dozens.
const EVENTS_MAX: u64 = 1_000_000;

/// A scheduled event.
type Event = Box<dyn FnOnce() + Send>;

/// The time of a run, its scheduled events, its random numbers and its records.
pub struct World {
    clock: TokioClock,
    queue: Mutex<EventQueue>,
    rng: Mutex<SeededRng>,
    log: Mutex<RunLog>,
    traced: bool,
}

#[derive(Default)]
struct EventQueue {
    due: BinaryHeap<Reverse<Entry>>,
    entries_ever: u64,
    waker: Option<Waker>,
    over: bool,
}

/// Ordered by time, then by tie, then by age.
struct Entry {
    key: (u64, u64, u64),
    event: Event,
}

/// The records.
#[derive(Default)]
pub struct RunLog {
    /// Leases and writes.
    pub history: History,
    /// How often each thing happened.
    pub seen: Coverage,
    /// The waits of clients.
    pub waits: Vec<Wait>,
    /// Pauses and deaths of clients.
    pub disturbances: Vec<Disturbance>,
    /// Violations that are seen as they happen, and not in the history.
    pub violation: Option<Violation>,
    /// Every event, line by line, if a trace is asked for.
    pub trace: String,
    /// The events for a picture, if a trace is asked for.
    pub timeline_events: Vec<TimelineEvent>,
}

impl World {
    /// The world of one run. Must be created inside the run's runtime.
    #[must_use]
    pub fn new(seed: u64, traced: bool) -> Arc<Self> {
        Arc::new(Self {
            clock: TokioClock::starting_at(WALL_AT_START),
            queue: Mutex::default(),
            rng: Mutex::new(SeededRng::from_seed(seed)),
            log: Mutex::default(),
            traced,
        })
    }

    /// Milliseconds since the run began. This is true time, which no part of the run can read.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().since_origin().as_millis()).unwrap_or(u64::MAX)
    }

    /// The same in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.now_ms() * 1_000
    }

    /// Schedules `event`. Among events at one time the lower tie comes first, then the older event.
    pub fn at(&self, at_ms: u64, tie: u64, event: impl FnOnce() + Send + 'static) {
        let mut queue = lock(&self.queue);
        if queue.over {
            return;
        }
        queue.entries_ever += 1;
        let key = (at_ms, tie, queue.entries_ever);
        let is_first = queue.due.peek().is_none_or(|Reverse(first)| key < first.key);
        queue.due.push(Reverse(Entry { key, event: Box::new(event) }));
        if let (true, Some(waker)) = (is_first, &queue.waker) {
            waker.wake_by_ref();
        }
    }

    /// Schedules `event` after a delay.
    pub fn after(&self, ms: u32, event: impl FnOnce() + Send + 'static) {
        self.at(self.now_ms() + u64::from(ms), 0, event);
    }

    /// Runs events when they are due, until the run is over.
    pub async fn run(&self) {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        let (mut timer_ms, mut at_once) = (None, (0, 0));
        poll_fn(|context| {
            loop {
                let now_ms = self.now_ms();
                let next_ms = {
                    let mut queue = lock(&self.queue);
                    if queue.over {
                        return Poll::Ready(());
                    }
                    let next_ms = queue.due.peek().map(|Reverse(entry)| entry.key.0);
                    match next_ms {
                        Some(next_ms) if next_ms <= now_ms => {
                            let entry = queue.due.pop();
                            drop(queue);
                            at_once = if at_once.0 == now_ms { (now_ms, at_once.1 + 1) } else { (now_ms, 0) };
                            if at_once.1 > EVENTS_MAX {
                                self.report(endless(EVENTS_MAX, self.now_us()));
                                self.stop();
                                return Poll::Ready(());
                            }
                            if let Some(Reverse(entry)) = entry {
                                (entry.event)();
                            }
                            continue;
                        }
                        _ => {
                            queue.waker = Some(context.waker().clone());
                            next_ms
                        }
                    }
                };
                let Some(next_ms) = next_ms else { return Poll::Pending };
                if timer_ms != Some(next_ms) {
                    timer_ms = Some(next_ms);
                    timer.set(tokio::time::sleep(Duration::from_millis(next_ms - now_ms)));
                }
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                timer_ms = None;
            }
        })
        .await;
    }

    /// The run is over: nothing happens any more.
    pub fn stop(&self) {
        let mut queue = lock(&self.queue);
        queue.over = true;
        let due = std::mem::take(&mut queue.due);
        let waker = queue.waker.take();
        drop(queue);
        // Dropped events may answer requests, and so schedule more.
        drop(due);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        lock(&self.queue).over
    }

    /// Draws random numbers.
    pub fn random<T>(&self, draw: impl FnOnce(&mut SeededRng) -> T) -> T {
        draw(&mut lock(&self.rng))
    }

    /// Appends a record to the history.
    pub fn record(&self, record: Record) {
        self.note(|| serde_json::to_string(&record).unwrap_or_default());
        lock(&self.log).history.records.push(record);
    }

    /// From now on a promise does not apply.
    pub fn void(&self, promise: Assumed, why: &str) {
        self.record(Record::Void { at_us: self.now_us(), promise, why: why.to_owned() });
    }

    /// Records that the lock of a holder is gone from a node, and nothing ended it.
    pub fn vanished(&self, node: u8, holder: String) {
        self.count(|seen| seen.vanished += 1);
        self.record(Record::Vanished { at_us: self.now_us(), holder, node: format!("n{node}") });
    }

    /// A new installation looks like nodes that were up for long and were all flushed. `nodes`: whether a locker has
    /// joined each, and whether it was flushed since.
    pub fn watch_memory(&self, nodes: impl Iterator<Item = (bool, bool)>) {
        let mut some_flushed = false;
        for (joined, flushed) in nodes {
            if joined {
                return;
            }
            some_flushed |= flushed;
        }
        if some_flushed {
            self.void(Assumed::X, "no node remembers anything, and some were flushed and not restarted");
        }
    }

    /// Records that a client waited from a time until now, and whether it was served.
    pub fn waited(&self, client: u8, resource: &Resource, since_us: u64, served: bool) {
        let wait = Wait { client, resource: resource.to_string(), since_us, until_us: self.now_us(), served };
        lock(&self.log).waits.push(wait);
    }

    /// Records that a client is paused from now on for a while; without an end it has died.
    pub fn disturbed(&self, client: u8, for_ms: Option<u32>) {
        let from_us = self.now_us();
        let until_us = for_ms.map(|ms| from_us + u64::from(ms) * 1_000);
        lock(&self.log).disturbances.push(Disturbance { client, from_us, until_us });
    }

    /// Changes the counts.
    pub fn count(&self, what: impl FnOnce(&mut Coverage)) {
        what(&mut lock(&self.log).seen);
    }

    /// Records a broken promise; only the first is kept.
    pub fn report(&self, violation: Violation) {
        lock(&self.log).violation.get_or_insert(violation);
    }

    /// Adds a line to the trace, if one is asked for.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if self.traced {
            let line = format!("{:>6} {}\n", self.now_ms(), line());
            lock(&self.log).trace.push_str(&line);
        }
    }

    /// Adds an event for the picture, if the trace is asked for.
    pub fn timeline_event(&self, timeline_event: impl FnOnce() -> TimelineEvent) {
        if self.traced {
            let timeline_event = timeline_event();
            lock(&self.log).timeline_events.push(timeline_event);
        }
    }

    /// Whether a trace is kept.
    #[must_use]
    pub const fn is_traced(&self) -> bool {
        self.traced
    }

    /// All records.
    #[must_use]
    pub fn take_log(&self) -> RunLog {
        std::mem::take(&mut lock(&self.log))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// Locks the mutex, also if it is poisoned: after a panic the run is lost anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The order of events at one instant. The order of connections differs from instant to instant; events of one
/// connection stay in order.
pub(crate) fn tie(connection: u64, at_ms: u64) -> u64 {
    1 + ((at_ms ^ (connection << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32)
}
