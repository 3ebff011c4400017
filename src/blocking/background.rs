//! [`Background`]: the one thread of this process that does the work of blocking calls; and a locker that belongs to it.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};

use tokio::runtime::{Builder, Handle};
use tokio::task::unconstrained;

use crate::Redlock;

/// The thread on which connections, renewal and releases run, with a tokio runtime of its own. Cloning is cheap.
#[derive(Debug, Clone)]
pub(super) struct Background {
    process: u32,
    thread: ThreadId,
    runtime: Handle,
}

/// Why the background thread does not do the work of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackgroundError {
    /// This process is a fork of the one that opened the locker.
    #[error(
        "this process is a fork of the one that opened the locker, and has no copy of its background thread: open a locker after the fork"
    )]
    Forked,
    /// The background thread itself made the call.
    #[error(
        "this is the background thread of redfence::blocking, and the call would wait for itself: call it from another thread"
    )]
    FromWithin,
    /// The thread has stopped, or the call panicked.
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
    ) -> Result<T, BackgroundError> {
        self.may_wait()?;
        let (done, outcome) = sync_channel(1);
        self.runtime.spawn(async move {
            let _ = done.send(future.await);
        });
        outcome.recv().map_err(|_| BackgroundError::Ended)
    }

    /// Runs `future` on the thread of the caller, and blocks it until the future is done. Its timers and sockets are those of
    /// the background thread. Neither tokio's `block_on` nor that of `futures` can be used: both panic inside of a runtime.
    pub(super) fn block_on<F: Future>(&self, future: F) -> Result<F::Output, BackgroundError> {
        self.may_wait()?;
        let _entered = self.runtime.enter();
        let parked = Arc::new(Parked { thread: thread::current(), is_woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&parked));
        // A runtime around the caller limits what its task does before it yields, and this task cannot yield.
        let (mut future, mut context) = (pin!(unconstrained(future)), Context::from_waker(&waker));
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(output);
            }
            while !parked.is_woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }

    /// Whether the caller may wait for the thread.
    fn may_wait(&self) -> Result<(), BackgroundError> {
        match self {
            _ if self.is_forked() => Err(BackgroundError::Forked),
            _ if self.thread == thread::current().id() => Err(BackgroundError::FromWithin),
            _ => Ok(()),
        }
    }
}

/// A thread that is parked until its future goes on. Other code of the thread may park it as well, so being woken is noted.
struct Parked {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
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
