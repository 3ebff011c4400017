//! [`Sweeper`]: repeats releases that no node has acknowledged, until the lock has expired by itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc};

use crate::protocol::{Backoff, Footprint, Subject};
use crate::redlock::env::Core;
use crate::redlock::round::exchange::{Exchange, Phase};
use crate::{Moment, Spawner};

/// Locks of an ended attempt that may still be, or still come to be, on some nodes.
pub(crate) struct Leftover {
    /// Kept alive until it is settled: the locker and its last guard may be gone.
    pub(crate) core: Arc<Core>,
    pub(crate) subject: Arc<Subject>,
    pub(crate) footprint: Footprint,
    pub(crate) until: Moment,
}

/// The way to the background task.
pub(crate) struct Sweeper {
    task: Mutex<Option<mpsc::UnboundedSender<Leftover>>>,
}

/// The most leftovers that are looked after; beyond that the time to live has to do.
const LEFTOVERS_MAX: usize = 65_536;
/// The most releases that are repeated at one time: nodes that do not answer have too much to do already, perhaps.
const AT_A_TIME: usize = 256;
/// The first and the longest pause before a release is repeated, and how long its answers are waited for.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

impl Sweeper {
    pub(crate) const fn new() -> Self {
        Self { task: Mutex::new(None) }
    }

    /// Starts the task, unless it runs.
    pub(crate) fn start(&self, spawner: &dyn Spawner) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(mpsc::UnboundedSender::is_closed) {
            let (sender, leftovers) = mpsc::unbounded_channel();
            spawner.spawn(Box::pin(run(leftovers)));
            *task = Some(sender);
        }
    }

    /// Hands a leftover to the task.
    pub(crate) fn push(&self, leftover: Leftover) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match task.as_ref() {
            Some(sender) => sender.send(leftover).err().map(|error| error.0),
            None => Some(leftover),
        };
        if let Some(leftover) = refused {
            abandoned(&leftover, "its runtime has ended");
        }
    }
}

async fn run(mut leftovers: mpsc::UnboundedReceiver<Leftover>) {
    let under_way = Semaphore::new(AT_A_TIME);
    let mut swept = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            next = leftovers.recv() => match next {
                None => break,
                Some(leftover) if swept.len() >= LEFTOVERS_MAX => abandoned(&leftover, "too many are left over"),
                Some(leftover) => swept.push(sweep(leftover, &under_way)),
            },
            Some(()) = swept.next() => {}
        }
    }
    while swept.next().await.is_some() {}
}

/// Repeats the release until every node has proved that the lock is gone, or it has expired there anyway.
async fn sweep(leftover: Leftover, under_way: &Semaphore) {
    let Leftover { core, subject, mut footprint, until } = leftover;
    for pause in Backoff::new(PAUSES.0, PAUSES.1, || core.entropy.u32() | 1 << 31) {
        tokio::time::sleep(pause).await;
        let _one_of_some = under_way.acquire().await;
        if core.clock.now() >= until {
            return;
        }
        let exchange = Exchange::open(&core, Arc::clone(&subject), Phase::Release, footprint, until);
        let asked = footprint.outstanding();
        exchange.send(asked, &crate::protocol::Verb::RELEASE);
        // A node that does not answer in time is asked again after the next pause.
        let _ = tokio::time::timeout(ANSWERS_WITHIN, exchange.filled(asked.len())).await;
        for (node, reply) in exchange.take() {
            footprint.on_release(node, &reply);
        }
        if footprint.outstanding().is_empty() {
            tracing::debug!(resource = %subject.resource, holder = ?subject.holder, "late release acknowledged");
            return;
        }
    }
}

fn abandoned(leftover: &Leftover, reason: &str) {
    let Leftover { subject, footprint, .. } = leftover;
    let nodes = footprint.outstanding();
    tracing::warn!(resource = %subject.resource, holder = ?subject.holder, %nodes, reason, "unacknowledged release abandoned; the lock ends with its time to live");
}
