//! Turns among processes: who of those that wait is next, and how long nobody has to wait.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::HandOver;
use support::stage::waiter;
use support::{Fate, Stage};
use tokio::task::JoinSet;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The sections and the longest wait of each of so many processes with two busy tasks each.
async fn busy(stage: &Stage, processes: usize, hand_over: HandOver, length: Duration) -> Vec<(u32, Duration)> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for process in 0..processes {
        let locker = stage.builder().hand_over(hand_over).build().unwrap();
        for _ in 0..2 {
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
async fn busy_processes_take_turns_of_like_length_and_nobody_waits_for_much_longer_than_all_others_take() {
    for (processes, length) in [(2, ms(1)), (4, ms(1)), (9, ms(1)), (4, ms(20)), (9, ms(20))] {
        for hand_over in [HandOver::Off, HandOver::ToThoseWhoWaited, HandOver::ToAnybody] {
            let stage = Stage::of(5);
            let all = busy(&stage, processes, hand_over, length).await;
            let sections = || all.iter().map(|(sections, _)| *sections);
            let (least, most) = (sections().min().unwrap(), sections().max().unwrap());
            let longest = all.iter().map(|(_, longest)| *longest).max().unwrap();
            // Turns of 5 ms with something between them, or of one section where that is longer; then whoever waits behind
            // another task waits for two rounds.
            let turns = u32::try_from(processes).unwrap();
            let rounds = if length < ms(5) { turns * ms(7) } else { 2 * turns * length };
            let found = format!("{processes} processes, {length:?}, {hand_over:?}: {least} to {most}, {longest:?}");
            assert!(most - least <= 1 + most / 20, "sections of a process: {found}");
            assert!(longest <= rounds, "waits of more than {rounds:?}: {found}");
        }
    }
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
    assert!(took <= ms(11), "{took:?}");
}
