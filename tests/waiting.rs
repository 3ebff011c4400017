//! Waiting for other processes: who is woken, by what, and how long nobody has to wait.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redfence::protocol::Verb;
use redfence::{Guard, HandOver, Redlock, Resource};
use support::fault_node::holder;
use support::{FaultNode, Stage};
use tokio::task::JoinHandle;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A process of its own, told from others by its label.
fn process(stage: &Stage, label: &str) -> Redlock {
    stage.builder().hand_over(HandOver::Off).label(label).turn_max(100_000, ms(60_000)).build().unwrap()
}

/// Tasks of `locker` that take turns without a pause until they are told to stop, each for `length`.
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

/// A task that acquires, and is known to wait by the time this returns.
async fn waiter(locker: &Redlock) -> JoinHandle<Guard> {
    let locker = locker.clone();
    let task = tokio::spawn(async move { locker.acquire("r").await.unwrap() });
    tokio::time::sleep(ms(1)).await;
    assert!(!task.is_finished());
    task
}

/// How many grants a process asked for.
fn grants_of(stage: &Stage, label: &str) -> usize {
    let is_its = |request: &redfence::protocol::Request| {
        matches!(request.verb, Verb::Grant { .. }) && request.subject.holder.label().as_str() == label
    };
    stage.nodes.iter().map(|node| node.sent().iter().filter(|request| is_its(request)).count()).sum()
}

/// The node that everybody asks first, where many want the resource.
fn first_node(stage: &Stage) -> &FaultNode {
    let slot = usize::from(Resource::new("r").unwrap().slot());
    &stage.nodes[slot % stage.nodes.len()]
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_passes_inside_a_process_wakes_nobody_outside() {
    let stage = Stage::of(5);
    let (busy, rival) = (process(&stage, "busy"), process(&stage, "rival"));
    let (stop, tasks) = chain(&busy, 3, ms(1));
    tokio::time::sleep(ms(10)).await;
    let waits = waiter(&rival).await;
    tokio::time::sleep(ms(300)).await;
    // One attempt at all nodes; one at the first, once it is to be told; and one more at all, for that was one word only.
    assert!(grants_of(&stage, "rival") <= 5 + 1 + 5, "{} grants", grants_of(&stage, "rival"));
    stop.store(true, Ordering::SeqCst);
    let mut sections = 0;
    for task in tasks {
        sections += task.await.unwrap();
    }
    let ended = stage.now();
    assert!(sections > 250, "{sections}");
    drop(waits.await.unwrap().release().await);
    assert!(stage.now().since(ended) <= ms(1), "told of the last release at once, though it waited for another holder");
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
            assert!(waited <= ms(25), "waited {waited:?} for a turn of 5 ms");
            drop(guard.release().await);
        }
        stop.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_quorum_tells_of_the_release_another_node_is_asked_first_than_one_that_keeps_a_dead_ones_lock() {
    let stage = Stage::of(5);
    first_node(&stage).occupy("r", &holder("dead", 1), ms(60_000));
    let (one, other) = (process(&stage, "one"), process(&stage, "other"));
    let guard = one.acquire("r").await.unwrap();
    let waits = waiter(&other).await;
    // One that waits for longer has asked in order before, and met the dead one's lock.
    tokio::time::sleep(ms(500)).await;
    let released = stage.now();
    drop(guard.release().await);
    drop(waits.await.unwrap().release().await);
    assert_eq!(stage.now(), released, "at once");
}

#[tokio::test(start_paused = true)]
async fn one_nodes_word_is_not_taken_for_the_whole_time_to_live() {
    let stage = Stage::of(5);
    let (one, others) = (process(&stage, "one"), [process(&stage, "a"), process(&stage, "b")]);
    let guard = one.acquire("r").await.unwrap();
    let waiting = [waiter(&others[0]).await, waiter(&others[1]).await];
    let released = stage.now();
    drop(guard.release().await);
    // Before those who are told come to ask: somebody who dies at once, and leaves a lock where all others begin.
    first_node(&stage).occupy("r", &holder("dead", 1), ms(60_000));
    for waits in waiting {
        drop(waits.await.unwrap().release().await);
    }
    let took = stage.now().since(released);
    assert!(took <= ms(500), "the majority was free, and yet they waited {took:?}");
    assert!(!first_node(&stage).is_free("r"), "still there: nobody removes what is not his");
}
