//! Turns among processes: which waiting process is next, and how long a process waits at most.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::HandOver;
use support::{Delivery, Stage};
use tokio::task::JoinSet;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The sections and the longest wait of each of `processes` processes with `tasks` busy tasks each.
async fn busy(
    stage: &Stage,
    (processes, tasks_each): (usize, usize),
    hand_over: HandOver,
    length: Duration,
) -> Vec<(u32, Duration)> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for process in 0..processes {
        let locker = stage.builder().hand_over(hand_over).label(format!("p{process}")).build().unwrap();
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
        for (processes, length) in [(2, 1), (4, 1), (9, 1), (4, 4), (9, 4), (9, 6), (2, 20), (9, 20), (40, 1)] {
            let all_kinds = [HandOver::Off, HandOver::ToWaiters, HandOver::WithoutOrder];
            for hand_over in all_kinds.into_iter().take(if length == 1 { 3 } else { 1 }) {
                let stage = Stage::of(5);
                stage.nodes.iter().for_each(|node| node.rule(move |_| Delivery::Delayed { there: away, back: away }));
                let all = busy(&stage, (processes, tasks), hand_over, ms(length)).await;
                // A turn ends with the first section that ends after 5 ms. Then the next process is woken, and asks.
                let turn = ms(5).max(ms(length)) + ms(length) + 4 * away;
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
async fn processes_are_served_in_the_order_of_their_arrival_also_where_later_ones_are_nearer() {
    let stage = Stage::of(5);
    stage.nodes.iter().for_each(|node| {
        node.rule(|request| match request.subject.holder.label().as_str() {
            "far" => Delivery::Delayed { there: ms(2), back: ms(1) },
            _ => Delivery::Through,
        });
    });
    let guard = stage.locker().acquire("r").await.unwrap();
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
    assert!(order.lock().unwrap().is_sorted(), "{:?}", order.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_herd_that_comes_at_one_moment_is_served_one_after_the_other() {
    const HERD: usize = 200;
    for away in [ms(0), ms(1)] {
        let stage = Stage::of(5);
        stage.nodes.iter().for_each(|node| node.rule(move |_| Delivery::Delayed { there: away, back: away }));
        let mut herd = JoinSet::new();
        for _ in 0..HERD {
            let locker = stage.locker();
            herd.spawn(async move {
                let guard = locker.acquire("r").await.unwrap();
                let token = guard.token();
                drop(guard.release().await);
                token
            });
        }
        let began = stage.now();
        let mut tokens = Vec::new();
        while let Some(token) = herd.join_next().await {
            tokens.push(token.unwrap());
        }
        let took = stage.now().since(began);
        // A section takes a release, a wake and a grant. A tie at the beginning takes a little more.
        let round = 6 * away * u32::try_from(HERD).unwrap();
        assert!(took <= round + ms(100), "{away:?} away: {took:?}");
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), HERD);
        let asked: usize = stage.nodes.iter().map(|node| node.sent().len()).sum();
        assert!(asked <= 20 * HERD, "{away:?} away: {asked} requests for {HERD} sections");
    }
}

#[tokio::test(start_paused = true)]
async fn a_far_process_among_near_ones_has_its_share() {
    let stage = Stage::of(5);
    stage.nodes.iter().for_each(|node| {
        node.rule(|request| match request.subject.holder.label().as_str() {
            "p0" => Delivery::Delayed { there: ms(25), back: ms(25) },
            _ => Delivery::Delayed { there: ms(1), back: ms(1) },
        });
    });
    let all = busy(&stage, (20, 1), HandOver::Off, ms(1)).await;
    let total: u32 = all.iter().map(|(sections, _)| *sections).sum();
    assert!(all[0].0 * 20 * 2 >= total, "{all:?}");
}
