//! [`Permit`]: the right of one task of this process to contend for a resource with other processes.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::local_queue::{LocalQueue, LocalQueues};
use super::turn::Turn;
use super::waiter::LocalWaiter;
use crate::Resource;
use crate::redlock::settings::Settings;

/// The right to contend for a resource. There is one for each process and resource. It moves from the waiter to the
/// contender, to the lease and to the next waiter. If it is dropped, the next waiter is woken.
pub(crate) struct Permit<W: FromPermit> {
    queues: Arc<LocalQueues<W>>,
    pub(crate) queue: Arc<LocalQueue<W>>,
}

/// A wakeup that can consist of the permit alone.
pub(crate) trait FromPermit: Sized {
    fn from_permit(permit: Permit<Self>) -> Self;
}

/// The result of [`enter`].
pub(crate) enum Entered<W: FromPermit> {
    /// No other task of this process wants it.
    First(Permit<W>),
    /// The task must wait.
    Waits(Arc<LocalWaiter<W>>, Arc<LocalQueue<W>>),
}

/// Registers a task that wants `resource`.
pub(crate) fn enter<W: FromPermit>(
    queues: &Arc<LocalQueues<W>>,
    resource: &Resource,
    settings: &Arc<Settings>,
) -> Entered<W> {
    match queues.lock().entry(resource.clone()) {
        Entry::Vacant(vacant) => {
            let queue = Arc::clone(vacant.insert(LocalQueue::new(resource)));
            Entered::First(Permit { queues: Arc::clone(queues), queue })
        }
        Entry::Occupied(queue) => {
            let waiter = LocalWaiter::new(settings, queues.env.arrival());
            queue.get().push(Arc::clone(&waiter));
            Entered::Waits(waiter, Arc::clone(queue.get()))
        }
    }
}

impl<W: FromPermit> Permit<W> {
    /// The queues of all resources.
    pub(crate) fn queues(&self) -> &LocalQueues<W> {
        &self.queues
    }

    /// Removes and returns the next waiting task, with the turn of this process.
    pub(crate) fn next(&self) -> Option<(Arc<LocalWaiter<W>>, Option<Turn>)> {
        self.queue.pop()
    }
}

impl<W: FromPermit> Drop for Permit<W> {
    /// Wakes the next task. If no task waits, this process first leaves the queues of the nodes, and only then the
    /// local queue is removed. So a task that comes later joins the queues of the nodes again.
    fn drop(&mut self) {
        let Self { queues, queue } = self;
        loop {
            if let Some((waiter, _)) = queue.pop() {
                let permit = Self { queues: Arc::clone(queues), queue: Arc::clone(queue) };
                // A waiter that has gone returns the permit. Its drop wakes the next waiter.
                return drop(waiter.wake(W::from_permit(permit)));
            }
            if queue.leave_nodes(&queues.env) {
                continue;
            }
            let mut all = queues.lock();
            if queue.is_unused() {
                all.remove(&queue.resource);
                return;
            }
        }
    }
}
