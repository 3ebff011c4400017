//! [`Process`]: a client's process, which may pause as a whole, or die. Everything that the process does is a task
//! here: its own work, and the background tasks of its locker (renewal, repeated releases, probes of nodes). While the
//! process is paused none of them is polled, but time goes on. Timers that fell due fire when the process continues,
//! and it reads then what arrived.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use redfence::{BackgroundTask, Spawner};

use super::timeline_event::TimelineEvent;
use super::world::{World, lock};

/// A client's process.
pub struct Process {
    /// Which client.
    pub client: u8,
    /// The number of this process among those of its client.
    pub life: u32,
    world: Arc<World>,
    pauses: AtomicU32,
    dead: AtomicBool,
    stalled: Mutex<Vec<Waker>>,
}

impl Process {
    /// A process that has just been started.
    #[must_use]
    pub fn start(world: &Arc<World>, client: u8, life: u32) -> Arc<Self> {
        Arc::new(Self {
            client,
            life,
            world: Arc::clone(world),
            pauses: AtomicU32::new(0),
            dead: AtomicBool::new(false),
            stalled: Mutex::default(),
        })
    }

    /// Pauses the process from now on, for a while. Pauses may overlap.
    pub fn pause(self: &Arc<Self>, for_ms: u32) {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        let (client, from_us) = (self.client, self.world.now_us());
        let to_us = from_us + u64::from(for_ms) * 1_000;
        self.world.timeline_event(|| TimelineEvent::Paused { client, from_us, to_us });
        self.world.disturbed(client, Some(for_ms));
        let process = Arc::clone(self);
        self.world.after(for_ms, move || process.resume());
    }

    /// Kills the process: none of its tasks is polled again, and nothing that it sends gets out.
    pub fn kill(&self) {
        self.world.disturbed(self.client, None);
        self.world.count(|seen| seen.died += 1);
        self.dead.store(true, Ordering::Relaxed);
        self.pauses.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Pauses the process for a while; called by one of its tasks.
    pub async fn stall(self: &Arc<Self>, ms: u32) {
        if ms > 0 {
            self.pause(ms);
            // Lets the pause take effect before the next step.
            tokio::task::yield_now().await;
        }
    }

    fn resume(&self) {
        self.pauses.fetch_sub(1, Ordering::Relaxed);
        if !self.is_paused() {
            let stalled = std::mem::take(&mut *lock(&self.stalled));
            stalled.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether it is paused, or has died.
    pub(super) fn is_paused(&self) -> bool {
        self.pauses.load(Ordering::Relaxed) > 0
    }
}

/// A spawner for the locker of this process.
pub struct ProcessSpawner(pub Arc<Process>);

impl Spawner for ProcessSpawner {
    fn spawn(&self, task: BackgroundTask) {
        tokio::spawn(Gated { process: Arc::clone(&self.0), task });
    }
}

/// A task that is not polled while its process is paused.
struct Gated {
    process: Arc<Process>,
    task: BackgroundTask,
}

impl Future for Gated {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.process.is_paused() {
            lock(&self.process.stalled).push(context.waker().clone());
            return Poll::Pending;
        }
        self.task.as_mut().poll(context)
    }
}
