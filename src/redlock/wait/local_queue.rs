//! [`LocalQueues`]: the tasks of this process that want a resource. Only one of them at a time has the
//! [`Permit`](super::permit::Permit) to contend for it with other processes.
//!
//! A queue exists while a task of this process holds the resource, contends for it or waits for it. No request is
//! sent, and no task is woken, while a lock of this module is held.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::contended::Contended;
use super::turn::Turn;
use super::waiter::LocalWaiter;
use crate::protocol::{Contender, Defeat, Waits};
use crate::redlock::env::Env;
use crate::redlock::round::leave::leave;
use crate::redlock::settings::Settings;
use crate::{Holder, HolderId, Label, LockerId, Moment, Resource, Waiter};

/// The queues of all resources that this process wants.
pub(crate) struct LocalQueues<W> {
    pub(crate) env: Arc<Env>,
    /// The id of this locker in the queues of nodes.
    locker: LockerId,
    queues: Mutex<HashMap<Resource, Arc<LocalQueue<W>>>>,
    /// Counts the waits of this locker, so that each has its own number.
    waits: AtomicU32,
    contended: Contended,
}

/// The tasks that want one resource.
pub(crate) struct LocalQueue<W> {
    pub(crate) resource: Resource,
    state: Mutex<State<W>>,
    /// Notified when the contender may have to ask earlier.
    pub(crate) changed: Notify,
}

struct State<W> {
    waiting: VecDeque<Arc<LocalWaiter<W>>>,
    turn: Option<Turn>,
    /// Set while the task with the permit contends with other processes. It is boxed to keep the queue of an
    /// uncontended lease small.
    contender: Option<Box<Contender>>,
    /// The name under which nodes may have put this process into their queues.
    queued_as: Option<(Waiter, Label)>,
}

impl<W> LocalQueues<W> {
    pub(crate) fn new(env: Arc<Env>, locker: LockerId) -> Self {
        Self { env, locker, queues: Mutex::default(), waits: AtomicU32::new(0), contended: Contended::new() }
    }

    /// A new name for one wait at the nodes, whose first attempt has the id `first`. A copy of this process never uses the
    /// same name. A draw for the name alone would be one more system call in each acquire.
    fn waiter(&self, first: HolderId) -> Waiter {
        let number = self.env.entropy.distinct(first.low_bits(), self.waits.fetch_add(1, Ordering::Relaxed));
        Waiter::new(self.locker, number, self.env.ready.round_trip())
    }

    /// The queue of `resource`, if a task of this process wants it.
    pub(crate) fn get(&self, resource: &Resource) -> Option<Arc<LocalQueue<W>>> {
        self.lock().get(resource).cloned()
    }

    /// All queues in the order of their names, so that a run can be repeated exactly.
    pub(crate) fn all(&self) -> Vec<Arc<LocalQueue<W>>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_unstable_by(|one, other| one.resource.cmp(&other.resource));
        all
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<Resource, Arc<LocalQueue<W>>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> LocalQueue<W> {
    pub(super) fn new(resource: &Resource) -> Arc<Self> {
        let state = State { waiting: VecDeque::new(), turn: None, contender: None, queued_as: None };
        Arc::new(Self { resource: resource.clone(), state: Mutex::new(state), changed: Notify::new() })
    }

    /// Adds a task behind all others.
    pub(super) fn push(&self, waiter: Arc<LocalWaiter<W>>) {
        self.state().waiting.push_back(waiter);
    }

    /// Removes and returns the next waiting task, with the turn of this process.
    pub(super) fn pop(&self) -> Option<(Arc<LocalWaiter<W>>, Option<Turn>)> {
        let mut state = self.state();
        state.waiting.pop_front().map(|waiter| (waiter, state.turn))
    }

    /// Removes a task that stops waiting. Returns its wakeup, if it was woken meanwhile.
    pub(crate) fn leave(&self, waiter: &Arc<LocalWaiter<W>>) -> Option<W> {
        self.state().waiting.retain(|other| !Arc::ptr_eq(other, waiter));
        waiter.leave()
    }

    /// No task contends any more: leaves the queues of the nodes. Returns whether this process was in any.
    pub(super) fn leave_nodes(&self, env: &Env) -> bool {
        let mut state = self.state();
        state.contender = None;
        let Some((waiter, label)) = state.queued_as.take() else { return false };
        drop(state);
        leave(env, &self.resource, (waiter, &label), env.all_nodes());
        true
    }

    /// Whether no task waits, and no node has this process in its queue.
    pub(super) fn is_unused(&self) -> bool {
        let state = self.state();
        state.waiting.is_empty() && state.queued_as.is_none()
    }

    /// An attempt is about to be sent, for a task that waits if it is refused.
    pub(crate) fn ask(&self, queues: &LocalQueues<W>, holder: &Holder, now: Moment) -> (Waiter, Option<Waits>) {
        let env = &queues.env;
        let mut state = self.state();
        let contender = state.contender.get_or_insert_with(|| {
            let expected = queues.contended.is(self.resource.slot());
            Box::new(Contender::new(env.quorum, queues.waiter(holder.id()), expected, now))
        });
        let (waiter, waits) = (contender.waiter(), contender.ask(now));
        if waits.is_some() {
            // Noted now, because the task may go away before a reply comes.
            state.queued_as = Some((waiter, holder.label().clone()));
        }
        (waiter, waits)
    }

    /// The name under which nodes may have this process in their queues.
    pub(crate) fn queued_as(&self) -> Option<(Waiter, Label)> {
        self.state().queued_as.clone()
    }

    /// An attempt was lost to other processes, or to faults.
    pub(crate) fn defeated(&self, queues: &LocalQueues<W>, lost: &Defeat) {
        let (now, chance) = (queues.env.clock.now(), queues.env.entropy.u32());
        let mut state = self.state();
        if let Defeat::Contended(_) = lost {
            state.turn = None;
            queues.contended.note(self.resource.slot(), true);
        }
        if let Some(contender) = &mut state.contender {
            contender.defeated(lost, now, chance);
        }
    }

    /// An attempt was won, and a section begins. A process that is in no node's queue need not leave any.
    pub(crate) fn won(&self, queues: &LocalQueues<W>, at_once: bool, now: Moment) {
        let mut state = self.state();
        if at_once && queues.contended.is(self.resource.slot()) {
            queues.contended.note(self.resource.slot(), false);
        }
        (state.contender, state.queued_as) = (None, None);
        state.turn.get_or_insert(Turn::begin(now)).sections += 1;
    }

    /// A further section begins with the same lease.
    pub(crate) fn counts_section(&self, now: Moment) {
        self.state().turn.get_or_insert(Turn::begin(now)).sections += 1;
    }

    /// The turn of this process ends, and other processes come next.
    pub(crate) fn ends_turn(&self) {
        self.state().turn = None;
    }

    /// When the contender asks next, and how many attempts timed out in a row; `None` if no task contends.
    pub(crate) fn asks_at(&self) -> Option<(Moment, u32)> {
        self.state().contender.as_ref().map(|contender| (contender.asks_at(), contender.timeouts()))
    }

    /// Applies a change to the contender, if a task contends.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Contender)) {
        if let Some(contender) = &mut self.state().contender {
            change(contender);
        }
        self.changed.notify_one();
    }

    /// How many tasks wait with these settings.
    pub(crate) fn waiting(&self, settings: &Arc<Settings>) -> usize {
        self.state().waiting.iter().filter(|waiter| Arc::ptr_eq(&waiter.settings, settings)).count()
    }

    /// Whether several sections followed each other here, and no task waits now; or, `at_the_end` of a lease's
    /// tokens, no waiting task could be served without asking the nodes.
    pub(crate) fn is_busy(&self, at_the_end: bool) -> bool {
        let state = self.state();
        state.turn.is_some_and(|turn| turn.sections > 1) && (at_the_end || state.waiting.is_empty())
    }

    fn state(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
