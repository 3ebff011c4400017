//! [`Background`]: the one thread of this process that does the work of blocking calls; and a locker that belongs to it.

use std::future::pending;
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use tokio::runtime::{Builder, Handle};

use crate::Redlock;

/// The thread on which connections, renewal and releases run, with a tokio runtime of its own. Cloning is cheap.
#[derive(Debug, Clone)]
pub(super) struct Background {
    process: u32,
    thread: ThreadId,
    runtime: Handle,
}

/// Why the thread does not run a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stopped {
    #[error(
        "this process is a fork of the one that opened the locker, and has no copy of its background thread: open a locker after the fork"
    )]
    Forked,
    #[error(
        "this is the background thread of redfence::blocking, and the call would wait for itself: call it from another thread"
    )]
    FromWithin,
    #[error("the background thread of redfence::blocking has stopped, or the call panicked there")]
    Ended,
}

/// Locked only to look the thread up or to start it, never while a call waits.
static RUNNING: Mutex<Option<Background>> = Mutex::new(None);

impl Background {
    /// The thread of this process; starts it if there is none yet. A fork starts its own.
    pub(super) fn of_this_process() -> io::Result<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(background) = running.as_ref().filter(|background| !background.is_forked()) {
            return Ok(background.clone());
        }
        let started = Self::start()?;
        *running = Some(started.clone());
        Ok(started)
    }

    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let name = "redfence".to_owned();
        let thread = thread::Builder::new().name(name).spawn(move || runtime.block_on(pending::<()>()))?;
        Ok(Self { process: std::process::id(), thread: thread.thread().id(), runtime: handle })
    }

    /// Whether this process is a fork of the one that has the thread.
    pub(super) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// Runs `future` on the thread, and blocks the caller until it is done. It does not need the caller's own runtime, which
    /// may be blocked meanwhile.
    pub(super) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Stopped> {
        if self.is_forked() {
            return Err(Stopped::Forked);
        }
        if self.thread == thread::current().id() {
            return Err(Stopped::FromWithin);
        }
        let (done, outcome) = sync_channel(1);
        self.runtime.spawn(async move {
            let _ = done.send(future.await);
        });
        outcome.recv().map_err(|_| Stopped::Ended)
    }
}

/// A locker that belongs to the thread.
#[derive(Clone)]
pub(super) struct Located {
    pub(super) redlock: Redlock,
    pub(super) background: Background,
}

impl Drop for Located {
    /// A fork never drops the last reference: the locker is the parent's, and another thread of the parent may have had a part
    /// of it locked.
    fn drop(&mut self) {
        if self.background.is_forked() {
            std::mem::forget(self.redlock.clone());
        }
    }
}
