//! [`Renewals`]: what is due when, one entry a lease, and the task that attends to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::Moment;
use crate::node::Task;

/// The schedule of all leases, and the task that keeps it. The task ends with this.
pub(crate) struct Renewals<T> {
    pub(crate) schedule: Arc<Schedule<T>>,
    pub(crate) task: Mutex<Option<Task>>,
}

/// What is due when: one entry a lease.
pub(crate) struct Schedule<T> {
    under_way: AtomicUsize,
    due: Mutex<Due<T>>,
    /// Something is due earlier than it was.
    pub(crate) earlier: Notify,
}

struct Due<T> {
    entries: BTreeMap<Entry, Weak<T>>,
    entries_ever: u64,
}

/// The place of a lease in the schedule: when, and a number that makes it unique.
pub(crate) type Entry = (Moment, u64);

/// A lease, as far as the schedule is concerned: it keeps its own entry.
pub(crate) trait Scheduled {
    /// Its entry; locked after the schedule.
    fn entry(&self) -> MutexGuard<'_, Option<Entry>>;
}

/// The most renewals on their way at one time: a process that keeps very many leases, and stood still, must not ask for
/// all of them at once, or no answer would come in time.
pub(crate) const RENEWALS_MAX: usize = 512;

/// A renewal on its way.
pub(crate) struct Renewing<T>(pub(crate) Arc<Schedule<T>>);

impl<T> Drop for Renewing<T> {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::SeqCst) >= RENEWALS_MAX {
            self.0.earlier.notify_waiters();
        }
    }
}

impl<T> Renewals<T> {
    pub(crate) fn new() -> Self {
        let due = Mutex::new(Due { entries: BTreeMap::new(), entries_ever: 0 });
        let schedule = Schedule { under_way: AtomicUsize::new(0), due, earlier: Notify::new() };
        Self { schedule: Arc::new(schedule), task: Mutex::new(None) }
    }
}

impl<T: Scheduled> Schedule<T> {
    /// Whether as many renewals are on their way as may be.
    pub(crate) fn is_full(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) >= RENEWALS_MAX
    }

    /// A renewal begins.
    pub(crate) fn renewing(self: &Arc<Self>) -> Renewing<T> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Renewing(Arc::clone(self))
    }

    /// When the next lease has to be attended to.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        self.lock().entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Puts a lease in its only place.
    pub(crate) fn insert(&self, at: Moment, lease: &Arc<T>) {
        let mut due = self.lock();
        due.entries_ever += 1;
        let entry = (at, due.entries_ever);
        if let Some(earlier) = lease.entry().replace(entry) {
            due.entries.remove(&earlier);
        }
        let is_first = due.entries.first_key_value().is_none_or(|(first, _)| entry < *first);
        due.entries.insert(entry, Arc::downgrade(lease));
        drop(due);
        if is_first {
            self.earlier.notify_waiters();
        }
    }

    /// The lease is not attended to any more.
    pub(crate) fn remove(&self, lease: &T) {
        let mut due = self.lock();
        if let Some(entry) = lease.entry().take() {
            due.entries.remove(&entry);
        }
    }

    /// The next lease that is due.
    pub(crate) fn pop_due(&self, now: Moment) -> Option<Arc<T>> {
        let mut due = self.lock();
        loop {
            let first = due.entries.first_entry().filter(|first| first.key().0 <= now)?;
            if let Some(lease) = first.remove().upgrade() {
                lease.entry().take();
                return Some(lease);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Due<T>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
