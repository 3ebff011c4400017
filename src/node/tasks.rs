//! [`Task`]: a background task that ends with whoever started it.

use futures::future::{AbortHandle, Abortable};
use tokio::sync::watch;

use crate::spawner::{BackgroundTask, Spawner};

/// Runs background tasks on the current tokio runtime.
pub(crate) struct TokioSpawner;

impl Spawner for TokioSpawner {
    fn spawn(&self, task: BackgroundTask) {
        tokio::spawn(task);
    }
}

/// A background task; dropping this ends it.
pub(crate) struct Task {
    abort: AbortHandle,
    /// Its sender lives in the task, so it is gone when the task is, also when its runtime has ended.
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
