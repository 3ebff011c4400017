//! Waiting for other processes: who is woken, by what, and how long nobody has to wait.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redfence::node::{Answer, Inbox, Node};
use redfence::protocol::{Reply, Request, Verb};
use redfence::{HandOver, NodeId, Redlock, Resource};
use support::fault_node::{holder, is_grant, is_release, subject};
use support::stage::waiter;
use support::{Fate, FaultNode, Stage};
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

/// How many grants a process asked for.
fn grants_of(stage: &Stage, label: &str) -> usize {
    let is_its = |request: &Request| is_grant(&request.verb) && is_by(request, label);
    stage.nodes.iter().map(|node| node.sent().iter().filter(|request| is_its(request)).count()).sum()
}

/// The nodes in the order in which everybody asks them, where many want the resource.
fn in_order(stage: &Stage) -> Vec<&FaultNode> {
    let (slot, nodes) = (usize::from(Resource::new("r").unwrap().slot()), stage.nodes.len());
    (slot..slot + nodes).map(|at| &stage.nodes[at % nodes]).collect()
}

fn first_node(stage: &Stage) -> &FaultNode {
    in_order(stage)[0]
}

fn is_by(request: &Request, label: &str) -> bool {
    request.subject.holder.label().as_str() == label
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
    let mut waiting = tokio::task::JoinSet::new();
    for other in others {
        waiting.spawn(async move { drop(other.acquire("r").await.unwrap().release().await) });
    }
    tokio::time::sleep(ms(5)).await;
    let released = stage.now();
    drop(guard.release().await);
    // Before those who are told come to ask: somebody who dies at once, and leaves a lock where all others begin.
    first_node(&stage).occupy("r", &holder("dead", 1), ms(60_000));
    while let Some(waited) = waiting.join_next().await {
        waited.unwrap();
    }
    let took = stage.now().since(released);
    assert!(took <= ms(500), "the majority was free, and yet they waited {took:?}");
    assert!(!first_node(&stage).is_free("r"), "still there: nobody removes what is not his");
}

#[tokio::test(start_paused = true)]
async fn where_a_minority_is_down_nobody_polls_while_the_lock_is_held() {
    for (nodes, down) in [(3, vec![]), (3, vec![0]), (3, vec![1]), (3, vec![2]), (5, vec![0, 1]), (5, vec![2])] {
        let stage = Stage::of(nodes);
        down.iter().for_each(|at| in_order(&stage)[*at].fate(Fate::Unreachable));
        let (one, other) = (process(&stage, "one"), process(&stage, "other"));
        let guard = one.acquire("r").await.unwrap();
        let waits = waiter(&other).await;
        tokio::time::sleep(ms(25_000)).await;
        assert!(grants_of(&stage, "other") <= 20, "{nodes}, {down:?}: {} grants", grants_of(&stage, "other"));
        let released = stage.now();
        drop(guard.release().await);
        drop(waits.await.unwrap().release().await);
        assert!(stage.now().since(released) <= ms(25), "{nodes} nodes, {down:?} of them down");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leftover_of_one_that_was_seen_everywhere_is_not_trusted_once_its_release_was_told() {
    let stage = Stage::of(3);
    let (a, b, c) = (process(&stage, "a"), process(&stage, "b"), process(&stage, "c"));
    let guard = a.acquire("r").await.unwrap();
    let waits = waiter(&b).await;
    // Its release does not come to where all begin.
    first_node(&stage).rule(|request| match is_by(request, "a") && is_release(&request.verb) {
        true => Fate::RequestHeld,
        false => Fate::Through,
    });
    drop(guard.release().await);
    // Another one is faster, and gives back to one node a little later than to the other.
    let guard = c.acquire("r").await.unwrap();
    tokio::time::sleep(ms(20)).await;
    assert!(!waits.is_finished());
    in_order(&stage)[2].rule(|request| match is_by(request, "c") && is_release(&request.verb) {
        true => Fate::Delayed { there: ms(2), back: ms(1) },
        false => Fate::Through,
    });
    drop(guard.release().await);
    let released = stage.now();
    drop(waits.await.unwrap().release().await);
    let took = stage.now().since(released);
    assert!(took <= ms(500), "the majority was free, and yet it waited {took:?}");
}

#[tokio::test(start_paused = true)]
async fn where_some_nodes_do_not_tell_the_others_are_relied_on_only_where_they_can_be() {
    for (nodes, deaf, without) in [
        (3, vec![1], 0),
        (3, vec![1, 2], 0),
        (3, vec![0], 2),
        (4, vec![3], 0),
        (5, vec![2, 3, 4], 0),
        (5, vec![3, 4], 0),
    ] {
        for passes_on in [false, true] {
            let stage = Stage::of(nodes);
            for (at, node) in in_order(&stage).into_iter().enumerate() {
                let (is_deaf, is_without) = (deaf.contains(&at), at == without);
                node.rule(move |request| match request.verb {
                    Verb::Watch if is_deaf => Fate::Forbidden,
                    _ if is_without && is_by(request, "one") => Fate::Unreachable,
                    _ => Fate::Through,
                });
            }
            let (one, other) = (process(&stage, "one"), process(&stage, "other"));
            let mut guard = one.acquire("r").await.unwrap();
            let waits = waiter(&other).await;
            tokio::time::sleep(ms(500)).await;
            if passes_on {
                let next = waiter(&one).await;
                drop(guard.release().await);
                guard = next.await.unwrap();
                tokio::time::sleep(ms(10)).await;
            }
            let released = stage.now();
            drop(guard.release().await);
            drop(waits.await.unwrap().release().await);
            let took = stage.now().since(released);
            assert!(took <= ms(500), "{nodes} nodes, {deaf:?} deaf, {without} without, {passes_on}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_listens_and_never_takes_its_turn_costs_the_others_little() {
    struct Nobody;
    impl Inbox for Nobody {
        fn deliver(&self, _: NodeId, _: Verb, _: Reply) {}
    }
    for ghosts in [1, 2, 3] {
        let stage = Stage::of(3);
        for (at, node) in stage.nodes.iter().take(ghosts).enumerate() {
            let (subject, answer) = (
                subject("r", &holder("ghost", 99)),
                Answer::to(Arc::new(Nobody), NodeId::new(at).unwrap(), Verb::Watch),
            );
            node.send(Request { subject, verb: Verb::Watch }, answer);
        }
        let busy = stage.locker();
        let began = stage.now();
        for _ in 0..1_000 {
            let guard = busy.acquire("r").await.unwrap();
            tokio::time::sleep(ms(1)).await;
            drop(guard.release().await);
        }
        let took = stage.now().since(began);
        assert!(took <= ms(1_250), "a pause of 5 ms in 40, and not in 5: {took:?}");
        let watches: usize = stage.nodes.iter().map(|node| node.count_sent(|verb| *verb == Verb::Watch)).sum();
        assert!(watches <= 200, "{watches}");
    }
}
