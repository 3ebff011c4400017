//! Turns among processes: who of those that wait is next, and how long nobody has to wait.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::node::{Answer, Inbox, Node};
use redfence::protocol::{Reply, Request, Verb};
use redfence::{HandOver, NodeId, Redlock};
use support::fault_node::{holder, subject};
use support::stage::waiter;
use support::{Fate, Stage};
use tokio::task::JoinSet;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The sections and the longest wait of each of so many processes with so many busy tasks each.
async fn busy(
    stage: &Stage,
    (processes, tasks_each): (usize, usize),
    hand_over: HandOver,
    length: Duration,
) -> Vec<(u32, Duration)> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for process in 0..processes {
        let locker = stage.builder().hand_over(hand_over).build().unwrap();
        for _ in 0..tasks_each {
            let (locker, stop, clock) = (locker.clone(), Arc::clone(&stop), Arc::clone(&stage.clock));
            tasks.spawn(async move {
                let (mut sections, mut longest) = (0, Duration::ZERO);
                while !stop.load(Ordering::SeqCst) {
                    let began = clock.now();
                    let guard = locker.acquire("r").await.unwrap();
                    longest = longest.max(clock.now().since(began));
                    tokio::time::sleep(length).await;
                    drop(guard.release().await);
                    sections += 1;
                }
                (process, sections, longest)
            });
        }
    }
    tokio::time::sleep(ms(4_000)).await;
    stop.store(true, Ordering::SeqCst);
    let mut all = vec![(0, Duration::ZERO); processes];
    while let Some(task) = tasks.join_next().await {
        let (process, sections, longest) = task.unwrap();
        all[process] = (all[process].0 + sections, all[process].1.max(longest));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn busy_processes_take_turns_one_after_the_other() {
    for (tasks, away) in [(1, ms(0)), (2, ms(0)), (1, ms(1)), (2, ms(1))] {
        for (processes, length) in [(2, 1), (4, 1), (9, 1), (4, 4), (9, 4), (9, 6), (2, 20), (9, 20)] {
            let all_kinds = [HandOver::Off, HandOver::ToThoseWhoWaited, HandOver::ToAnybody];
            for hand_over in all_kinds.into_iter().take(if length == 1 { 3 } else { 1 }) {
                let stage = Stage::of(5);
                stage.nodes.iter().for_each(|node| node.rule(move |_| Fate::Delayed { there: away, back: away }));
                let all = busy(&stage, (processes, tasks), hand_over, ms(length)).await;
                // A turn is over with the first section that ends after 5 ms; then the next one asks the first node, and the others.
                let turn = ms(5).max(ms(length)) + ms(length) + 6 * away;
                let round = turn * u32::try_from(processes * tasks).unwrap();
                let found =
                    format!("{processes} of {tasks}, sections of {length} ms, {away:?} away, {hand_over:?}: {all:?}");
                let sections = || all.iter().map(|(sections, _)| *sections);
                let (least, most) = (sections().min().unwrap(), sections().max().unwrap());
                assert!(most - least <= 3 + most / 20, "of unlike length: {found}");
                assert!(all.iter().all(|(_, longest)| *longest <= round), "longer than {round:?}: {found}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn subscribers_that_never_ask_do_not_stop_the_turns() {
    for (ghosts, processes, length) in [(1, 2, 1), (1, 4, 1), (2, 4, 4), (2, 9, 1), (2, 4, 20)] {
        let stage = Stage::of(5);
        ghosts_on(&stage, ghosts);
        let all = busy(&stage, (processes, 2), HandOver::Off, ms(length)).await;
        let found = format!("{processes}, {length} ms, {ghosts} that never ask: {all:?}");
        let sections = || all.iter().map(|(sections, _)| *sections);
        assert!(
            sections().sum::<u32>() >= 4_000 / u32::try_from(length).unwrap() * 3 / 4,
            "much time is lost: {found}"
        );
        assert!(sections().min().unwrap() >= sections().max().unwrap() / 8, "somebody starves: {found}");
        let longest = all.iter().map(|(_, longest)| *longest).max().unwrap();
        assert!(longest <= ms(20).max(2 * ms(length)) * u32::try_from(2 * processes).unwrap(), "{found}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_never_gives_way_does_not_keep_those_waiting_who_come_behind_one_that_never_asks() {
    for ghosts in [1, 3] {
        let stage = Stage::of(5);
        ghosts_on(&stage, ghosts);
        stage.nodes.iter().for_each(|node| {
            node.rule(|request| match request.subject.holder.label().as_str() {
                "greedy" => Fate::Delayed { there: ms(1), back: ms(1) },
                _ => Fate::Through,
            });
        });
        let greedy = stage
            .builder()
            .label("greedy")
            .hand_over(HandOver::Off)
            .turn_max(1_000_000, ms(3_600_000))
            .build()
            .unwrap();
        let chain = tokio::spawn(async move {
            loop {
                let guard = greedy.acquire("r").await.unwrap();
                tokio::time::sleep(ms(2)).await;
                drop(guard.release().await);
            }
        });
        tokio::time::sleep(ms(20)).await;
        let began = stage.now();
        drop(stage.locker().acquire("r").await.unwrap().release().await);
        let took = stage.now().since(began);
        assert!(took <= ms(300), "{ghosts} that never ask: {took:?}");
        chain.abort();
    }
}

fn ghosts_on(stage: &Stage, ghosts: u128) {
    for ghost in 0..ghosts {
        for (at, node) in stage.nodes.iter().enumerate() {
            let answer = Answer::to(Arc::new(Nobody), NodeId::new(at).unwrap(), Verb::Watch);
            node.send(Request { subject: subject("r", &holder("ghost", 99 + ghost)), verb: Verb::Watch }, answer);
        }
    }
}

struct Nobody;
impl Inbox for Nobody {
    fn deliver(&self, _: NodeId, _: Verb, _: Reply) {}
}

#[tokio::test(start_paused = true)]
async fn giving_way_to_others_takes_no_longer_than_the_wait_that_was_asked_for() {
    let stage = Stage::of(5);
    let mut waiting = JoinSet::new();
    for _ in 0..40 {
        let locker = process_of(&stage, ms(60_000));
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
        let outcome = process_of(&stage, ms(wait_max)).acquire("r").await;
        let took = stage.now().since(began);
        assert!(took <= ms(wait_max), "{wait_max} ms were asked for: {took:?}, {:?}", outcome.is_ok());
    }
    waiting.shutdown().await;
}

fn process_of(stage: &Stage, wait_max: Duration) -> Redlock {
    stage.builder().wait_max(wait_max).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn those_who_come_later_are_served_later_also_where_they_are_nearer() {
    let stage = Stage::of(5);
    stage.nodes.iter().for_each(|node| {
        node.rule(|request| match request.subject.holder.label().as_str() {
            "far" => Fate::Delayed { there: ms(2), back: ms(1) },
            _ => Fate::Through,
        });
    });
    // Whoever had to wait listens, and counts among those who do.
    let (first, second) = (stage.locker(), stage.locker());
    let guard = first.acquire("r").await.unwrap();
    let waits = waiter(&second).await;
    drop(guard.release().await);
    let guard = waits.await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = JoinSet::new();
    for came in 0..12_usize {
        let label = if came % 2 == 0 { "far" } else { "near" };
        let (locker, order) = (stage.builder().label(label).build().unwrap(), Arc::clone(&order));
        waiting.spawn(async move {
            let guard = locker.acquire("r").await.unwrap();
            order.lock().unwrap().push(came);
            tokio::time::sleep(ms(3)).await;
            drop(guard.release().await);
        });
        tokio::time::sleep(ms(10)).await;
    }
    drop(guard.release().await);
    while let Some(done) = waiting.join_next().await {
        done.unwrap();
    }
    let order = order.lock().unwrap().clone();
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_went_away_are_waited_for_a_moment_only() {
    let stage = Stage::of(5);
    let guard = stage.locker().acquire("r").await.unwrap();
    let mut gone = JoinSet::new();
    for _ in 0..40 {
        let locker = stage.builder().wait_max(ms(100)).build().unwrap();
        gone.spawn(async move { locker.acquire("r").await.is_err() });
    }
    tokio::time::sleep(ms(20)).await;
    let waits = waiter(&stage.locker()).await;
    while let Some(gave_up) = gone.join_next().await {
        assert!(gave_up.unwrap());
    }
    let released = stage.now();
    drop(guard.release().await);
    drop(waits.await.unwrap().release().await);
    let took = stage.now().since(released);
    assert!(took <= ms(25), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_does_not_hold_up_all_who_come_behind() {
    for gone in [0_u32, 1, 20] {
        let stage = Stage::of(5);
        let guard = stage.locker().acquire("r").await.unwrap();
        let mut leaving = JoinSet::new();
        for _ in 0..gone {
            let locker = stage.builder().wait_max(ms(100)).build().unwrap();
            leaving.spawn(async move { drop(locker.acquire("r").await) });
            tokio::time::sleep(ms(1)).await;
        }
        let mut waiting = JoinSet::new();
        for _ in 0..16 {
            let locker = stage.locker();
            waiting.spawn(async move {
                let guard = locker.acquire("r").await.unwrap();
                tokio::time::sleep(ms(1)).await;
                drop(guard.release().await);
            });
            tokio::time::sleep(ms(1)).await;
        }
        tokio::time::sleep(ms(200)).await;
        let released = stage.now();
        drop(guard.release().await);
        while let Some(done) = waiting.join_next().await {
            done.unwrap();
        }
        let took = stage.now().since(released);
        // At 16 ms of work; where many have gone, others come first for as long as they are waited for at most.
        let held_up = ms(if gone < 2 { 4 } else { 16 * 11 });
        assert!(took <= ms(16) + held_up, "{gone} had gone: {took:?}");
    }
}
