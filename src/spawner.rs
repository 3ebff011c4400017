//! [`Spawner`]: who runs the background tasks of a locker.

use std::pin::Pin;

/// A background task: renewal, repeated releases, looking at nodes.
pub type BackgroundTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs background tasks. Unless set otherwise they are tasks of the tokio runtime that the locker was built on.
///
/// A simulation runs them itself: so a process stands still as a whole, with everything that it does in the background.
pub trait Spawner: Send + Sync + 'static {
    /// Runs `task` to its end, unless whatever runs it ends before. Must not poll it on the spot.
    fn spawn(&self, task: BackgroundTask);
}
