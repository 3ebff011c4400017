//! [`TestClock`]: a clock that a test turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::redlock::outruns_tokio;
use crate::{Clock, Moment, SystemClock, TokioClock, WallTime};

/// 2026-01-01: what the clock shows at first.
const WALL_AT_START: WallTime = WallTime::from_unix_ms(1_767_225_600_000);

/// A clock that follows tokio's time, and that a test turns. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct TestClock {
    tokio: TokioClock,
    /// How far it has jumped.
    jumped_us: Arc<AtomicU64>,
}

/// Tokio's time runs, so it cannot be advanced without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "tokio's time is not paused, so nothing can be advanced without waiting: write #[tokio::test(start_paused = true)], or use \
     TestClock::jump"
)]
pub struct NotPaused;

impl TestClock {
    pub(super) fn new() -> Self {
        Self { tokio: TokioClock::starting_at(WALL_AT_START), jumped_us: Arc::default() }
    }

    /// Lets `time` pass, rounded up to whole milliseconds: every timer fires when it is due, so leases are renewed, rounds
    /// time out and waiters ask again. It takes no real time.
    ///
    /// It is the same as `tokio::time::sleep` on paused time. Time also passes by itself while a test waits for something
    /// that only time brings, such as [`LeaseHandle::lost`](crate::LeaseHandle::lost).
    ///
    /// # Errors
    ///
    /// [`NotPaused`] if tokio's time runs, or outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, only a part of the time has passed.
    pub async fn advance(&self, time: Duration) -> Result<(), NotPaused> {
        if Handle::try_current().is_err() || !outruns_tokio(&SystemClock) {
            return Err(NotPaused);
        }
        tokio::time::sleep(time).await;
        Ok(())
    }

    /// Lets `time` pass at once, as if the process had been stopped or its machine suspended: no task runs meanwhile, so
    /// nothing is renewed. At the nodes the same time passes. Timers do not move with the clock: a task that waits for the
    /// end of a lease notices it up to 0.5 s of tokio's time later, as after a real suspend. [`LeaseHandle::check`] notices
    /// it at once.
    ///
    /// It needs neither paused time nor a runtime, so tests of [`blocking`](crate::blocking) can use it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use redfence::testing::TestNodes;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let nodes = TestNodes::new(3);
    /// let guard = nodes.builder().ttl(Duration::from_secs(10)).build()?.acquire("invoice:42").await?;
    /// nodes.clock().jump(Duration::from_secs(10));
    /// assert!(guard.check().is_err());
    /// # drop(guard.release().await); Ok(()) }
    /// ```
    ///
    /// [`LeaseHandle::check`]: crate::LeaseHandle::check
    pub fn jump(&self, time: Duration) {
        add(&self.jumped_us, time);
    }

    fn jumped(&self) -> Duration {
        Duration::from_micros(self.jumped_us.load(Ordering::SeqCst))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        self.tokio.now().after(self.jumped())
    }

    fn wall(&self) -> WallTime {
        self.tokio.wall().after(self.jumped())
    }
}

/// The wall clock of one node: the test's clock, and how far this node's clock has stepped.
#[derive(Debug)]
pub(super) struct NodeClock {
    test: TestClock,
    forward_us: AtomicU64,
    back_us: AtomicU64,
}

impl NodeClock {
    pub(super) const fn following(test: TestClock) -> Self {
        Self { test, forward_us: AtomicU64::new(0), back_us: AtomicU64::new(0) }
    }

    pub(super) fn step_forward(&self, by: Duration) {
        add(&self.forward_us, by);
    }

    pub(super) fn step_back(&self, by: Duration) {
        add(&self.back_us, by);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Moment {
        self.test.now()
    }

    fn wall(&self) -> WallTime {
        let forward = self.test.wall().unix_us().saturating_add(self.forward_us.load(Ordering::SeqCst));
        WallTime::from_unix_us(forward.saturating_sub(self.back_us.load(Ordering::SeqCst)))
    }
}

fn add(to: &AtomicU64, time: Duration) {
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let _ = to.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |before| Some(before.saturating_add(us)));
}
