//! [`ClientState`]: one client of a run, with all its processes. It runs its sections with the shipped locker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::{Entropy, Guard, HolderId, NodeId, Redlock, Spawner as _};

use super::belief::Belief;
use super::caller::Caller;
use super::clocks::MachineClock;
use super::cluster::SharedNode;
use super::process::{Process, ProcessSpawner};
use super::run_context::RunContext;
use super::timeline_event::TimelineEvent;
use super::world::lock;
use crate::invariant::unserved;
use crate::mutant::{Mutant, mutated};
use crate::plan::{Client, End, HandOver, Operation, Section};

/// One client of a run.
pub(super) struct ClientState {
    number: u8,
    plan: Client,
    clock: Arc<MachineClock>,
    /// The next section; a process that dies does not finish its current section.
    next: AtomicUsize,
    process: Mutex<Option<Arc<Process>>>,
    lives: AtomicUsize,
    lockers: AtomicU64,
    /// Tasks of the process that are not done yet.
    busy: AtomicU8,
    /// What each task believes.
    beliefs: Mutex<BTreeMap<u8, Belief>>,
    /// The holders of all leases that this client has had.
    holders: Mutex<BTreeSet<HolderId>>,
}

impl ClientState {
    pub(super) fn new(context: &RunContext, number: u8, plan: Client) -> Arc<Self> {
        let clock = MachineClock::new(&context.world, plan.clock, context.mutant == Some(Mutant::WallClock));
        Arc::new(Self {
            number,
            plan,
            clock,
            next: AtomicUsize::new(0),
            process: Mutex::default(),
            lives: AtomicUsize::new(0),
            lockers: AtomicU64::new(0),
            busy: AtomicU8::new(0),
            beliefs: Mutex::default(),
            holders: Mutex::default(),
        })
    }

    /// Starts a process of this client.
    pub(super) fn start(self: &Arc<Self>, context: &Arc<RunContext>) {
        let life = u32::try_from(self.lives.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
        let process = Process::start(&context.world, self.number, life);
        *lock(&self.process) = Some(Arc::clone(&process));
        let (me, context) = (Arc::clone(self), Arc::clone(context));
        let tasks = ProcessSpawner(Arc::clone(&process));
        tasks.spawn(Box::pin(me.live(context, process)));
    }

    /// Pauses its process for a while.
    pub(super) fn pause(&self, for_ms: u32) {
        if let Some(process) = &*lock(&self.process) {
            process.pause(for_ms);
        }
    }

    /// Its process dies, and believes no more. Returns it, if there was one.
    pub(super) fn kill(&self) -> Option<Arc<Process>> {
        self.give_up("died");
        let process = lock(&self.process).take()?;
        process.kill();
        Some(process)
    }

    /// The label of its locks, if it lives.
    pub(super) fn label(&self) -> Option<String> {
        lock(&self.process).as_ref().map(|process| label(process))
    }

    /// Its wall clock steps.
    pub(super) fn step_clock(&self, by_ms: i32) {
        self.clock.step(by_ms);
    }

    /// All tasks stop believing in their leases.
    pub(super) fn give_up(&self, cause: &str) {
        let beliefs = std::mem::take(&mut *lock(&self.beliefs));
        beliefs.into_values().for_each(|belief| belief.end(cause));
    }

    fn give_up_one(&self, task: u8, cause: &str) {
        let belief = lock(&self.beliefs).remove(&task);
        if let Some(belief) = belief {
            belief.end(cause);
        }
    }

    /// One locker, and the tasks that share it.
    async fn live(self: Arc<Self>, context: Arc<RunContext>, process: Arc<Process>) {
        let locker = self.locker(&context, &process);
        // The mutant that counts only reachable nodes counts them again for each section.
        let counts_anew = context.mutant == Some(Mutant::ReachableQuorum);
        let tasks = if counts_anew || locker.is_none() { 1 } else { self.plan.tasks };
        self.busy.store(tasks, Ordering::Relaxed);
        for task in 1..tasks {
            let (me, context, process, locker) =
                (Arc::clone(&self), Arc::clone(&context), Arc::clone(&process), locker.clone());
            let spawner = ProcessSpawner(Arc::clone(&process));
            spawner.spawn(Box::pin(async move { me.work(&context, &process, task, locker).await }));
        }
        self.work(&context, &process, 0, locker).await;
    }

    /// Runs sections that no other task has taken, and one more after the end of the faults.
    async fn work(&self, context: &Arc<RunContext>, process: &Arc<Process>, task: u8, mut locker: Option<Redlock>) {
        let counts_anew = context.mutant == Some(Mutant::ReachableQuorum);
        while !context.have_faults_ended()
            && let Some(one) = &locker
            && let Some(section) = self.plan.sections.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            self.take(context, process, (task, one), section).await.unwrap_or_default();
            if counts_anew {
                locker = self.locker(context, process);
            }
        }
        context.until_faults_end().await;
        if self.plan.tasks == 1 {
            // A locker of one task is replaced after the faults. A locker that tasks share stays, with all its waiters.
            locker = self.locker(context, process);
        }
        if let Some(section) = context.last_section(self.number)
            && let Some(locker) = &locker
            && let Err(error) = self.take(context, process, (task, locker), &section).await
            && !process.is_dead()
        {
            // The faults have ended, so every waiter must be served.
            let who = format!("task {task} of {}", label(process));
            context.world.report(unserved(&who, section.wait_ms, context.world.now_us(), &error));
        }
        if self.busy.fetch_sub(1, Ordering::Relaxed) == 1 {
            context.done(self.number);
        }
    }

    fn locker(&self, context: &RunContext, process: &Arc<Process>) -> Option<Redlock> {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let terms = context.plan.terms;
        let drift_ppm = if context.mutant == Some(Mutant::NoDrift) { 0 } else { 10_000 };
        // Every locker has its own seed, or two of them would draw the same holder ids.
        let locker = self.lockers.fetch_add(1, Ordering::Relaxed);
        let seed = context.plan.seed ^ (u64::from(self.number) << 32 | locker << 40 | 1);
        let mut builder = Redlock::builder()
            .ttl(ms(terms.ttl_ms))
            .max_ttl(ms(terms.max_ttl_ms))
            .node_timeout(ms(terms.node_timeout_ms))
            .drift_ppm(drift_ppm)
            .hand_over(self.hand_over(context))
            .turn_max(context.plan.sharing.sections_max, ms(context.plan.sharing.turn_max_ms))
            .label(label(process))
            .clock(Arc::clone(&self.clock) as _)
            .entropy(Arc::new(Entropy::from_seed(seed)))
            .spawner(Arc::new(ProcessSpawner(Arc::clone(process))));
        if let (Some(anchor), true) = (context.plan.anchor, context.mutant != Some(Mutant::NoAnchor)) {
            builder = builder.anchor(NodeId::new(usize::from(anchor)));
        }
        for node in context.reachable(process) {
            builder = builder.node(SharedNode(mutated(context.mutant, &context.world, terms, node)));
        }
        let locker = builder.build();
        if let Err(error) = &locker {
            context.world.note(|| format!("c{} has no locker: {error}", self.number));
        }
        locker.ok()
    }

    /// The hand-over setting. A mutant hands leases to latecomers and still claims that order holds.
    fn hand_over(&self, context: &RunContext) -> redfence::HandOver {
        match (context.plan.sharing.hand_over, context.mutant) {
            (_, Some(Mutant::HandOverToLatecomers)) | (HandOver::WithoutOrder, _) => redfence::HandOver::WithoutOrder,
            (HandOver::ToWaiters, _) => redfence::HandOver::ToWaiters,
            (HandOver::Off, _) => redfence::HandOver::Off,
        }
    }

    /// Runs one section. An error if it got no lease and was not cancelled.
    async fn take(
        &self,
        context: &Arc<RunContext>,
        process: &Arc<Process>,
        (task, locker): (u8, &Redlock),
        section: &Section,
    ) -> Result<(), String> {
        tokio::time::sleep(Duration::from_millis(u64::from(section.think_ms))).await;
        let Some(resource) = context.resources.get(usize::from(section.resource)) else { return Ok(()) };
        let wait_max = Duration::from_millis(u64::from(section.wait_ms));
        let called_us = context.world.now_us();
        let acquire = locker.acquire_within(resource.clone(), wait_max);
        let Some(acquired) = cancelled_after(section.cancel_ms, acquire).await else {
            let waited_long = section.cancel_ms > Some(context.plan.terms.node_timeout_ms);
            context.world.count(|seen| {
                seen.cancelled += 1;
                seen.gave_up_waiting += u64::from(waited_long);
            });
            return Ok(());
        };
        context.world.waited(self.number, resource, called_us, acquired.is_ok());
        let guard = match acquired {
            Ok(guard) => guard,
            Err(error) => {
                context.world.note(|| format!("c{}.{}.{task} failed: {error}", self.number, process.life));
                let (client, at_us) = (self.number, context.world.now_us());
                context.world.timeline_event(|| TimelineEvent::Failed { client, at_us, why: error.to_string() });
                context.world.count(|seen| seen.failed += 1);
                return Err(error.to_string());
            }
        };
        let belief = self.believe(context, &guard, called_us);
        ProcessSpawner(Arc::clone(process)).spawn(Box::pin(belief.watch()));
        lock(&self.beliefs).insert(task, belief);
        for operation in &section.operations {
            if !self.believes(task) {
                break;
            }
            self.operation(context, process, &guard, section.resource, *operation).await;
        }
        if !self.believes(task) {
            context.world.count(|seen| seen.lost += 1);
        }
        self.give_up_one(task, "given up");
        match section.end {
            End::Drop => drop(guard),
            End::Release { cancel_ms } => {
                let outcome = cancelled_after(cancel_ms, guard.release()).await;
                context.world.note(|| format!("c{}.{}.{task} released: {outcome:?}", self.number, process.life));
            }
        }
        Ok(())
    }

    /// A lease has just been returned. The attempt that won it began with its first grant. A task that took it over
    /// began with the call.
    fn believe(&self, context: &Arc<RunContext>, guard: &Guard, called_us: u64) -> Belief {
        let holder = guard.holder().id();
        let handed_over = !lock(&self.holders).insert(holder);
        let asked_us = context.cluster.began_ms(holder).map_or(called_us, |ms| ms * 1_000);
        let (began_us, latecomer) = match handed_over {
            true => (called_us, context.plan.sharing.hand_over == HandOver::WithoutOrder),
            false => (asked_us, false),
        };
        context.world.count(|seen| seen.handed_over += u64::from(handed_over));
        Belief::begin(&context.world, &self.clock, guard.handle(), (began_us, latecomer), context.mutant)
    }

    async fn operation(
        &self,
        context: &Arc<RunContext>,
        process: &Arc<Process>,
        guard: &Guard,
        resource: u8,
        operation: Operation,
    ) {
        match operation {
            Operation::Work { ms } => tokio::time::sleep(Duration::from_millis(u64::from(ms))).await,
            Operation::Stall { ms } => process.stall(ms.min(context.left_ms())).await,
            Operation::Write { stall_ms, flight_ms } => {
                process.stall(stall_ms.min(context.left_ms())).await;
                match &context.workload {
                    Some(workload) => {
                        let caller = Caller::new(context, self.number, guard.resource().clone(), flight_ms);
                        caller.operate(&**workload, guard).await;
                    }
                    None => context.protected.write(self.number, resource, guard.token(), flight_ms),
                }
            }
            Operation::Extend { cancel_ms } => {
                let outcome = cancelled_after(cancel_ms, guard.extend()).await;
                context.world.note(|| format!("c{}.{} extended: {outcome:?}", self.number, process.life));
            }
        }
    }

    fn believes(&self, task: u8) -> bool {
        lock(&self.beliefs).get(&task).is_some_and(Belief::holds)
    }
}

/// A name for each process.
fn label(process: &Process) -> String {
    format!("c{}.{}", process.client, process.life)
}

/// Drops a future that takes longer than it may.
async fn cancelled_after<T>(cancel_ms: Option<u32>, future: impl Future<Output = T>) -> Option<T> {
    match cancel_ms {
        Some(ms) => tokio::time::timeout(Duration::from_millis(u64::from(ms)), future).await.ok(),
        None => Some(future.await),
    }
}
