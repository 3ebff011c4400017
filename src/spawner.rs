//! [`Spawner`]: runs the background tasks of a locker.

use std::pin::Pin;

/// A background task: renewal, repeated releases, probes of nodes.
pub type BackgroundTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs background tasks. The default runs them as tasks of the tokio runtime on which the locker was built.
///
/// A simulation runs them itself, so it can stop a process as a whole, with its background work.
pub trait Spawner: Send + Sync + 'static {
    /// Runs `task` until it ends or the runtime ends. Must not poll it inside this call.
    fn spawn(&self, task: BackgroundTask);
}
