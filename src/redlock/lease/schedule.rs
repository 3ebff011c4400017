//! [`Renewals`]: when each lease is due, and the task that renews the leases.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::Moment;
use crate::node::Task;

/// The schedule of all leases, and the task that works through it. Dropping this ends the task.
pub(crate) struct Renewals<T> {
    pub(crate) schedule: Arc<Schedule<T>>,
    pub(crate) task: Mutex<Option<Task>>,
}

/// When each lease is due: one entry for each lease.
pub(crate) struct Schedule<T> {
    under_way: AtomicUsize,
    due: Mutex<Due<T>>,
    /// Notified when an entry is due before the task wakes by itself.
    pub(crate) earlier: Notify,
}

struct Due<T> {
    entries: BTreeMap<Entry, Weak<T>>,
    entries_ever: u64,
    /// Until when the task sleeps; `None` before its first sleep, and while no lease is scheduled.
    sleeps_until: Option<Moment>,
}

/// The place of a lease in the schedule: when, and a number that makes it unique.
pub(crate) type Entry = (Moment, u64);

/// A lease, as the schedule sees it: it stores its own entry.
pub(crate) trait Scheduled {
    /// Its entry. The schedule is always locked before it.
    fn entry(&self) -> MutexGuard<'_, Option<Entry>>;
}

/// The most renewals in progress at one time. After a pause, a process with very many leases must not renew all of
/// them at once, because no reply would come in time.
pub(crate) const RENEWALS_MAX: usize = 512;

/// A renewal in progress.
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
        let due = Mutex::new(Due { entries: BTreeMap::new(), entries_ever: 0, sleeps_until: None });
        let schedule = Schedule { under_way: AtomicUsize::new(0), due, earlier: Notify::new() };
        Self { schedule: Arc::new(schedule), task: Mutex::new(None) }
    }
}

impl<T: Scheduled> Schedule<T> {
    /// Whether no further renewal may begin.
    pub(crate) fn is_full(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) >= RENEWALS_MAX
    }

    /// A renewal begins.
    pub(crate) fn renewing(self: &Arc<Self>) -> Renewing<T> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Renewing(Arc::clone(self))
    }

    /// When the first lease is due. The task sleeps until then, or until an entry is due earlier.
    pub(crate) fn sleep_until(&self) -> Option<Moment> {
        let mut due = self.lock();
        due.sleeps_until = due.entries.first_key_value().map(|((at, _), _)| *at);
        due.sleeps_until
    }

    /// Schedules a lease, and removes its earlier entry. It seldom wakes the task: a lease that is released at once
    /// leaves the task asleep until the lease would have been due, and the leases that follow are due later than that.
    pub(crate) fn insert(&self, at: Moment, lease: &Arc<T>) {
        let mut due = self.lock();
        due.entries_ever += 1;
        let entry = (at, due.entries_ever);
        if let Some(earlier) = lease.entry().replace(entry) {
            due.entries.remove(&earlier);
        }
        due.entries.insert(entry, Arc::downgrade(lease));
        let is_earlier = due.sleeps_until.is_none_or(|wakes_at| at < wakes_at);
        drop(due);
        if is_earlier {
            self.earlier.notify_waiters();
        }
    }

    /// Removes the lease from the schedule.
    pub(crate) fn remove(&self, lease: &T) {
        let mut due = self.lock();
        if let Some(entry) = lease.entry().take() {
            due.entries.remove(&entry);
        }
    }

    /// Removes and returns the next lease that is due.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    #[derive(Default)]
    struct Lease(Mutex<Option<Entry>>);

    impl Scheduled for Lease {
        fn entry(&self) -> MutexGuard<'_, Option<Entry>> {
            self.0.lock().unwrap()
        }
    }

    #[test]
    fn only_a_lease_that_is_due_before_the_task_wakes_by_itself_wakes_it() {
        let at = |seconds| Moment::from_origin(Duration::from_secs(seconds));
        let schedule = &Renewals::<Lease>::new().schedule;
        let leases: Vec<_> = (0..5).map(|_| Arc::new(Lease::default())).collect();
        let wakes = |seconds, lease| {
            let mut earlier = std::pin::pin!(schedule.earlier.notified());
            earlier.as_mut().enable();
            schedule.insert(at(seconds), lease);
            earlier.now_or_never().is_some()
        };
        assert_eq!(schedule.sleep_until(), None);
        assert!(wakes(10, &leases[0]), "the task waits for a lease");
        assert_eq!(schedule.sleep_until(), Some(at(10)));
        schedule.remove(&leases[0]);
        assert!(!wakes(11, &leases[1]), "it wakes at 10, and sleeps on then");
        assert!(wakes(9, &leases[2]));
        assert_eq!(schedule.sleep_until(), Some(at(9)));
        assert!(!wakes(9, &leases[3]));
        assert!(wakes(8, &leases[1]), "a lease that moves");
        let mut due = std::iter::from_fn(|| schedule.pop_due(at(9)));
        assert!(due.next().is_some_and(|first| Arc::ptr_eq(&first, &leases[1])));
        assert_eq!(due.count(), 2);
        assert_eq!(schedule.sleep_until(), None);
        assert!(wakes(20, &leases[4]));
    }
}
