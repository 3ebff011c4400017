//! Dropping a future at any of its await points.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls `future` at most `count` times, each when it is woken, and drops it; `Some` if it was ready by then.
pub async fn polled<F: Future>(future: F, count: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = count;
    poll_fn(|context| {
        let Some(rest) = left.checked_sub(1) else { return Poll::Ready(None) };
        left = rest;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The same with one poll each time the runtime runs its tasks, so that the drop can fall between any two steps of
/// other tasks.
pub async fn polled_every_turn<F: Future>(future: F, count: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..count {
        let mut ready = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                ready = Some(output);
            }
            Poll::Ready(())
        })
        .await;
        if ready.is_some() {
            return ready;
        }
        tokio::task::yield_now().await;
    }
    None
}
