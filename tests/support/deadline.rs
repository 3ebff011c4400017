//! Waiting for a condition, never for a while.

use std::time::{Duration, Instant};

/// Short enough not to delay tests, long enough to leave the processor to the server.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The moment at which a test gives up waiting. Real time, even if a test has paused tokio's.
#[derive(Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "deadlines are about the real servers, so about the real time")]
    pub fn within(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    #[expect(clippy::disallowed_methods, reason = "deadlines are about the real servers, so about the real time")]
    pub fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Polls `condition` until it holds; panics naming `what` when it does not hold within `limit`.
pub async fn eventually(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Deadline::within(limit);
    while !condition().await {
        assert!(!deadline.passed(), "waited {limit:?}, and still not: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The same for code that runs outside of a runtime. `condition` answers with a value once there is one.
///
/// # Errors
///
/// The limit has passed.
pub fn poll_until<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T, Duration> {
    let deadline = Deadline::within(limit);
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if deadline.passed() {
            return Err(limit);
        }
        pause_between_polls();
    }
}

#[expect(clippy::disallowed_methods, reason = "the pause between two looks at a condition, not a wait for luck")]
fn pause_between_polls() {
    std::thread::sleep(POLL_INTERVAL);
}
