//! [`LocalWaiter`]: a waiting task, and its wakeup.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::Span;

use crate::redlock::env::spans;
use crate::redlock::settings::Settings;

/// A task that waits for a wakeup `W`.
pub(crate) struct LocalWaiter<W> {
    wakeup: Mutex<Wakeup<W>>,
    notify: Notify,
    pub(crate) settings: Arc<Settings>,
    /// Its number in the order of arrival.
    pub(crate) arrived: u64,
    /// The span of its call: an attempt that another task begins for it belongs there.
    pub(crate) span: Span,
}

enum Wakeup<W> {
    /// The task still waits.
    NotYet,
    Woken(W),
    /// The task no longer waits.
    Gone,
}

impl<W> LocalWaiter<W> {
    pub(crate) fn new(settings: &Arc<Settings>, arrived: u64) -> Arc<Self> {
        let (wakeup, notify) = (Mutex::new(Wakeup::NotYet), Notify::new());
        Arc::new(Self { wakeup, notify, settings: Arc::clone(settings), arrived, span: spans::current() })
    }

    /// Wakes the task. Returns the wakeup if the task no longer waits.
    pub(crate) fn wake(&self, what: W) -> Result<(), W> {
        let mut wakeup = self.wakeup();
        if matches!(*wakeup, Wakeup::Gone) {
            return Err(what);
        }
        *wakeup = Wakeup::Woken(what);
        drop(wakeup);
        self.notify.notify_one();
        Ok(())
    }

    /// Waits to be woken.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the wakeup stays for [`LocalWaiter::leave`].
    pub(crate) async fn woken(&self) -> W {
        loop {
            {
                let mut wakeup = self.wakeup();
                if let Wakeup::Woken(_) = *wakeup
                    && let Wakeup::Woken(what) = std::mem::replace(&mut *wakeup, Wakeup::Gone)
                {
                    return what;
                }
            }
            self.notify.notified().await;
        }
    }

    /// Stops waiting. Returns the wakeup, if there was one meanwhile.
    pub(crate) fn leave(&self) -> Option<W> {
        match std::mem::replace(&mut *self.wakeup(), Wakeup::Gone) {
            Wakeup::Woken(what) => Some(what),
            Wakeup::NotYet | Wakeup::Gone => None,
        }
    }

    fn wakeup(&self) -> MutexGuard<'_, Wakeup<W>> {
        self.wakeup.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
