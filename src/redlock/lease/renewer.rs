//! [`Keeper`]: one task that renews all leases of a locker and notices the end of each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::node::Task;
use crate::protocol::Action;
use crate::redlock::env::Core;
use crate::redlock::env::timer::sleep_until;
use crate::redlock::error::ExtendError;
use crate::redlock::lease::active::Held;
use crate::{Clock, Moment};

/// The schedule of all leases, and the task that keeps it.
pub(crate) struct Keeper {
    schedule: Arc<Schedule>,
    task: Mutex<Option<Task>>,
}

/// What is due when: one entry a lease.
#[derive(Default)]
struct Schedule {
    renewals: AtomicUsize,
    due: Mutex<Due>,
    earlier: Notify,
}

#[derive(Default)]
struct Due {
    entries: BTreeMap<Entry, Weak<Held>>,
    entries_ever: u64,
}

/// The place of a lease in the schedule: when, and a number that makes it unique.
pub(crate) type Entry = (Moment, u64);

impl Keeper {
    pub(crate) fn new() -> Self {
        Self { schedule: Arc::default(), task: Mutex::new(None) }
    }

    /// Starts the task, unless it runs.
    pub(crate) fn start(&self, core: &Arc<Core>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(Task::is_finished) {
            let (schedule, clock) = (Arc::clone(&self.schedule), Arc::clone(&core.clock));
            *task = Some(Task::start(&*core.spawner, async move { schedule.keep(&*clock).await }));
        }
    }

    /// Looks after `held` from now on.
    pub(crate) fn watch(&self, held: &Arc<Held>) {
        self.schedule.attend(Arc::clone(held));
    }

    /// Looks after `held` no longer.
    pub(crate) fn forget(&self, held: &Held) {
        let mut due = self.schedule.lock();
        if let Some(entry) = held.entry().take() {
            due.entries.remove(&entry);
        }
    }
}

/// The most renewals on their way at one time: a process that keeps very many leases, and stood still, must not ask for all of
/// them at once, or no answer would come in time.
const RENEWALS_MAX: usize = 512;

/// A renewal on its way.
struct Renewing(Arc<Schedule>);

impl Drop for Renewing {
    fn drop(&mut self) {
        if self.0.renewals.fetch_sub(1, Ordering::SeqCst) >= RENEWALS_MAX {
            self.0.earlier.notify_waiters();
        }
    }
}

impl Schedule {
    async fn keep(self: Arc<Self>, clock: &dyn Clock) {
        loop {
            // Registered before the look, so that an earlier entry is not missed.
            let mut earlier = std::pin::pin!(self.earlier.notified());
            earlier.as_mut().enable();
            let now = clock.now();
            while self.renewals.load(Ordering::SeqCst) < RENEWALS_MAX {
                let Some(held) = self.pop_due(now) else { break };
                self.attend(held);
            }
            if self.renewals.load(Ordering::SeqCst) >= RENEWALS_MAX {
                // Whoever is done tells.
                earlier.await;
                continue;
            }
            let next = self.lock().entries.first_key_value().map(|((at, _), _)| *at);
            match next {
                None => earlier.await,
                Some(at) => tokio::select! {
                    biased;
                    () = earlier => {}
                    () = sleep_until(clock, at) => {}
                },
            }
        }
    }

    /// Does what is due for one lease and puts it back for what comes next.
    fn attend(self: &Arc<Self>, held: Arc<Held>) {
        match held.due() {
            Some(Action::Wait(until)) => self.insert(until, &held),
            Some(Action::Extend { .. }) => {
                // The end stays watched while the try is on its way, however long it hangs.
                self.insert(held.ends_at(), &held);
                self.renewals.fetch_add(1, Ordering::SeqCst);
                let renewing = Renewing(Arc::clone(self));
                let spawner = Arc::clone(&held.core.spawner);
                spawner.spawn(Box::pin(async move {
                    let resource = &held.subject.resource;
                    let outcome = held.extend().await;
                    let schedule = Arc::clone(&renewing.0);
                    drop(renewing);
                    match outcome {
                        Ok(()) => tracing::trace!(%resource, "renewed"),
                        Err(ExtendError::Lost(_)) => return,
                        Err(error) => tracing::warn!(%resource, %error, "renewal failed"),
                    }
                    // The next try may be due already, if the process stood still meanwhile.
                    schedule.attend(held);
                }));
            }
            // Over: `due` has told the holder.
            Some(Action::Lost(_)) | None => {}
        }
    }

    /// Puts a lease in its only place.
    fn insert(&self, at: Moment, held: &Arc<Held>) {
        let mut due = self.lock();
        due.entries_ever += 1;
        let entry = (at, due.entries_ever);
        if let Some(earlier) = held.entry().replace(entry) {
            due.entries.remove(&earlier);
        }
        let is_first = due.entries.first_key_value().is_none_or(|(first, _)| entry < *first);
        due.entries.insert(entry, Arc::downgrade(held));
        drop(due);
        if is_first {
            self.earlier.notify_waiters();
        }
    }

    fn pop_due(&self, now: Moment) -> Option<Arc<Held>> {
        let mut due = self.lock();
        loop {
            let first = due.entries.first_entry().filter(|first| first.key().0 <= now)?;
            if let Some(held) = first.remove().upgrade() {
                held.entry().take();
                return Some(held);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
