//! [`ClientState`]: one client of a run, from process to process: it takes its turns with the shipped locker.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::{Entropy, Guard, Redlock, Spawner as _};

use super::belief::Belief;
use super::clocks::MachineClock;
use super::cluster::Opened;
use super::glimpse::Glimpse;
use super::process::{Process, TasksOf};
use super::stage::Stage;
use super::world::lock;
use crate::mutant::{Mutant, mutated};
use crate::plan::{Act, Client, End, Turn};

/// One client of a run.
pub(super) struct ClientState {
    number: u8,
    plan: Client,
    clock: Arc<MachineClock>,
    /// The turn that is next; a process that dies does not finish its own.
    next: AtomicUsize,
    process: Mutex<Option<Arc<Process>>>,
    lives: AtomicUsize,
    lockers: AtomicU64,
    belief: Mutex<Option<Belief>>,
}

impl ClientState {
    pub(super) fn new(stage: &Stage, number: u8, plan: Client) -> Arc<Self> {
        let clock = MachineClock::new(&stage.world, plan.machine, stage.mutant == Some(Mutant::WallClock));
        Arc::new(Self {
            number,
            plan,
            clock,
            next: AtomicUsize::new(0),
            process: Mutex::default(),
            lives: AtomicUsize::new(0),
            lockers: AtomicU64::new(0),
            belief: Mutex::default(),
        })
    }

    /// Starts a process of this client.
    pub(super) fn start(self: &Arc<Self>, stage: &Arc<Stage>) {
        let life = u32::try_from(self.lives.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
        let process = Process::start(&stage.world, self.number, life);
        *lock(&self.process) = Some(Arc::clone(&process));
        let (me, stage) = (Arc::clone(self), Arc::clone(stage));
        let tasks = TasksOf(Arc::clone(&process));
        tasks.spawn(Box::pin(async move { me.live(&stage, &process).await }));
    }

    /// Stands still for a while.
    pub(super) fn pause(&self, for_ms: u32) {
        if let Some(process) = &*lock(&self.process) {
            process.pause(for_ms);
        }
    }

    /// Its process dies, and believes no more. Returns whether there was one.
    pub(super) fn kill(&self) -> bool {
        self.give_up("died");
        let process = lock(&self.process).take();
        process.map(|process| process.kill()).is_some()
    }

    /// How its locks are labelled, if it lives.
    pub(super) fn label(&self) -> Option<String> {
        lock(&self.process).as_ref().map(|process| label(process))
    }

    /// Its wall clock steps.
    pub(super) fn step_clock(&self, by_ms: i32) {
        self.clock.step(by_ms);
    }

    /// What it believes ends here, if it believes anything.
    pub(super) fn give_up(&self, cause: &str) {
        let belief = lock(&self.belief).take();
        if let Some(belief) = belief {
            belief.end(cause);
        }
    }

    async fn live(&self, stage: &Arc<Stage>, process: &Arc<Process>) {
        while !stage.is_calm()
            && let Some(turn) = self.plan.turns.get(self.next.fetch_add(1, Ordering::Relaxed))
            && let Some(locker) = self.locker(stage, process)
        {
            self.take(stage, process, &locker, turn).await;
            // A mutant that counts the nodes that it can reach counts them anew.
            if stage.mutant != Some(Mutant::ReachableQuorum) {
                self.go_on(stage, process, &locker).await;
                break;
            }
        }
        stage.calm().await;
        if let Some(turn) = stage.last_turn(self.number)
            && let Some(locker) = self.locker(stage, process)
        {
            self.take(stage, process, &locker, &turn).await;
        }
        stage.done(self.number);
    }

    /// The further turns, with the same locker.
    async fn go_on(&self, stage: &Arc<Stage>, process: &Arc<Process>, locker: &Redlock) {
        while !stage.is_calm()
            && let Some(turn) = self.plan.turns.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            self.take(stage, process, locker, turn).await;
        }
    }

    fn locker(&self, stage: &Stage, process: &Arc<Process>) -> Option<Redlock> {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let terms = stage.plan.terms;
        let drift_ppm = if stage.mutant == Some(Mutant::NoDrift) { 0 } else { 10_000 };
        // Every locker has chance of its own, or two of them would draw the same holder ids.
        let locker = self.lockers.fetch_add(1, Ordering::Relaxed);
        let seed = stage.plan.seed ^ (u64::from(self.number) << 32 | locker << 40 | 1);
        let mut builder = Redlock::builder()
            .ttl(ms(terms.ttl_ms))
            .max_ttl(ms(terms.max_ttl_ms))
            .node_timeout(ms(terms.node_timeout_ms))
            .drift_ppm(drift_ppm)
            .label(label(process))
            .clock(Arc::clone(&self.clock) as _)
            .entropy(Arc::new(Entropy::from_seed(seed)))
            .spawner(Arc::new(TasksOf(Arc::clone(process))));
        for node in stage.reachable(process) {
            builder = builder.node(Opened(mutated(stage.mutant, &stage.world, terms, node)));
        }
        let locker = builder.build();
        if let Err(error) = &locker {
            stage.world.note(|| format!("c{} has no locker: {error}", self.number));
        }
        locker.ok()
    }

    async fn take(&self, stage: &Arc<Stage>, process: &Arc<Process>, locker: &Redlock, turn: &Turn) {
        tokio::time::sleep(Duration::from_millis(u64::from(turn.think_ms))).await;
        let Some(resource) = stage.resources.get(usize::from(turn.resource)) else { return };
        let wait_max = Duration::from_millis(u64::from(turn.wait_ms));
        let called_us = stage.world.now_us();
        let acquire = locker.acquire_within(resource.clone(), wait_max);
        let Some(acquired) = cancelled_after(turn.cancel_ms, acquire).await else {
            return stage.world.count(|seen| seen.cancelled += 1);
        };
        let guard = match acquired {
            Ok(guard) => guard,
            Err(error) => {
                stage.world.note(|| format!("c{}.{} failed: {error}", self.number, process.life));
                let (client, at_us) = (self.number, stage.world.now_us());
                stage.world.glimpse(|| Glimpse::Failed { client, at_us, why: error.to_string() });
                return stage.world.count(|seen| seen.failed += 1);
            }
        };
        let began_us = stage.cluster.began_ms(guard.holder().id()).map_or(called_us, |ms| ms * 1_000);
        let belief = Belief::begin(&stage.world, &self.clock, guard.handle(), began_us, stage.mutant);
        TasksOf(Arc::clone(process)).spawn(Box::pin(belief.watch()));
        *lock(&self.belief) = Some(belief);
        for act in &turn.acts {
            if !self.believes() {
                break;
            }
            self.act(stage, process, &guard, turn.resource, *act).await;
        }
        if !self.believes() {
            stage.world.count(|seen| seen.lost += 1);
        }
        self.give_up("given up");
        match turn.end {
            End::Drop => drop(guard),
            End::Release { cancel_ms } => {
                let outcome = cancelled_after(cancel_ms, guard.release()).await;
                stage.world.note(|| format!("c{}.{} released: {outcome:?}", self.number, process.life));
            }
        }
    }

    async fn act(&self, stage: &Arc<Stage>, process: &Arc<Process>, guard: &Guard, resource: u8, act: Act) {
        match act {
            Act::Work { ms } => tokio::time::sleep(Duration::from_millis(u64::from(ms))).await,
            Act::Stall { ms } => process.stall(ms.min(stage.left_ms())).await,
            Act::Write { stall_ms, flight_ms } => {
                process.stall(stall_ms.min(stage.left_ms())).await;
                stage.guarded.write(self.number, resource, guard.token(), flight_ms);
            }
            Act::Extend { cancel_ms } => {
                let outcome = cancelled_after(cancel_ms, guard.extend()).await;
                stage.world.note(|| format!("c{}.{} extended: {outcome:?}", self.number, process.life));
            }
        }
    }

    fn believes(&self) -> bool {
        lock(&self.belief).as_ref().is_some_and(Belief::holds)
    }
}

/// What tells processes apart.
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
