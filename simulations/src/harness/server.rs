//! [`Server`]: one node of a run: the shipped node state, its clock, and the faults of its machine.

use std::sync::Arc;
use std::time::Duration;

use redfence::node::{NodeState, Wake};
use redfence::protocol::{LockView, Reply, Request, Subject, Verb};
use redfence::{Clock as _, Holder, HolderId, Label, LockState, LockerId, QueueEntry, Resource, Waiter};

use super::clocks::MachineClock;
use super::cluster::ForeignCommand;
use super::link::InFlightBatch;
use super::run_id::run_id;
use super::timeline_event::TimelineEvent;
use super::world::World;
use crate::history::Assumed;
use crate::mutant::Mutant;
use crate::plan::{Bootstrap, Memory};

/// One node.
pub(super) struct Server {
    number: u8,
    world: Arc<World>,
    mutant: Option<Mutant>,
    resources: Vec<Resource>,
    state: NodeState,
    clock: Arc<MachineClock>,
    pub(super) up: bool,
    pub(super) hung: u32,
    /// How long locks live while it has too little memory.
    pub(super) evicts_after_ms: Option<u32>,
    /// Which run of the server this is.
    pub(super) life: u32,
    /// Requests that arrived while it hung.
    pub(super) backlog: Vec<InFlightBatch>,
    snapshot: Option<NodeState>,
    /// The greatest counter that it has ever had, for each resource.
    highest: Vec<u64>,
    /// Holders whose locks it forgot.
    forgotten: Vec<String>,
    /// Whether it forgot everything without a restart, and no locker has joined it since.
    pub(super) flushed: bool,
    /// The last drawn state: the holder and end of each lock, and whether it rests.
    drawn: (Vec<Option<(String, u64)>>, bool),
    /// Its locks may live longer than they should: it was restored, or its clock was set back.
    pub(super) lingers: bool,
}

impl Server {
    pub(super) fn new(
        world: &Arc<World>,
        number: u8,
        clock: Arc<MachineClock>,
        (bootstrap, ahead): (Bootstrap, u8),
        resources: Vec<Resource>,
        mutant: Option<Mutant>,
    ) -> Self {
        let now = clock.wall();
        let long_ago = redfence::WallTime::from_unix_us(now.unix_us().saturating_sub(86_400_000_000));
        let state = match bootstrap {
            // Long ago, because lockers draw no blocks while counters are close to the clock.
            Bootstrap::Done => NodeState::bootstrapped(run_id(number, 0), long_ago),
            Bootstrap::JustStarted => NodeState::started(run_id(number, 0), now),
            Bootstrap::LongUptime => NodeState::started(run_id(number, 0), long_ago),
        };
        let mut state = state;
        if bootstrap == Bootstrap::Done {
            for resource in &resources {
                state.set_counter(resource.slot(), state.counter(resource.slot()) + u64::from(ahead));
            }
        }
        let highest = vec![0; resources.len()];
        Self {
            number,
            world: Arc::clone(world),
            mutant,
            resources,
            state,
            clock,
            up: true,
            hung: 0,
            evicts_after_ms: None,
            life: 0,
            backlog: Vec::new(),
            snapshot: None,
            highest,
            forgotten: Vec::new(),
            flushed: false,
            drawn: (Vec::new(), false),
            lingers: false,
        }
    }

    /// Executes requests in one step, and records if an assumption of a promise breaks.
    pub(super) fn apply_batch(&mut self, requests: &[Request]) -> Vec<Reply> {
        let node = self.number;
        let replies = Mutant::apply_batch(self.mutant, node, &mut self.state, self.clock.wall(), requests);
        for (request, reply) in requests.iter().zip(&replies) {
            match (&request.verb, reply) {
                (Verb::Seal { .. }, _) => self.world.count(|seen| seen.seals += 1),
                (Verb::Initialize(update), Reply::Reported(_)) => {
                    self.flushed = false;
                    self.world.count(|seen| seen.rests += u64::from(!update.rest.is_zero()));
                }
                (Verb::Activate { .. }, _) => self.world.count(|seen| seen.activations += 1),
                _ => {}
            }
            self.watch_counters(&request.verb);
        }
        self.draw();
        replies
    }

    /// A command of a client of another library, which knows no rest.
    pub(super) fn foreign(&mut self, resource: u8, value: &str, command: &ForeignCommand) -> Option<bool> {
        let resource = self.resources.get(usize::from(resource)).filter(|_| self.up && self.hung == 0)?;
        let (now, value) = (self.clock.wall(), value.as_bytes());
        let done = match *command {
            ForeignCommand::Take { ttl_ms } => {
                let ttl = ttl_ms.map(|ttl_ms| Duration::from_millis(u64::from(ttl_ms)));
                self.state.occupy(now, resource, value, ttl)
            }
            ForeignCommand::Leave => {
                self.state.vacate(resource, value);
                true
            }
        };
        self.draw();
        Some(done)
    }

    /// The lockers that the node wakes.
    pub(super) fn take_wakes(&mut self) -> Vec<Wake> {
        let wakes = self.state.take_wakes();
        if self.mutant == Some(Mutant::WakeIsLost) { Vec::new() } else { wakes }
    }

    /// A resource of `requests` that is reserved for longer than the longest grace.
    pub(super) fn reserves_for_too_long<'a>(&mut self, requests: &'a [Request]) -> Option<&'a Resource> {
        // A clock that was set back prolongs earlier reservations.
        let serves = requests.iter().filter(|request| matches!(request.verb, Verb::Release { .. } | Verb::Leave));
        serves.map(|request| &request.subject.resource).find(|resource| {
            let at = self.resources.iter().position(|one| one == *resource);
            let view = at.and_then(|at| self.view(at)).filter(|_| !self.lingers);
            view.is_some_and(|view| {
                view.lock.reserved_for().is_some() && view.ttl_left.is_none_or(|left| left > Waiter::GRACE.1)
            })
        })
    }

    /// A resource that is still reserved for a waiter, although the waiter left with one of `requests`.
    pub(super) fn reserves_for_one_that_left<'a>(&mut self, requests: &'a [Request]) -> Option<&'a Resource> {
        let left = requests.iter().filter(|request| matches!(request.verb, Verb::Leave));
        let still = left.map(|request| &*request.subject).find(|subject| {
            let at = self.resources.iter().position(|one| *one == subject.resource);
            let view = at.and_then(|at| self.view(at));
            view.is_some_and(|view| view.lock.reserved_for().map(QueueEntry::waiter) == Some(subject.waiter))
        });
        still.map(|subject| &subject.resource)
    }

    /// A connection over which a locker was to be woken has ended.
    pub(super) fn disconnect(&mut self, locker: LockerId) {
        if self.mutant != Some(Mutant::DeadHeadIsNext) {
            self.state.disconnect(locker);
        }
    }

    /// Tokens need counters that do not go back. A lost counter starts at the later of two clocks. If both are behind
    /// the lost counter, no locker can notice.
    fn watch_counters(&mut self, verb: &Verb) {
        let caller = match verb {
            Verb::Initialize(update) => Some(update.wall),
            Verb::Activate { wall, .. } => Some(*wall),
            _ => None,
        };
        for (resource, highest) in self.resources.iter().zip(&mut self.highest) {
            let counter = self.state.counter(resource.slot());
            let behind = counter > 0 && counter < *highest;
            if let (true, Some(caller)) = (behind, caller)
                && self.clock.wall().max(caller).unix_us() < *highest
            {
                self.world.void(Assumed::T, "a counter started anew, and both clocks were behind what was lost");
            }
            *highest = counter.max(*highest);
        }
    }

    /// The holders of the locks that it has.
    pub(super) fn holders(&mut self) -> Vec<String> {
        (0..self.resources.len()).filter_map(|at| self.holder_of(at)).collect()
    }

    /// Records locks that are new, live longer or are gone, and whether the node rests. A crashed node is drawn when it
    /// is back.
    pub(super) fn draw(&mut self) {
        if !self.world.is_traced() {
            return;
        }
        // Reading removes expired locks, which a clock that is set back later would have brought back. So this reads a
        // copy.
        let state = self.state.clone();
        self.look();
        self.state = state;
    }

    fn look(&mut self) {
        let (at_us, node) = (self.world.now_us(), self.number);
        let (joined, awake) = self.membership();
        let rests = joined && !awake;
        if rests != std::mem::replace(&mut self.drawn.1, rests) {
            self.world.timeline_event(|| TimelineEvent::Rests { node, rests, at_us });
        }
        for (at, resource) in (0..).zip(0..self.resources.len()) {
            let lock = self.view(resource).filter(|_| self.up).and_then(|view| {
                let left_us =
                    view.ttl_left.map_or(u64::MAX, |left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX));
                Some((value_of(view.lock)?, at_us.saturating_add(left_us)))
            });
            if self.drawn.0.len() <= resource {
                self.drawn.0.resize(resource + 1, None);
            }
            let Some(drawn) = self.drawn.0.get_mut(resource) else { return };
            if *drawn != lock {
                drawn.clone_from(&lock);
                let (holder, expires_us) = lock.map_or((None, at_us), |(holder, until)| (Some(holder), until));
                self.world.timeline_event(|| TimelineEvent::Lock { node, resource: at, holder, at_us, expires_us });
            }
        }
    }

    fn holder_of(&mut self, resource: usize) -> Option<String> {
        value_of(self.view(resource)?.lock)
    }

    fn view(&mut self, resource: usize) -> Option<LockView> {
        let resource = self.resources.get(resource)?.clone();
        let holder = Holder::new(HolderId::from_random(0), Label::new("").ok()?);
        let request = Request { subject: Arc::new(Subject::new(resource, holder)), verb: Verb::Inspect };
        match self.state.apply(self.clock.wall(), &request) {
            Reply::Inspected(view) => Some(view),
            _ => None,
        }
    }

    /// Whether a locker has joined it, and whether it is awake.
    pub(super) fn membership(&mut self) -> (bool, bool) {
        let Ok(label) = Label::new("") else { return (false, false) };
        let Some(resource) = self.resources.first().cloned() else { return (false, false) };
        let subject = Arc::new(Subject::new(resource, Holder::new(HolderId::from_random(0), label)));
        let look = Request { subject, verb: Verb::Probe { max_ttl: Duration::ZERO } };
        match self.state.apply(self.clock.wall(), &look) {
            Reply::Reported(report) => (report.record.is_some(), report.record.is_some_and(|record| record.awake)),
            _ => (false, false),
        }
    }

    pub(super) fn keep_snapshot(&mut self) {
        self.snapshot = Some(self.state.clone());
    }

    pub(super) fn flush(&mut self) {
        let lost = self.holders();
        self.forgotten.extend(lost);
        self.flushed = true;
        self.state.flush();
    }

    pub(super) fn drop_counter(&mut self, resource: u8) {
        if let Some(resource) = self.resources.get(usize::from(resource)) {
            self.state.set_counter(resource.slot(), 0);
        }
    }

    pub(super) fn evict(&mut self, resource: u8) {
        if let Some(resource) = self.resources.get(usize::from(resource)).cloned() {
            self.evict_lock(&resource);
        }
    }

    pub(super) fn evict_lock(&mut self, resource: &Resource) {
        let at = self.resources.iter().position(|one| one == resource);
        if let Some(holder) = at.and_then(|at| self.holder_of(at)) {
            self.state.drop_lock(resource);
            self.world.vanished(self.number, holder);
        }
    }

    /// A step forward ends locks early. It also ends rests early, so that the node does not wait for forgotten locks.
    pub(super) fn step_clock(&mut self, by_ms: i32) {
        let (_, awake) = self.membership();
        let mut ended = self.holders();
        if !awake {
            ended.append(&mut self.forgotten);
        }
        self.clock.step(by_ms);
        match by_ms {
            ..0 => self.lingers = true,
            _ => ended.into_iter().for_each(|holder| self.world.vanished(self.number, holder)),
        }
    }

    pub(super) fn end(&mut self, memory: Memory) {
        if memory != Memory::Kept {
            let lost = self.holders();
            self.forgotten.extend(lost);
        }
        self.up = false;
        self.life += 1;
        self.backlog.clear();
    }

    pub(super) fn start_again(&mut self, memory: Memory) {
        let (run_id, now) = (run_id(self.number, self.life), self.clock.wall());
        match (memory, &self.snapshot) {
            (Memory::Snapshot, Some(snapshot)) => {
                self.state = snapshot.clone();
                self.lingers = true;
                self.state.restart(run_id, now, true);
            }
            (Memory::Kept, _) => self.state.restart(run_id, now, true),
            _ => {
                self.flushed = false;
                self.state.restart(run_id, now, false);
            }
        }
        self.up = true;
    }
}

/// The value that a server would have at the key of this lock.
fn value_of(lock: LockState) -> Option<String> {
    match lock {
        LockState::HeldBy(occupant) => Some(occupant.value().into_owned()),
        LockState::ReservedFor(entry) => Some(format!("{}{entry}", Waiter::RESERVED)),
        _ => None,
    }
}
