//! Embedded nodes behind networks that tests control, on tokio's time. If it is paused, every wait is exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use redfence::{Builder, Clock, Entropy, Guard, Moment, Redlock, SystemClock, TokioClock, WallTime};
use tokio::task::JoinHandle;

use super::fault_node::{Delivery, FaultNode, is_grant};

/// 2026-01-01: stages need a fixed wall clock.
pub const WALL_AT_START: WallTime = WallTime::from_unix_ms(1_767_225_600_000);

/// N nodes and the clock that all of them read.
pub struct Stage {
    pub nodes: Vec<FaultNode>,
    pub clock: Arc<dyn Clock>,
    builders: AtomicU64,
}

impl Stage {
    pub fn of(nodes: usize) -> Self {
        Self::on(nodes, Arc::new(TokioClock::starting_at(WALL_AT_START)))
    }

    pub fn on(nodes: usize, clock: Arc<dyn Clock>) -> Self {
        let nodes = (0..nodes).map(|_| FaultNode::on(Arc::clone(&clock))).collect();
        Self { nodes, clock, builders: AtomicU64::new(7) }
    }

    /// A builder over the nodes, on the stage's clock, with a new seed: no two processes share a holder id.
    pub fn builder(&self) -> Builder {
        let entropy = Entropy::from_seed(self.builders.fetch_add(1, Ordering::Relaxed));
        let builder = Redlock::builder().clock(Arc::clone(&self.clock)).entropy(Arc::new(entropy)).label("stage");
        self.nodes.iter().cloned().fold(builder, Builder::node)
    }

    /// A locker with the defaults.
    pub fn locker(&self) -> Redlock {
        self.builder().build().unwrap()
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Lets time go on until `condition` holds; panics naming `what` if it does not within `limit`.
    pub async fn until(&self, limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = self.now().after(limit);
        while !condition() {
            assert!(self.now() < deadline, "waited {limit:?}, and still not: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A lease on a stage of three nodes, of which two have its lock: one from the start, and one whose grant landed
    /// after another holder had acquired and released meanwhile. The third has forgotten it.
    pub async fn lease_that_one_of_two_nodes_granted_anew(&self, resource: &str) -> Guard {
        let [_, forgets, late] = &self.nodes[..] else { panic!("the stage has three nodes") };
        late.delivery_of(is_grant, Delivery::RequestHeld);
        let guard = self.builder().renewed(false).build().unwrap().acquire(resource).await.unwrap();
        late.delivery(Delivery::Through);
        forgets.drop_lock(resource);
        let rival = self.builder().label("rival").build().unwrap().try_acquire(resource).await.unwrap();
        assert!(rival.token() > guard.token());
        drop(rival.release().await);
        // Later than any late reply of the same round.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(late.deliver_held(), 1);
        assert_eq!(self.picture(resource), "x.x", "two of three have the lock, one of them only now");
        guard
    }

    /// One letter a node: `.` free, `x` held.
    pub fn picture(&self, resource: &str) -> String {
        self.nodes.iter().map(|node| if node.is_free(resource) { '.' } else { 'x' }).collect()
    }
}

/// A task that acquires `r`. When this returns, it waits.
pub async fn waiter(locker: &Redlock) -> JoinHandle<Guard> {
    let locker = locker.clone();
    let task = tokio::spawn(async move { locker.acquire("r").await.unwrap() });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!task.is_finished());
    task
}

/// A clock that a test can move, on top of the machine's.
pub struct Hands<C = SystemClock> {
    under: C,
    ahead_micros: AtomicU64,
    wall_ahead_ms: AtomicI64,
    reads_to_jump: AtomicU64,
    jump_micros: AtomicU64,
}

impl<C: Clock> Hands<C> {
    pub fn over(under: C) -> Arc<Self> {
        Arc::new(Self {
            under,
            ahead_micros: AtomicU64::new(0),
            wall_ahead_ms: AtomicI64::new(0),
            reads_to_jump: AtomicU64::new(0),
            jump_micros: AtomicU64::new(0),
        })
    }

    /// The holder's clock moves on, as if the process were stopped.
    pub fn advance(&self, by: Duration) {
        self.ahead_micros.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// The process is paused for `length`, right before the `read`th read of the clock from now.
    pub fn jump_at_read(&self, read: u64, by: Duration) {
        self.jump_micros.store(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
        self.reads_to_jump.store(read, Ordering::SeqCst);
    }

    /// Whether that read has happened.
    pub fn has_jumped(&self) -> bool {
        self.reads_to_jump.load(Ordering::SeqCst) == 0
    }

    /// Sets the wall clock ahead of the right time, or behind it.
    pub fn set_wall_ahead_ms(&self, ms: i64) {
        self.wall_ahead_ms.store(ms, Ordering::SeqCst);
    }
}

impl<C: Clock> Clock for Hands<C> {
    fn now(&self) -> Moment {
        let counted = |left: u64| left.checked_sub(1);
        if self.reads_to_jump.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) == Ok(1) {
            self.advance(Duration::from_micros(self.jump_micros.load(Ordering::SeqCst)));
        }
        self.under.now().after(Duration::from_micros(self.ahead_micros.load(Ordering::SeqCst)))
    }

    fn wall(&self) -> WallTime {
        let ms = self.under.wall().unix_ms().saturating_add_signed(self.wall_ahead_ms.load(Ordering::SeqCst));
        WallTime::from_unix_ms(ms)
    }
}
