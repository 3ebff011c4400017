//! [`Permit`]: the right of one task of this process to contend for a resource with other processes.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::local_queue::{LocalQueue, LocalQueues};
use super::turn::Turn;
use super::waiter::LocalWaiter;
use crate::Resource;
use crate::redlock::settings::Settings;

/// The right to contend for a resource: one a process and resource. It moves from waiter to contender, to lease and to
/// the next waiter; dropping it wakes the next.
pub(crate) struct Permit<W: FromPermit> {
    queues: Arc<LocalQueues<W>>,
    pub(crate) queue: Arc<LocalQueue<W>>,
}

/// What a waiter is woken for may be the bare permit.
pub(crate) trait FromPermit: Sized {
    fn from_permit(permit: Permit<Self>) -> Self;
}

/// What a task finds that wants a resource.
pub(crate) enum Entered<W: FromPermit> {
    /// No other task of this process wants it.
    First(Permit<W>),
    /// It has to wait.
    Waits(Arc<LocalWaiter<W>>, Arc<LocalQueue<W>>),
}

/// A task wants `resource`.
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

    /// The next task that waits, and the turn of this process.
    pub(crate) fn next(&self) -> Option<(Arc<LocalWaiter<W>>, Option<Turn>)> {
        self.queue.pop()
    }
}

impl<W: FromPermit> Drop for Permit<W> {
    /// The next task has its turn. If none waits the nodes learn that this process waits no longer, and only then the
    /// queue is gone: a task that comes later is put in their queues anew.
    fn drop(&mut self) {
        let Self { queues, queue } = self;
        loop {
            if let Some((waiter, _)) = queue.pop() {
                let permit = Self { queues: Arc::clone(queues), queue: Arc::clone(queue) };
                // A waiter that has gone gives the permit back, which wakes the next.
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
