//! [`NodeState`]: the behaviour of a node, as a pure function of its state, its clock and a request.
//!
//! This is the reference. Tests compare the Lua scripts with it, and simulators and model checkers run it.

mod foreign;
#[cfg(feature = "testing")]
mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::queue::{Queue, Wake};
use crate::protocol::{
    COUNTER_MAX, COUNTER_MIN, Fault, FaultKind, LockState, LockView, Next, NodeReport, Publish, Record, RecordUpdate,
    Reply, Request, RunId, ScannedLock, Subject, Verb, Waits, clock_start,
};
use crate::waiter::QueueEntry;
use crate::{LockerId, Moment, Resource, Waiter, WallTime};

/// The locks, the counters and the record of one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeState {
    run_id: RunId,
    started: WallTime,
    record: Option<Record>,
    locks: BTreeMap<Resource, Lock>,
    /// Counters that differ from the base; 0 stands for a missing counter.
    counters: BTreeMap<u16, u64>,
    /// The number at which all counters started when the node became awake; 0 while it rests.
    base: u64,
    /// Whether it was joined in this run.
    was_joined: bool,
    /// The mark that the first probe left, while there is no record.
    mark: Option<u64>,
    queues: BTreeMap<Resource, Queue>,
    /// The lockers that receive wakes.
    subscribers: BTreeSet<LockerId>,
    /// The wakes that are to be sent.
    wakes: Vec<Wake>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lock {
    state: LockState,
    expires_at: WallTime,
}

impl NodeState {
    /// A node that started at `now` and has not been joined: it grants nothing. Every node needs a `run_id` of its own,
    /// and a new one after each restart: a locker takes two nodes with the same one for a single server.
    #[must_use]
    pub fn started(run_id: RunId, now: WallTime) -> Self {
        let (locks, counters) = (BTreeMap::new(), BTreeMap::new());
        Self {
            run_id,
            started: now,
            record: None,
            locks,
            counters,
            base: 0,
            was_joined: false,
            mark: None,
            queues: BTreeMap::new(),
            subscribers: BTreeSet::new(),
            wakes: Vec::new(),
        }
    }

    /// A node that is joined and awake from the start. Its `run_id` is its own, as in [`NodeState::started`].
    #[must_use]
    pub fn bootstrapped(run_id: RunId, now: WallTime) -> Self {
        let mut state = Self::started(run_id, now);
        let (rest, max_ttl) = (Duration::ZERO, Duration::ZERO);
        state.initialize(now, &RecordUpdate { seen: None, mark: None, rest, new: true, max_ttl, wall: now });
        state
    }

    /// Does what `request` asks, at `now` on the node's wall clock. [`NodeState::take_wakes`] then returns the wakes
    /// to send.
    pub fn apply(&mut self, now: WallTime, request: &Request) -> Reply {
        let mut kept = Vec::new();
        let reply = self.apply_one(now, request, &mut kept);
        self.serve_kept(now, kept);
        reply
    }

    /// Does what these requests ask, in this order and in one step.
    pub fn apply_batch<'a>(&mut self, now: WallTime, requests: impl IntoIterator<Item = &'a Request>) -> Vec<Reply> {
        let mut kept = Vec::new();
        let replies = requests.into_iter().map(|request| self.apply_one(now, request, &mut kept)).collect();
        self.serve_kept(now, kept);
        replies
    }

    /// Takes the wakes that were caused since the last call.
    pub fn take_wakes(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.wakes)
    }

    /// `locker` no longer receives wakes: its connection has ended.
    pub fn disconnect(&mut self, locker: LockerId) {
        self.subscribers.remove(&locker);
    }

    fn apply_one(&mut self, now: WallTime, request: &Request, kept: &mut Vec<Resource>) -> Reply {
        let subject = &*request.subject;
        match request.verb {
            Verb::Probe { .. } | Verb::Initialize(_) | Verb::Activate { .. } => {
                self.join(now, &request.verb);
                let report = self.report(now);
                self.was_joined |= report.is_joined();
                return Reply::Reported(Box::new(report));
            }
            Verb::Scan { cursor, count, remove } => return self.scan(now, cursor, count, remove),
            Verb::Grant { .. } => {
                self.was_joined = true;
                self.expire(&subject.resource, now);
            }
            _ => self.expire(&subject.resource, now),
        }
        match request.verb {
            Verb::Grant { ttl, floor, block, waits } => {
                if let Some(waits) = waits {
                    self.subscribers.insert(subject.waiter.locker);
                    if !self.may_take(subject, waits) {
                        return self.enqueue(now, subject, waits);
                    }
                } else if self.locks.contains_key(&subject.resource) {
                    return Reply::Refused(self.view(now, subject));
                }
                let reply = self.grant(now, subject, ttl, floor, block);
                if let Reply::Granted { .. } = reply {
                    kept.retain(|resource| *resource != subject.resource);
                    if waits.is_some_and(|waits| !waits.waited.is_zero()) {
                        self.dequeue(subject);
                    }
                }
                reply
            }
            Verb::Leave => self.leave(now, subject),
            Verb::Inspect => Reply::Inspected(self.inspected(now, subject)),
            Verb::Force => self.force(now, subject),
            Verb::Release { .. } if !self.is_held_by(subject) => {
                Reply::Refused(LockView { counter: 0, ..self.view(now, subject) })
            }
            _ if !self.is_held_by(subject) => Reply::Refused(self.view(now, subject)),
            Verb::Seal { token } => match self.counter(subject.resource.slot()) {
                COUNTER_MIN.. => {
                    self.raise(subject.resource.slot(), token);
                    Reply::Sealed
                }
                _ => Reply::Failed(Fault::new(FaultKind::Forgot, "there is no counter")),
            },
            Verb::Extend { ttl } => {
                if let Some(lock) = self.locks.get_mut(&subject.resource) {
                    lock.expires_at = whole_ms(now).after(ttl);
                }
                Reply::Extended
            }
            Verb::Release { next } => {
                self.release(now, subject, next, kept);
                Reply::Released
            }
            Verb::Probe { .. } | Verb::Initialize(_) | Verb::Activate { .. } | Verb::Scan { .. } => {
                Reply::Failed(Fault::new(FaultKind::Unexpected, ""))
            }
        }
    }

    /// Whether a waiter queues for the lock of `resource`.
    #[must_use]
    pub fn is_waited_for(&self, resource: &Resource) -> bool {
        self.queues.contains_key(resource)
    }

    /// The counter of `slot`; 0 if it is missing.
    #[must_use]
    pub fn counter(&self, slot: u16) -> u64 {
        self.counters.get(&slot).copied().unwrap_or(self.base)
    }

    fn put_counter(&mut self, slot: u16, counter: u64) {
        self.counters.insert(slot, counter);
    }

    fn grant(&mut self, now: WallTime, subject: &Subject, ttl: Duration, floor: u64, block: u32) -> Reply {
        let slot = subject.resource.slot();
        let drawn = self.counter(slot).saturating_add(u64::from(block));
        if drawn < COUNTER_MIN {
            self.put_counter(slot, 0);
            // The lock may have been reserved for this waiter.
            self.locks.remove(&subject.resource);
            return Reply::Failed(Fault::new(FaultKind::Forgot, "there is no counter"));
        }
        let state = LockState::HeldBy(subject.holder.clone().into());
        let lock = Lock { state, expires_at: whole_ms(now).after(ttl) };
        self.locks.insert(subject.resource.clone(), lock);
        self.raise(slot, drawn.max(floor));
        Reply::Granted { counter: self.counter(slot) }
    }

    fn force(&mut self, now: WallTime, subject: &Subject) -> Reply {
        let slot = subject.resource.slot();
        if let counter @ COUNTER_MIN.. = self.counter(slot) {
            self.put_counter(slot, counter + 1);
        }
        if !self.is_held_by(subject) {
            return Reply::Refused(self.view(now, subject));
        }
        self.serve(now, &subject.resource, Publish::ToFirst);
        Reply::Released
    }

    fn leave(&mut self, now: WallTime, subject: &Subject) -> Reply {
        self.dequeue(subject);
        // If the lock is free, it may have been reserved for this waiter until a moment ago, and no other waiter was
        // woken.
        if !self.locks.contains_key(&subject.resource) || self.is_reserved_for(subject) {
            self.serve(now, &subject.resource, Publish::ToFirst);
        }
        Reply::Left
    }

    fn release(&mut self, now: WallTime, subject: &Subject, next: Next, kept: &mut Vec<Resource>) {
        match next {
            Next::Queue(publish) => self.serve(now, &subject.resource, publish),
            Next::Grant => {
                self.locks.remove(&subject.resource);
                kept.push(subject.resource.clone());
            }
            Next::Rejoin { waited, wakes } => {
                self.put_in_queue(now, subject, waited);
                if wakes {
                    self.serve(now, &subject.resource, Publish::ToFirst);
                } else {
                    self.locks.remove(&subject.resource);
                }
            }
            Next::NoWaiter => drop(self.locks.remove(&subject.resource)),
        }
    }

    /// Serves the locks that no grant took again in the step that released them.
    fn serve_kept(&mut self, now: WallTime, kept: Vec<Resource>) {
        kept.iter().for_each(|resource| self.serve(now, resource, Publish::ToFirst));
    }

    /// Reserves the lock for the first waiter that a wake reaches, and wakes it. If the queue is empty, the lock is
    /// free.
    fn serve(&mut self, now: WallTime, resource: &Resource, publish: Publish) {
        self.locks.remove(resource);
        let Some(queue) = self.queues.get_mut(resource) else { return };
        if queue.is_over(now) {
            self.queues.remove(resource);
            return;
        }
        let mut wake = |Waiter { locker, .. }: Waiter, after| {
            let reaches = self.subscribers.contains(&locker);
            if reaches {
                self.wakes.push(Wake { locker, resource: resource.clone(), after });
            }
            reaches
        };
        let mut reserve = |entry: QueueEntry| {
            let expires_at = whole_ms(now).after(entry.waiter().grace());
            self.locks.insert(resource.clone(), Lock { state: LockState::ReservedFor(entry), expires_at });
        };
        if publish == Publish::Nothing {
            // The waiter stays in the queue: this node may be wrong about which waiter is first.
            queue.first().into_iter().for_each(reserve);
            return;
        }
        while let Some(entry) = queue.pop() {
            let waiter = entry.waiter();
            if wake(waiter, Duration::ZERO) {
                reserve(entry);
                if let (Publish::ToFirstTwo, Some(second)) = (publish, queue.first()) {
                    wake(second.waiter(), waiter.grace());
                }
                break;
            }
        }
        if queue.is_over(now) {
            self.queues.remove(resource);
        }
    }

    /// Whether a grant that waits takes the lock: if the lock is free, if it is reserved for this waiter, or if the
    /// grant overrides reservations.
    fn may_take(&self, subject: &Subject, waits: Waits) -> bool {
        match self.locks.get(&subject.resource).map(|lock| lock.state.reserved_for()) {
            None => true,
            Some(None) => false,
            Some(Some(entry)) => waits.overrides || entry.waiter().locker == subject.waiter.locker,
        }
    }

    fn is_reserved_for(&self, subject: &Subject) -> bool {
        let lock = self.locks.get(&subject.resource);
        lock.is_some_and(|lock| lock.state.reserved_for() == Some(&entry(subject)))
    }

    fn enqueue(&mut self, now: WallTime, subject: &Subject, waits: Waits) -> Reply {
        let place = self.put_in_queue(now, subject, waits.waited);
        Reply::Refused(LockView { place, ..self.view(now, subject) })
    }

    fn put_in_queue(&mut self, now: WallTime, subject: &Subject, waited: Duration) -> Option<u32> {
        let queue = self.queues.entry(subject.resource.clone()).or_default();
        if queue.is_over(now) {
            *queue = Queue::default();
        }
        let us = |us: u128| i64::try_from(us).unwrap_or(i64::MAX);
        let score = us(now.unix_us().into()).saturating_sub(us(waited.as_micros()));
        queue.join(score, &entry(subject).to_string(), now)
    }

    fn dequeue(&mut self, subject: &Subject) {
        if let Some(queue) = self.queues.get_mut(&subject.resource) {
            queue.remove(&entry(subject).to_string());
            if queue.len() == 0 {
                self.queues.remove(&subject.resource);
            }
        }
    }

    /// The cursor is the first slot that was not visited yet. A step reports whole slots, so no lock is missed.
    fn scan(&mut self, now: WallTime, cursor: u64, count: u32, remove: bool) -> Reply {
        self.locks.retain(|_, lock| lock.expires_at >= whole_ms(now));
        let mut found: Vec<_> = self.locks.keys().filter(|name| u64::from(name.slot()) >= cursor).cloned().collect();
        found.sort_unstable_by_key(|name| (name.slot(), name.clone()));
        let enough = found.get(usize::try_from(count.max(1)).unwrap_or(usize::MAX) - 1).map(Resource::slot);
        let rest = found.iter().position(|name| enough.is_some_and(|slot| name.slot() > slot));
        let next = rest.and_then(|at| found.get(at)).map_or(0, |name| u64::from(name.slot()));
        found.truncate(rest.unwrap_or(found.len()));
        let scanned = |resource: Resource| {
            let lock = self.locks.get(&resource)?;
            Some(ScannedLock { resource, lock: lock.state.clone(), ttl_left: lock.ttl_left(now) })
        };
        let locks: Vec<_> = found.into_iter().filter_map(scanned).collect();
        if remove {
            locks.iter().for_each(|lock| drop(self.locks.remove(&lock.resource)));
        }
        Reply::Scanned { cursor: next, locks }
    }

    fn join(&mut self, now: WallTime, verb: &Verb) {
        match verb {
            Verb::Initialize(update) if self.is_as_seen(update) => self.initialize(now, update),
            &Verb::Activate { max_ttl, wall } => {
                self.remember(max_ttl);
                self.activate(now, wall);
            }
            &Verb::Probe { max_ttl } => self.probe(now, max_ttl),
            Verb::Initialize(update) => self.probe(now, update.max_ttl),
            _ => {}
        }
    }

    fn probe(&mut self, now: WallTime, max_ttl: Duration) {
        if self.record.is_none() && self.mark.is_none() {
            self.mark = Some(now.unix_us());
        }
        self.remember(max_ttl);
    }

    /// Whether nothing has changed since the probe of the caller.
    fn is_as_seen(&self, RecordUpdate { seen, mark, .. }: &RecordUpdate) -> bool {
        self.record.map(identity) == seen.map(identity) && (seen.is_some() || self.mark == *mark)
    }

    fn initialize(&mut self, now: WallTime, update: &RecordUpdate) {
        let &RecordUpdate { rest, new, max_ttl, wall, .. } = update;
        let known = self.record.map_or(Duration::ZERO, |record| record.max_ttl);
        let awake = rest.is_zero();
        self.record = Some(Record {
            run_id: Some(self.run_id),
            ready_at: whole_ms(now).after(rest),
            max_ttl: known.max(max_ttl),
            awake,
            new,
        });
        if awake {
            self.raise_all(clock_start(now, wall));
        } else {
            self.counters.clear();
            self.base = 0;
        }
    }

    fn activate(&mut self, now: WallTime, wall: WallTime) {
        match &mut self.record {
            Some(record) if !record.awake && record.ready_at <= whole_ms(now) => record.awake = true,
            _ => return,
        }
        self.raise_all(clock_start(now, wall));
    }

    fn remember(&mut self, max_ttl: Duration) {
        let Some(record) = &mut self.record else { return };
        let more = max_ttl.saturating_sub(record.max_ttl);
        // A caller with a longer time to live may have held a lock of that length when this node forgot. So the rest
        // grows by the difference, and by a tenth of it for clocks.
        if !record.awake {
            record.ready_at = whole_ms(record.ready_at.after(more + more / 10));
        }
        record.max_ttl += more;
    }

    fn raise(&mut self, slot: u16, least: u64) {
        let counter = self.counter(slot).max(least);
        self.counters.insert(slot, counter);
    }

    fn raise_all(&mut self, least: u64) {
        // No clock leads to such a counter: another program wrote it.
        let raised = |counter: u64| if counter > COUNTER_MAX { least } else { counter.max(least) };
        self.base = raised(self.base);
        self.counters.values_mut().for_each(|counter| *counter = raised(*counter));
    }

    fn report(&self, now: WallTime) -> NodeReport {
        let uptime = Duration::from_micros(now.unix_us().saturating_sub(self.started.unix_us()));
        // Servers report whole seconds.
        let uptime = Some(Duration::from_secs(uptime.as_secs()));
        NodeReport {
            now,
            run_id: Some(self.run_id),
            uptime,
            was_joined: Some(self.was_joined),
            keeps: Some(true),
            record: self.record,
            mark: self.mark,
            session: 0,
            arrived: Moment::default(),
        }
    }

    fn expire(&mut self, resource: &Resource, now: WallTime) {
        if self.locks.get(resource).is_some_and(|lock| lock.expires_at < whole_ms(now)) {
            self.locks.remove(resource);
        }
    }

    fn is_held_by(&self, subject: &Subject) -> bool {
        self.locks.get(&subject.resource).is_some_and(|lock| lock.state.is_held_by(&subject.holder))
    }

    fn view(&self, now: WallTime, subject: &Subject) -> LockView {
        let lock = self.locks.get(&subject.resource);
        LockView {
            lock: lock.map(|lock| lock.state.clone()).unwrap_or_default(),
            ttl_left: lock.and_then(|lock| lock.ttl_left(now)),
            counter: self.counter(subject.resource.slot()),
            ..LockView::default()
        }
    }

    fn inspected(&self, now: WallTime, subject: &Subject) -> LockView {
        let queue = self.queues.get(&subject.resource).filter(|queue| !queue.is_over(now));
        let (waiting, first) = (queue.map_or(0, Queue::len), queue.and_then(Queue::first));
        let place = queue.and_then(|queue| queue.place(&entry(subject).to_string()));
        LockView { place, waiting, first: first.map(Box::new), ..self.view(now, subject) }
    }
}

/// The queue entry of the request's waiter.
fn entry(subject: &Subject) -> QueueEntry {
    QueueEntry::new(subject.waiter, subject.holder.label().as_str())
}

/// The parts that identify a record: all but the longest time to live, which grows in place.
fn identity(record: Record) -> (Option<RunId>, WallTime, bool) {
    (record.run_id, record.ready_at, record.awake)
}

/// Expiry is in whole milliseconds.
fn whole_ms(at: WallTime) -> WallTime {
    WallTime::from_unix_ms(at.unix_ms())
}
