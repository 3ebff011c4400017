//! Waiting for other processes: which process is woken, by what, and how long a process waits at most.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redfence::protocol::{Request, Verb};
use redfence::{AcquireError, HandOver, Redlock};
use support::fault_node::{holder, is_grant, is_release};
use support::stage::waiter;
use support::{Delivery, Stage};
use tokio::task::JoinHandle;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A separate process with its own label.
fn process(stage: &Stage, label: &str) -> Redlock {
    stage.builder().hand_over(HandOver::Off).label(label).turn_max(100_000, ms(60_000)).build().unwrap()
}

/// Tasks of `locker` that take turns without a pause, each for `length`, until the test stops them.
fn chain(locker: &Redlock, tasks: usize, length: Duration) -> (Arc<AtomicBool>, Vec<JoinHandle<u32>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let task = |_| {
        let (locker, stop) = (locker.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut sections = 0;
            while !stop.load(Ordering::SeqCst) {
                let guard = locker.acquire("r").await.unwrap();
                tokio::time::sleep(length).await;
                drop(guard.release().await);
                sections += 1;
            }
            sections
        })
    };
    let tasks = (0..tasks).map(task).collect();
    (stop, tasks)
}

/// How many grants a process asked for.
fn grants_of(stage: &Stage, label: &str) -> usize {
    let is_its = |request: &Request| is_grant(&request.verb) && is_by(request, label);
    stage.nodes.iter().map(|node| node.sent().iter().filter(|request| is_its(request)).count()).sum()
}

fn is_by(request: &Request, label: &str) -> bool {
    request.subject.holder.label().as_str() == label
}

/// How long `task` still waits for its lease from now on. It then releases the lease.
async fn waits_on(stage: &Stage, task: JoinHandle<redfence::Guard>) -> Duration {
    let began = stage.now();
    drop(task.await.unwrap().release().await);
    stage.now().since(began)
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_passes_inside_a_process_wakes_no_other_process() {
    let stage = Stage::of(5);
    let (busy, rival) = (process(&stage, "busy"), process(&stage, "rival"));
    let (stop, tasks) = chain(&busy, 3, ms(1));
    tokio::time::sleep(ms(10)).await;
    let waits = waiter(&rival).await;
    tokio::time::sleep(ms(300)).await;
    assert_eq!(
        grants_of(&stage, "rival"),
        10,
        "one attempt finds that there are rivals, and one puts the process into the queue"
    );
    stop.store(true, Ordering::SeqCst);
    let mut sections = 0;
    for task in tasks {
        sections += task.await.unwrap();
    }
    assert!(sections > 250, "{sections}");
    assert_eq!(waits_on(&stage, waits).await, ms(0), "woken by the last release");
}

#[tokio::test(start_paused = true)]
async fn a_process_whose_tasks_come_one_at_a_time_lets_others_have_their_turn_as_well() {
    for tasks in [1, 2] {
        let stage = Stage::of(3);
        let (busy, rival) = (stage.locker(), stage.locker());
        let (stop, tasks) = chain(&busy, tasks, ms(1));
        tokio::time::sleep(ms(20)).await;
        for _ in 0..5 {
            let began = stage.now();
            let guard = rival.acquire("r").await.unwrap();
            let waited = stage.now().since(began);
            assert!(waited <= ms(10), "waited {waited:?} for a turn of 5 ms");
            drop(guard.release().await);
        }
        stop.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn locks_of_a_dead_holder_on_any_minority_of_nodes_delay_no_waiter() {
    for dead_on in 0..5 {
        let stage = Stage::of(5);
        stage.nodes[dead_on].occupy("r", &holder("dead", 1), ms(60_000));
        let (one, other) = (process(&stage, "one"), process(&stage, "other"));
        let guard = one.acquire("r").await.unwrap();
        let waits = waiter(&other).await;
        tokio::time::sleep(ms(500)).await;
        drop(guard.release().await);
        assert_eq!(waits_on(&stage, waits).await, ms(0), "on node {dead_on}");
        assert!(!stage.nodes[dead_on].is_free("r"), "still there: no process removes the lock of another");
    }
}

#[tokio::test(start_paused = true)]
async fn if_a_minority_is_down_waiters_do_not_poll_while_the_lock_is_held() {
    for (nodes, down) in [(3, vec![]), (3, vec![0]), (3, vec![1]), (3, vec![2]), (5, vec![0, 1]), (5, vec![2])] {
        for delivery in [Delivery::Unreachable, Delivery::RequestHeld] {
            let stage = Stage::of(nodes);
            down.iter().for_each(|at| stage.nodes[*at].delivery(delivery));
            let (one, other) = (process(&stage, "one"), process(&stage, "other"));
            let guard = one.acquire("r").await.unwrap();
            let waits = waiter(&other).await;
            tokio::time::sleep(ms(25_000)).await;
            let asked = grants_of(&stage, "other");
            // It asks again when the lock that refused it would have ended: three times in 25 s, because renewals come
            // every third of 10 s.
            assert!(asked <= nodes * 4, "{nodes}, {down:?} {delivery:?}: {asked} grants");
            drop(guard.release().await);
            let took = waits_on(&stage, waits).await;
            assert!(took <= ms(25), "{nodes} nodes, {down:?} {delivery:?}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn if_nodes_deliver_no_wakes_processes_ask_after_pauses() {
    for (nodes, deaf) in [(3, 1), (3, 2), (3, 3), (5, 3), (5, 5)] {
        let stage = Stage::of(nodes);
        for node in stage.nodes.iter().take(deaf) {
            node.make_deaf();
        }
        let (one, other) = (process(&stage, "one"), process(&stage, "other"));
        let guard = one.acquire("r").await.unwrap();
        let waits = waiter(&other).await;
        tokio::time::sleep(ms(500)).await;
        drop(guard.release().await);
        let took = waits_on(&stage, waits).await;
        assert!(took <= ms(260), "{nodes} nodes, {deaf} deaf: {took:?}");
        assert!(grants_of(&stage, "other") <= nodes * 20, "{} grants", grants_of(&stage, "other"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_paused_when_it_is_next_costs_its_grace() {
    let stage = Stage::of(5);
    let (one, still, other) = (process(&stage, "one"), process(&stage, "still"), process(&stage, "other"));
    let guard = one.acquire("r").await.unwrap();
    let stands_still = waiter(&still).await;
    let waits = waiter(&other).await;
    // From here on no request of it arrives, as if the process were stopped.
    stage.nodes.iter().for_each(|node| {
        node.rule(|request| if is_by(request, "still") { Delivery::RequestHeld } else { Delivery::Through });
    });
    drop(guard.release().await);
    let took = waits_on(&stage, waits).await;
    assert!(took >= ms(20) && took <= ms(25), "{took:?}");
    stands_still.abort();
}

#[tokio::test(start_paused = true)]
async fn processes_that_are_gone_cost_nothing() {
    let stage = Stage::of(5);
    let one = process(&stage, "one");
    let guard = one.acquire("r").await.unwrap();
    let mut gone = Vec::new();
    for _ in 0..40 {
        let locker = process(&stage, "gone");
        gone.push((waiter(&locker).await, locker));
    }
    let waits = waiter(&process(&stage, "other")).await;
    for (task, locker) in gone {
        // Killed: it sends nothing more, and its connections end.
        stage.nodes.iter().for_each(|node| {
            node.rule(|request| if is_by(request, "gone") { Delivery::RequestHeld } else { Delivery::Through });
        });
        task.abort();
        let _ = task.await;
        drop(locker);
        stage.nodes.iter().for_each(|node| node.disconnect("gone"));
    }
    drop(guard.release().await);
    assert_eq!(waits_on(&stage, waits).await, ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_gives_up_leaves_the_queue_and_passes_its_reservation_on() {
    for at_the_release in [false, true] {
        let stage = Stage::of(5);
        let one = process(&stage, "one");
        let guard = one.acquire("r").await.unwrap();
        let leaves = waiter(&process(&stage, "leaves")).await;
        let waits = waiter(&process(&stage, "other")).await;
        if at_the_release {
            // It is woken, and aborted before it could ask: there is no await in between.
            drop(guard.release().await);
            leaves.abort();
        } else {
            leaves.abort();
            tokio::time::sleep(ms(1)).await;
            drop(guard.release().await);
        }
        assert_eq!(waits_on(&stage, waits).await, ms(0), "{at_the_release}");
        stage.until(ms(100), "all locks are released", || stage.picture("r") == ".....").await;
        assert!(stage.nodes.iter().all(|node| node.view("r").waiting == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_was_asked_for_is_not_exceeded() {
    let stage = Stage::of(5);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let locker = stage.builder().wait_max(ms(60_000)).build().unwrap();
        waiting.spawn(async move {
            loop {
                let guard = locker.acquire("r").await.unwrap();
                tokio::time::sleep(ms(4)).await;
                drop(guard.release().await);
            }
        });
    }
    tokio::time::sleep(ms(50)).await;
    for wait_max in [100, 101, 102, 103, 104, 105, 250] {
        let began = stage.now();
        let outcome = stage.builder().wait_max(ms(wait_max)).build().unwrap().acquire("r").await;
        let took = stage.now().since(began);
        assert!(took <= ms(wait_max + 10), "{wait_max} ms were asked for: {took:?}, {:?}", outcome.is_ok());
    }
    waiting.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_at_nodes_that_are_far_away_ends_with_what_they_say() {
    let stage = Stage::of(3);
    let guard = process(&stage, "one").acquire("r").await.unwrap();
    let other = stage.builder().node_timeout(ms(100)).build().unwrap();
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Delayed { there: ms(20), back: ms(20) }));
    for wait_max in [1, 30, 50, 100, 500] {
        let began = stage.now();
        let error = other.acquire_within("r", ms(wait_max)).await.unwrap_err();
        let took = stage.now().since(began);
        assert!(matches!(error, AcquireError::Contended { .. }), "{wait_max} ms: {error}");
        // A look at the nodes, and the attempt.
        assert!(took >= ms(wait_max) && took <= ms(wait_max + 200), "{wait_max} ms were asked for: {took:?}");
    }
    drop(guard.release().await);
}

#[tokio::test(start_paused = true)]
async fn attempts_that_time_out_back_off_and_a_release_wakes_them_all_the_same() {
    let stage = Stage::of(3);
    let (one, other) = (process(&stage, "one"), process(&stage, "other"));
    let guard = one.acquire("r").await.unwrap();
    let waits = waiter(&other).await;
    // Answers to it come after its timeout; its requests arrive.
    stage.nodes.iter().for_each(|node| {
        node.rule(|request| match is_by(request, "other") && is_grant(&request.verb) {
            true => Delivery::Delayed { there: ms(1), back: ms(2_400) },
            false => Delivery::Through,
        });
    });
    let held = tokio::time::timeout(ms(20_000), guard.lost()).await;
    assert!(held.is_err(), "renewed all the time");
    let asked = grants_of(&stage, "other");
    assert!(asked <= 3 * 8, "{asked} grants in 20 s");
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
    drop(guard.release().await);
    let took = waits_on(&stage, waits).await;
    assert!(took <= ms(3_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn nodes_that_answer_too_late_are_overloaded_and_not_out_of_reach() {
    for (slow, expected) in [(2, "held by"), (3, "overloaded: 3 of 5 nodes answer after 4"), (5, "overloaded: 5 of 5")]
    {
        let stage = Stage::of(5);
        let guard = stage.locker().acquire("r").await.unwrap();
        stage
            .nodes
            .iter()
            .take(slow)
            .for_each(|node| node.delivery(Delivery::Delayed { there: ms(200), back: ms(200) }));
        let error = stage.builder().wait_max(ms(3_000)).build().unwrap().acquire("r").await.unwrap_err();
        // Longer rounds get the answers, and these say that the lock is held. The error describes the last attempt.
        let text = error.to_string();
        assert!(text.starts_with(expected) || text.starts_with("held by"), "{slow} slow: {text}");
        drop(guard);
    }
    let stage = Stage::of(5);
    stage.nodes.iter().take(3).for_each(|node| node.delivery(Delivery::Delayed { there: ms(2_000), back: ms(2_400) }));
    let error = stage.builder().wait_max(ms(9_000)).build().unwrap().acquire("r").await.unwrap_err();
    assert!(
        error.to_string().starts_with("overloaded: 3 of 5 nodes answer after 4.4s, and 250.0ms are allowed"),
        "{error}"
    );
    stage.nodes.iter().take(3).for_each(|node| node.delivery(Delivery::RequestHeld));
    let error = stage.builder().wait_max(ms(1_000)).build().unwrap().acquire("r").await.unwrap_err();
    assert!(error.to_string().starts_with("no quorum"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_without_a_lease_says_how_many_wait_before_it() {
    let stage = Stage::of(3);
    let guard = stage.locker().acquire("r").await.unwrap();
    let before = [waiter(&stage.locker()).await, waiter(&stage.locker()).await];
    let error = stage.builder().wait_max(ms(50)).build().unwrap().acquire("r").await.unwrap_err();
    let AcquireError::Contended { .. } = &error else { panic!("{error:?}") };
    assert!(error.to_string().contains("2 wait before it"), "{error}");
    drop(guard.release().await);
    for task in before {
        drop(task.await.unwrap().release().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_attempt_is_released_where_it_was_granted_and_nowhere_else() {
    let stage = Stage::of(5);
    stage.nodes.iter().take(3).for_each(|node| node.occupy("r", &holder("somebody", 1), ms(60_000)));
    let error = process(&stage, "other").try_acquire("r").await.unwrap_err();
    assert!(matches!(error, AcquireError::Contended { .. }));
    stage.until(ms(10), "its grants are released", || stage.picture("r") == "xxx..").await;
    let released: Vec<_> = stage.nodes.iter().map(|node| node.count_sent(is_release)).collect();
    assert_eq!(released[..3], [0, 0, 0], "nodes that refused have nothing to release");
    assert!(stage.nodes.iter().all(|node| node.count_sent(|verb| matches!(verb, Verb::Leave)) == 0));
}
