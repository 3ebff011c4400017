//! [`LocalQueues`]: where the tasks of this process wait for a resource, in the order of their arrival. Only one of them at a time
//! has the [`Permit`] to contend for it with other processes.
//!
//! A queue exists while a task of this process holds the resource, or contends or waits for it. Nothing is sent and no task is
//! woken under a lock.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::node::WakeListener;
use crate::protocol::{Contender, Defeat, Waits};
use crate::redlock::env::Core;
use crate::redlock::lease::active::Held;
use crate::redlock::round::drive::Attempt;
use crate::redlock::round::leave::leave;
use crate::redlock::settings::Settings;
use crate::redlock::wait::turn::Turn;
use crate::{Label, LockerId, Moment, NodeId, NodeSet, Resource, Waiter};

/// The queues of all resources that this process wants.
pub(crate) struct LocalQueues {
    /// Who this locker is to nodes.
    locker: LockerId,
    queues: Mutex<HashMap<Resource, Arc<LocalQueue>>>,
    /// Tells who arrived before what.
    arrivals: AtomicU64,
    /// Tells the waits of this locker apart.
    waits: AtomicU32,
    /// A bit a slot: whether another process had a lock of the slot when this one last asked.
    contended: [AtomicU64; WORDS],
}

const WORDS: usize = Resource::SLOTS as usize / 64;

/// The tasks that want one resource.
pub(crate) struct LocalQueue {
    pub(crate) resource: Resource,
    state: Mutex<State>,
    /// The contender may have to ask earlier.
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<LocalWaiter>>,
    turn: Option<Turn>,
    /// While the task that has the permit contends with other processes; in a box, for leases are many.
    contender: Option<Box<Contender>>,
    /// By this name nodes may have put this process in their queues.
    queued_as: Option<(Waiter, Label)>,
}

/// A task that waits.
pub(crate) struct LocalWaiter {
    wakeup: Mutex<Wakeup>,
    woken: Notify,
    pub(crate) settings: Arc<Settings>,
    /// Its number in the order of arrival.
    pub(crate) arrived: u64,
}

/// What a task that waits is woken for.
pub(crate) enum Wakeup {
    /// Nothing yet.
    NotYet,
    /// To contend for the resource.
    Permit(Permit),
    /// The same, and the grants are on their way already.
    Attempt(Permit, Box<Attempt>),
    /// To have the lease that this process holds, with a token of its own.
    Section(Arc<Held>),
    /// It does not wait any more.
    Gone,
}

/// What a task finds that wants a resource.
pub(crate) enum Entered {
    /// No other task of this process wants it.
    First(Permit),
    /// It has to wait.
    Waits(Arc<LocalWaiter>, Arc<LocalQueue>),
}

/// The right to contend for a resource: one a process and resource. It moves from waiter to contender, to lease and to the next waiter;
/// dropping it wakes the next.
pub(crate) struct Permit {
    core: Arc<Core>,
    pub(crate) queue: Arc<LocalQueue>,
}

impl LocalQueues {
    pub(crate) fn new(locker: LockerId) -> Self {
        let queues = Mutex::default();
        let contended = std::array::from_fn(|_| AtomicU64::new(0));
        Self { locker, queues, arrivals: AtomicU64::new(1), waits: AtomicU32::new(0), contended }
    }

    /// A number above those of all who arrived so far.
    pub(crate) fn arrival(&self) -> u64 {
        self.arrivals.fetch_add(1, Ordering::Relaxed)
    }

    /// A name for one wait at the nodes.
    pub(crate) fn waiter(&self, round_trip: Duration) -> Waiter {
        Waiter::new(self.locker, self.waits.fetch_add(1, Ordering::Relaxed), round_trip)
    }

    /// Whether other processes are expected to want a lock of the slot, as the last one did that was asked for.
    fn is_contended(&self, slot: u16) -> bool {
        let (word, bit) = (usize::from(slot / 64), 1 << (slot % 64));
        self.contended.get(word).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn note_contended(&self, slot: u16, contended: bool) {
        let (word, bit) = (usize::from(slot / 64), 1 << (slot % 64));
        match self.contended.get(word) {
            Some(word) if contended => drop(word.fetch_or(bit, Ordering::Relaxed)),
            Some(word) => drop(word.fetch_and(!bit, Ordering::Relaxed)),
            None => {}
        }
    }

    /// The queue of `resource`, if a task of this process wants it.
    pub(crate) fn get(&self, resource: &Resource) -> Option<Arc<LocalQueue>> {
        self.lock().get(resource).cloned()
    }

    /// All queues, in the order of their names: the same run is the same again.
    pub(crate) fn all(&self) -> Vec<Arc<LocalQueue>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_unstable_by(|one, other| one.resource.cmp(&other.resource));
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Resource, Arc<LocalQueue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task wants `resource`.
pub(crate) fn enter(core: &Arc<Core>, resource: &Resource, settings: &Arc<Settings>) -> Entered {
    let mut queues = core.queues.lock();
    match queues.entry(resource.clone()) {
        Entry::Vacant(vacant) => {
            let (state, changed) = (Mutex::default(), Notify::new());
            let queue = vacant.insert(Arc::new(LocalQueue { resource: resource.clone(), state, changed }));
            Entered::First(Permit { core: Arc::clone(core), queue: Arc::clone(queue) })
        }
        Entry::Occupied(queue) => {
            let (wakeup, woken) = (Mutex::new(Wakeup::NotYet), Notify::new());
            let (settings, arrived) = (Arc::clone(settings), core.queues.arrival());
            let waiter = Arc::new(LocalWaiter { wakeup, woken, settings, arrived });
            queue.get().state().waiting.push_back(Arc::clone(&waiter));
            Entered::Waits(waiter, Arc::clone(queue.get()))
        }
    }
}

impl Permit {
    /// The next task that waits, and the turn of this process.
    pub(crate) fn next(&self) -> Option<(Arc<LocalWaiter>, Option<Turn>)> {
        let mut state = self.queue.state();
        state.waiting.pop_front().map(|waiter| (waiter, state.turn))
    }
}

impl Drop for Permit {
    /// The next task has its turn. Where none waits nodes learn that this process waits no longer, and only then the queue is gone: a
    /// task that comes later is put in their queues anew.
    fn drop(&mut self) {
        let Self { core, queue } = self;
        loop {
            let mut state = queue.state();
            if let Some(waiter) = state.waiting.pop_front() {
                drop(state);
                let permit = Self { core: Arc::clone(core), queue: Arc::clone(queue) };
                // A waiter that has gone gives the permit back, which wakes the next.
                return drop(waiter.wake(Wakeup::Permit(permit)));
            }
            state.contender = None;
            if let Some((waiter, label)) = state.queued_as.take() {
                drop(state);
                leave(core, &queue.resource, (waiter, &label), NodeSet::first(core.quorum.nodes()));
                continue;
            }
            drop(state);
            let mut queues = core.queues.lock();
            let state = queue.state();
            if state.waiting.is_empty() && state.queued_as.is_none() {
                drop(state);
                queues.remove(&queue.resource);
                return;
            }
        }
    }
}

impl LocalQueue {
    /// An attempt is about to be sent, for a task that waits where it is refused.
    pub(crate) fn ask(&self, core: &Core, label: &Label, now: Moment) -> (Waiter, Option<Waits>) {
        let mut state = self.state();
        let contender = state.contender.get_or_insert_with(|| {
            let expected = core.queues.is_contended(self.resource.slot());
            Box::new(Contender::new(core.quorum, core.queues.waiter(core.roster.round_trip()), expected, now))
        });
        let (waiter, waits) = (contender.waiter(), contender.ask(now));
        if waits.is_some() {
            // Also where this task goes away before an answer has come.
            state.queued_as = Some((waiter, label.clone()));
        }
        (waiter, waits)
    }

    /// An attempt was lost to other processes, or to faults.
    pub(crate) fn defeated(&self, core: &Core, lost: &Defeat) {
        let (now, chance) = (core.clock.now(), core.entropy.u32());
        let mut state = self.state();
        if let Defeat::Contended(_) = lost {
            state.turn = None;
            core.queues.note_contended(self.resource.slot(), true);
        }
        if let Some(contender) = &mut state.contender {
            contender.defeated(lost, now, chance);
        }
    }

    /// An attempt was won: a section begins. Where this process was not in the queue of a node it need not leave it.
    pub(crate) fn won(&self, core: &Core, at_once: bool, now: Moment) {
        let mut state = self.state();
        if at_once && core.queues.is_contended(self.resource.slot()) {
            core.queues.note_contended(self.resource.slot(), false);
        }
        (state.contender, state.queued_as) = (None, None);
        state.turn.get_or_insert(Turn::begin(now)).sections += 1;
    }

    /// A section begins with the same lease.
    pub(crate) fn counts_section(&self, now: Moment) {
        self.state().turn.get_or_insert(Turn::begin(now)).sections += 1;
    }

    /// Others have their turn.
    pub(crate) fn ends_turn(&self) {
        self.state().turn = None;
    }

    /// Until when the contender sleeps, and how many attempts in a row timed out; `None` where nobody contends.
    pub(crate) fn asks_at(&self) -> Option<(Moment, u32)> {
        self.state().contender.as_ref().map(|contender| (contender.asks_at(), contender.timeouts()))
    }

    /// Something that the contender goes by has changed.
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

    /// Whether several sections followed each other here, and no task waits now; or none waits that could be served without asking the
    /// nodes, `at_the_end` of a lease's tokens.
    pub(crate) fn is_busy(&self, at_the_end: bool) -> bool {
        let state = self.state();
        state.turn.is_some_and(|turn| turn.sections > 1) && (at_the_end || state.waiting.is_empty())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalWaiter {
    /// Wakes the task; gives back what it was woken for if it does not wait any more.
    pub(crate) fn wake(&self, what: Wakeup) -> Result<(), Wakeup> {
        let mut wakeup = self.wakeup();
        if matches!(*wakeup, Wakeup::Gone) {
            return Err(what);
        }
        *wakeup = what;
        drop(wakeup);
        self.woken.notify_one();
        Ok(())
    }

    /// Waits to be woken.
    ///
    /// # Cancel safety
    ///
    /// What it was woken for stays for [`LocalWaiter::leave`].
    pub(crate) async fn woken(&self) -> Wakeup {
        loop {
            {
                let mut wakeup = self.wakeup();
                if !matches!(*wakeup, Wakeup::NotYet | Wakeup::Gone) {
                    return std::mem::replace(&mut *wakeup, Wakeup::Gone);
                }
            }
            self.woken.notified().await;
        }
    }

    /// Waits no longer; returns what it was woken for meanwhile.
    pub(crate) fn leave(self: &Arc<Self>, queue: &LocalQueue) -> Wakeup {
        queue.state().waiting.retain(|other| !Arc::ptr_eq(other, self));
        std::mem::replace(&mut *self.wakeup(), Wakeup::Gone)
    }

    fn wakeup(&self) -> MutexGuard<'_, Wakeup> {
        self.wakeup.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What nodes tell this locker.
impl WakeListener for Core {
    fn woken(&self, node: NodeId, resource: &Resource, after: Duration) {
        // Where no task waits any more the nodes have learned it meanwhile.
        if let Some(queue) = self.queues.get(resource) {
            queue.update(|contender| contender.woken(node, after, self.clock.now(), self.entropy.u32()));
        }
    }

    fn hears(&self, node: NodeId, hears: bool) {
        for queue in self.queues.all() {
            queue.update(|contender| contender.hears(node, hears, self.clock.now(), self.entropy.u32()));
        }
    }
}
