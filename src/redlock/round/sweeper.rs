//! The sweeper: one task that repeats releases that no node has acknowledged, until the lock has expired.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc};

use super::exchange::{Exchange, Phase};
use crate::protocol::{Backoff, Verb};
use crate::redlock::env::{Env, Leftover};

/// The most leftovers that are kept. Beyond that, the locks end with their time to live.
const LEFTOVERS_MAX: usize = 65_536;
/// The most releases that are repeated at one time, because nodes that do not answer may be overloaded already.
const AT_A_TIME: usize = 256;
/// The first and the longest pause before a release is repeated, and how long to wait for its replies.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Starts the task unless it runs.
pub(crate) fn start(env: &Env) {
    if let Some(leftovers) = env.leftovers.open() {
        env.spawner.spawn(Box::pin(run(leftovers)));
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
                Some(leftover) if swept.len() >= LEFTOVERS_MAX => leftover.abandon("too many are left over"),
                Some(leftover) => swept.push(sweep(leftover, &under_way)),
            },
            Some(()) = swept.next() => {}
        }
    }
    while swept.next().await.is_some() {}
}

/// Repeats the release until every node has proved that the lock is gone, or the lock has expired.
async fn sweep(leftover: Leftover, under_way: &Semaphore) {
    let Leftover { env, subject, mut footprint, until } = leftover;
    for pause in Backoff::new(PAUSES.0, PAUSES.1, || env.entropy.u32() | 1 << 31) {
        tokio::time::sleep(pause).await;
        let _one_of_some = under_way.acquire().await;
        let now = env.clock.now();
        if now >= until {
            return;
        }
        let exchange = Exchange::open(&env, Arc::clone(&subject), Phase::Release, footprint, (now, until));
        let asked = footprint.outstanding();
        exchange.send(asked, &Verb::RELEASE);
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
