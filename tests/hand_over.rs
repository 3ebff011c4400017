//! Tasks of one process that want the same resource wait in order, and the lease passes from one to the next.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::protocol::Verb;
use redfence::{FencingToken, HandOver, LossCause, Redlock, ReleaseOutcome};
use support::fault_node::is_extend;
use support::stage::waiter;
use support::{Delivery, Stage};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn locker(stage: &Stage, hand_over: HandOver) -> Redlock {
    stage.builder().hand_over(hand_over).build().unwrap()
}

/// Blocks of tokens are drawn only if counters are behind the clock. They start at the clock, so time must pass.
async fn past_the_start() {
    tokio::time::sleep(ms(2_000)).await;
}

fn grants(stage: &Stage) -> usize {
    stage.nodes.iter().map(|node| node.count_sent(|verb| matches!(verb, Verb::Grant { .. }))).sum()
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_the_order_of_arrival_and_each_has_its_own_token() {
    for hand_over in [HandOver::Off, HandOver::ToWaiters, HandOver::WithoutOrder] {
        let stage = Stage::of(3);
        let locker = locker(&stage, hand_over);
        let first = locker.acquire("r").await.unwrap();
        let served: Arc<Mutex<Vec<(u32, FencingToken)>>> = Arc::default();
        let mut tasks = Vec::new();
        for number in 0..10 {
            let (locker, served) = (locker.clone(), Arc::clone(&served));
            tasks.push(tokio::spawn(async move {
                let guard = locker.acquire("r").await.unwrap();
                served.lock().unwrap().push((number, guard.token()));
                tokio::time::sleep(ms(10)).await;
                assert!(guard.check().is_ok());
                drop(guard.release().await);
            }));
            tokio::time::sleep(ms(1)).await;
        }
        let mut last = first.token();
        drop(first.release().await);
        for task in tasks {
            task.await.unwrap();
        }
        let served = served.lock().unwrap().clone();
        assert_eq!(served.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        for (number, token) in served {
            assert!(token > last, "{hand_over:?}: {number} has {token:?} after {last:?}");
            last = token;
        }
        stage.until(ms(100), "all locks are released", || stage.picture("r") == "...").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_needs_no_network_and_each_section_has_its_own_end() {
    let stage = Stage::of(3);
    let locker = locker(&stage, HandOver::ToWaiters);
    past_the_start().await;
    let first = locker.acquire("r").await.unwrap();
    let (second, third) = (waiter(&locker).await, waiter(&locker).await);
    // One attempt asks the nodes for both waiting tasks.
    assert!(matches!(first.release().await, ReleaseOutcome::Released { .. }));
    let second = second.await.unwrap();
    let (asked, handle) = (grants(&stage), second.handle());
    assert_eq!(second.release().await, ReleaseOutcome::HandedOver);
    let third = third.await.unwrap();
    assert_eq!(grants(&stage), asked, "no node was asked");
    assert_eq!(third.token().get(), handle.token().get() + 1);
    assert_eq!(handle.lost().await, LossCause::Released);
    assert!(handle.check().is_err() && third.check().is_ok());
    // The locks on the nodes belong to the third task now, and are renewed for it.
    tokio::time::sleep(ms(30_000)).await;
    assert!(third.check().is_ok());
    assert!(matches!(third.release().await, ReleaseOutcome::Released { .. }));
    assert_eq!(stage.picture("r"), "...");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_goes_away_does_not_delay_the_waiters_behind_it() {
    for hand_over in [HandOver::Off, HandOver::ToWaiters, HandOver::WithoutOrder] {
        for gone in 0..3 {
            let stage = Stage::of(3);
            let locker = locker(&stage, hand_over);
            let first = locker.acquire("r").await.unwrap();
            let mut tasks = vec![waiter(&locker).await, waiter(&locker).await, waiter(&locker).await];
            tasks.remove(gone).abort();
            drop(first.release().await);
            for task in tasks {
                let began = stage.now();
                drop(task.await.unwrap().release().await);
                assert_eq!(stage.now(), began, "{hand_over:?}: no task waits for one that is gone");
            }
            stage.until(ms(100), "all locks are released", || stage.picture("r") == "...").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wakeup_for_a_task_that_is_gone_goes_to_the_next_task() {
    for hand_over in [HandOver::Off, HandOver::ToWaiters, HandOver::WithoutOrder] {
        let stage = Stage::of(3);
        let locker = locker(&stage, hand_over);
        let first = locker.acquire("r").await.unwrap();
        let (second, third) = (waiter(&locker).await, waiter(&locker).await);
        // The task is woken, and aborted before it could run: there is no await in between.
        drop(first.release().await);
        second.abort();
        let third = tokio::time::timeout(ms(100), third).await.expect("the next one has its turn").unwrap();
        assert!(third.check().is_ok());
        drop(third.release().await);
        stage.until(ms(100), "all locks are released", || stage.picture("r") == "...").await;
    }
}

/// The lock vanishes from the nodes, another process has a lease, and then a new task arrives.
async fn latecomer_after_another_lease(hand_over: HandOver) -> (FencingToken, FencingToken) {
    let stage = Stage::of(3);
    past_the_start().await;
    let (locker, other) = (locker(&stage, hand_over), stage.locker());
    let first = locker.acquire("r").await.unwrap();
    let second = waiter(&locker).await;
    drop(first.release().await);
    let second = second.await.unwrap();
    stage.nodes.iter().for_each(|node| node.drop_lock("r"));
    let theirs = other.try_acquire("r").await.unwrap();
    let token = theirs.token();
    drop(theirs.release().await);
    let latecomer = waiter(&locker).await;
    drop(second.release().await);
    let latecomer = latecomer.await.unwrap();
    (token, latecomer.token())
}

#[tokio::test(start_paused = true)]
async fn the_nodes_are_asked_again_for_a_task_that_came_after_the_grants() {
    let (before, after) = latecomer_after_another_lease(HandOver::ToWaiters).await;
    assert!(after > before, "ordered with no clock: {after:?} after {before:?}");
    let (before, after) = latecomer_after_another_lease(HandOver::WithoutOrder).await;
    assert!(
        after < before,
        "the faster setting gives up this order, and a verifier refuses the write: {after:?} after {before:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_another_process_costs_no_requests_and_ends_with_its_release() {
    let stage = Stage::of(5);
    let (holder, rival) = (stage.builder().renewed(false).build().unwrap(), stage.locker());
    let guard = holder.acquire("r").await.unwrap();
    let waits = waiter(&rival).await;
    let asked = grants(&stage);
    tokio::time::sleep(ms(5_000)).await;
    assert_eq!(grants(&stage), asked, "nothing is asked while nothing can have changed");
    let released = stage.now();
    drop(guard.release().await);
    let guard = waits.await.unwrap();
    assert_eq!(stage.now(), released, "no pause, and no polling");
    assert!(grants(&stage) <= asked + 5);
    drop(guard.release().await);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_outlives_a_crashed_holder_without_polling() {
    let stage = Stage::of(5);
    let (holder, rival) = (stage.locker(), stage.locker());
    let lease = holder.acquire("r").await.unwrap().into_lease();
    let began = stage.now();
    let guard = rival.acquire("r").await.unwrap();
    assert!(stage.now().since(began) <= lease.ttl + ms(50), "as soon as the lock has ended");
    assert!(grants(&stage) <= 20, "{} requests", grants(&stage));
    drop(guard.release().await);
}

#[tokio::test(start_paused = true)]
async fn a_busy_process_lets_others_have_their_turn() {
    for hand_over in [HandOver::Off, HandOver::ToWaiters, HandOver::WithoutOrder] {
        let stage = Stage::of(3);
        let busy = locker(&stage, hand_over);
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (busy, stop) = (busy.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                        let guard = busy.acquire("r").await.unwrap();
                        tokio::time::sleep(ms(1)).await;
                        drop(guard.release().await);
                    }
                })
            })
            .collect();
        tokio::time::sleep(ms(50)).await;
        let rival = stage.locker();
        for _ in 0..5 {
            let began = stage.now();
            let guard = rival.acquire("r").await.unwrap();
            let waited = stage.now().since(began);
            assert!(waited <= ms(40), "{hand_over:?}: waited {waited:?} for a turn of 5 ms");
            drop(guard.release().await);
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_found_gone_after_it_was_handed_over_is_lost_to_the_next_section() {
    let stage = Stage::of(3);
    let locker = locker(&stage, HandOver::ToWaiters);
    past_the_start().await;
    let first = locker.acquire("r").await.unwrap();
    let (second, third) = (waiter(&locker).await, waiter(&locker).await);
    drop(first.release().await);
    let second = second.await.unwrap();
    // The locks vanish. An extension notices it, but its replies arrive when the section is over.
    stage.nodes.iter().for_each(|node| node.drop_lock("r"));
    stage.nodes.iter().for_each(|node| node.delivery_of(is_extend, Delivery::ReplyHeld));
    let handle = second.handle();
    let extension = tokio::spawn(async move { handle.extend().await });
    tokio::task::yield_now().await;
    assert_eq!(second.release().await, ReleaseOutcome::HandedOver);
    let third = third.await.unwrap();
    assert_eq!(third.check(), Ok(()));
    stage.nodes.iter().for_each(|node| assert_eq!(node.answer_held(), 1));
    assert!(extension.await.unwrap().is_err());
    assert_eq!(third.check().map_err(|lost| lost.cause), Err(LossCause::Taken));
}
