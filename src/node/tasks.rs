//! [`HomeRuntime`] and [`Task`]: background tasks that end with their owner.

use std::sync::OnceLock;

use futures::future::{AbortHandle, Abortable};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::spawner::{BackgroundTask, Spawner};

/// Runs all background tasks of one locker on one tokio runtime: the one on which the locker was built, even if
/// another runtime uses the locker later. After that runtime has ended, no task runs.
pub(crate) struct HomeRuntime(OnceLock<Handle>);

impl HomeRuntime {
    /// The error after that runtime has ended.
    pub(crate) const ENDED: &'static str =
        "the tokio runtime that it was opened on has ended: connect anew, on one that lives as long as the locker";

    /// The current runtime; if there is none, the runtime of the first use.
    pub(crate) fn here() -> Self {
        Self(Handle::try_current().map_or_else(|_| OnceLock::new(), OnceLock::from))
    }
}

impl Spawner for HomeRuntime {
    fn spawn(&self, task: BackgroundTask) {
        if let (None, Ok(current)) = (self.0.get(), Handle::try_current()) {
            let _ = self.0.set(current);
        }
        if let Some(home) = self.0.get() {
            home.spawn(task);
        }
    }
}

/// A background task; dropping this ends it.
pub(crate) struct Task {
    abort: AbortHandle,
    /// The task owns the sender, so the sender is gone when the task is, even if its runtime has ended.
    alive: watch::Receiver<()>,
}

impl Task {
    pub(crate) fn start(spawner: &dyn Spawner, task: impl Future<Output = ()> + Send + 'static) -> Self {
        let (abort, registration) = AbortHandle::new_pair();
        let (sender, alive) = watch::channel(());
        let task = Abortable::new(task, registration);
        spawner.spawn(Box::pin(async move {
            let _alive = sender;
            let _ = task.await;
        }));
        Self { abort, alive }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.alive.has_changed().is_err()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
