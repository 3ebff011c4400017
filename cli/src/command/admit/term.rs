//! [`Holding`]: a fence that is held while a command runs.

use std::time::Duration;

use redfence::{Clock as _, Moment, SystemClock};
use redfence_file::Admitted;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::command::supervise::Term;

/// What holds the fence.
pub(super) enum FenceLock {
    /// The lock of a file.
    File(Admitted),
    /// A transaction, in a task that looks after its connection.
    #[cfg_attr(not(feature = "sql"), expect(dead_code, reason = "made by the SQL stores alone"))]
    Transaction(Transaction),
}

pub(super) struct Transaction {
    /// Ends the transaction and the task.
    pub(super) end: oneshot::Sender<()>,
    /// Why the transaction is over, if it is over before its time.
    pub(super) lost: watch::Receiver<Option<String>>,
    pub(super) task: JoinHandle<()>,
}

/// The fence of a resource, held for a time at the most.
pub(super) struct Holding<'a> {
    resource: &'a str,
    until: Moment,
    held: FenceLock,
}

impl<'a> Holding<'a> {
    pub(super) fn new(resource: &'a str, most: Duration, held: FenceLock) -> Self {
        Self { resource, until: SystemClock.now().after(most), held }
    }

    /// Why it is not held any more, if it is not.
    pub(super) fn why_lost(&self) -> Option<String> {
        match &self.held {
            FenceLock::File(_) => None,
            FenceLock::Transaction(transaction) => transaction.lost.borrow().clone(),
        }
    }

    /// Lets go.
    pub(super) async fn end(self) {
        if let FenceLock::Transaction(Transaction { end, task, .. }) = self.held {
            let _ = end.send(());
            // It ends by itself: the server is not waited for without end.
            let _ = task.await;
        }
    }

    /// Does not let go, as far as that lies with this program.
    pub(super) fn keep(self) {
        if let FenceLock::File(admitted) = self.held {
            std::mem::forget(admitted);
        }
    }
}

impl Term for Holding<'_> {
    fn resource(&self) -> &str {
        self.resource
    }

    fn valid_for(&self) -> Option<Duration> {
        self.until.checked_since(SystemClock.now()).filter(|left| !left.is_zero())
    }

    async fn lost(&self) -> String {
        if let FenceLock::Transaction(transaction) = &self.held
            && let Ok(why) = transaction.lost.clone().wait_for(Option::is_some).await
        {
            return why.clone().unwrap_or_default();
        }
        std::future::pending().await
    }

    fn not_renewed(&self) -> &'static str {
        "--timeout was over"
    }

    fn near_end(&self, left: Duration) -> String {
        match self.why_lost() {
            Some(why) => format!("the fence of {:?} is not held any more ({why})", self.resource),
            None => format!("--timeout is over in {left:.1?}"),
        }
    }
}
