//! [`Task`]: a background task that ends with whoever started it.

use std::sync::{Arc, Weak};

use futures::future::{AbortHandle, Abortable};

use crate::spawner::{BackgroundTask, Spawner};

/// Runs background tasks on the current tokio runtime.
pub(super) struct TokioSpawner;

impl Spawner for TokioSpawner {
    fn spawn(&self, task: BackgroundTask) {
        tokio::spawn(task);
    }
}

/// A background task; dropping this ends it.
pub(super) struct Task {
    abort: AbortHandle,
    /// Lives in the task, so it is gone when the task is, also when its runtime has ended.
    alive: Weak<()>,
}

impl Task {
    pub(super) fn start(spawner: &dyn Spawner, task: impl Future<Output = ()> + Send + 'static) -> Self {
        let (abort, registration) = AbortHandle::new_pair();
        let alive = Arc::new(());
        let watch = Arc::downgrade(&alive);
        let task = Abortable::new(task, registration);
        spawner.spawn(Box::pin(async move {
            let _alive = alive;
            let _ = task.await;
        }));
        Self { abort, alive: watch }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.alive.strong_count() == 0
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
