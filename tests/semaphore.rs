//! At most K holders at a time, in the order of their coming, and a crashed holder's permit comes back by itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redfence::protocol::Request;
use redfence::recipes::{PermitError, Semaphore, SemaphoreError};
use redfence::{AcquireError, Guard, HandOver, Redlock, Resource};
use support::fault_node::is_grant;
use support::set::{locks, patiently_over};
use support::{Delivery, Stage, eventually, servers};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const PROMPT: Duration = Duration::from_secs(20);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A process of its own.
fn process(stage: &Stage, label: &str) -> Redlock {
    stage.builder().hand_over(HandOver::Off).label(label).build().unwrap()
}

fn reports(locker: &Redlock, permits: usize) -> Semaphore {
    locker.semaphore("reports", permits).unwrap()
}

#[tokio::test(start_paused = true)]
async fn so_many_hold_a_permit_and_no_more() {
    let stage = Stage::of(3);
    let locker = process(&stage, "one");
    let semaphore = reports(&locker, 3);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(semaphore.try_acquire().await.unwrap());
    }
    let mut names: Vec<_> = held.iter().map(|permit| permit.resource().to_string()).collect();
    names.sort();
    assert_eq!(names, ["reports#1", "reports#2", "reports#3"]);
    for semaphore in [semaphore.clone(), reports(&process(&stage, "two"), 3)] {
        let error = semaphore.try_acquire().await.unwrap_err();
        assert!(matches!(&error, PermitError::AllHeld { permits: 3, .. }), "{error:?}");
    }
    let (freed, token) = (held[1].resource().clone(), held[1].token());
    drop(held.remove(1).release().await);
    let next = semaphore.try_acquire().await.unwrap();
    assert_eq!(next.resource(), &freed);
    assert!(next.token() > token);
}

#[tokio::test(start_paused = true)]
async fn names_and_numbers_that_cannot_be_used_are_refused() {
    let stage = Stage::of(1);
    let locker = stage.locker();
    for permits in [0, Semaphore::PERMITS_MAX + 1, usize::MAX] {
        assert_eq!(locker.semaphore("s", permits).unwrap_err(), SemaphoreError::Permits { permits });
    }
    let longest = "s".repeat(Resource::LEN_MAX - "#queue".len());
    assert!(locker.semaphore(&*longest, Semaphore::PERMITS_MAX).is_ok());
    assert!(matches!(locker.semaphore(longest + "s", 1), Err(SemaphoreError::Resource(_))));
}

/// A process that waits for a permit, and passes it on to `served` with its number.
async fn waiter(
    stage: &Stage,
    number: usize,
    permits: usize,
    served: &mpsc::UnboundedSender<(usize, Guard)>,
) -> JoinHandle<()> {
    let (semaphore, served) = (reports(&process(stage, &number.to_string()), permits), served.clone());
    let task = tokio::spawn(async move { served.send((number, semaphore.acquire().await.unwrap())).unwrap() });
    tokio::time::sleep(ms(20)).await;
    assert!(!task.is_finished());
    task
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_comes_free_goes_to_the_first_waiter_and_no_call_overtakes() {
    let stage = Stage::of(3);
    let semaphore = reports(&process(&stage, "holder"), 2);
    let mut held = vec![semaphore.acquire().await.unwrap(), semaphore.acquire().await.unwrap()];
    let (served, mut order) = mpsc::unbounded_channel();
    for number in 0..5 {
        drop(waiter(&stage, number, 2, &served).await);
    }
    for expected in 0..5 {
        // Whichever of the two comes free.
        drop(held.remove(expected % 2).release().await);
        let began = stage.now();
        let error = semaphore.try_acquire().await.unwrap_err();
        assert!(matches!(error, PermitError::AllHeld { .. }), "{error:?}");
        let (number, permit) = order.recv().await.unwrap();
        assert_eq!(number, expected);
        assert!(stage.now().since(began) < ms(600), "a permit that was free waited {:?}", stage.now().since(began));
        held.push(permit);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_call_in_the_queue_asks_for_permits() {
    let stage = Stage::of(3);
    let semaphore = reports(&process(&stage, "holder"), 2);
    let held = [semaphore.acquire().await.unwrap(), semaphore.acquire().await.unwrap()];
    let (served, mut order) = mpsc::unbounded_channel();
    for number in 0..4 {
        drop(waiter(&stage, number, 2, &served).await);
    }
    tokio::time::sleep(ms(5_000)).await;
    let asks = |request: &Request, number: &str| {
        let name = request.subject.resource.as_str();
        is_grant(&request.verb) && name != "reports#queue" && request.subject.holder.label().as_str() == number
    };
    let asked = |number: &str| stage.nodes[0].sent().iter().filter(|request| asks(request, number)).count();
    assert!(asked("0") > 0);
    assert_eq!(["1", "2", "3"].map(asked), [0, 0, 0]);
    for permit in held {
        drop(permit.release().await);
    }
    for expected in 0..2 {
        assert_eq!(order.recv().await.unwrap().0, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_no_permit_before_those_that_waited_however_often_it_tries() {
    const WAITERS: usize = 4;
    let stage = Stage::of(3);
    let semaphore = reports(&process(&stage, "holder"), 2);
    let mut held = vec![semaphore.acquire().await.unwrap(), semaphore.acquire().await.unwrap()];
    let (served, mut order) = mpsc::unbounded_channel();
    for number in 0..WAITERS {
        drop(waiter(&stage, number, 2, &served).await);
    }
    // From here on messages take their time, and permits come free at once while the lock of the queue is under way.
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Delayed { there: ms(5), back: ms(5) }));
    for newcomer in WAITERS..WAITERS + 3 {
        let (semaphore, served) = (reports(&process(&stage, &newcomer.to_string()), 2), served.clone());
        tokio::spawn(async move {
            loop {
                if let Ok(permit) = semaphore.try_acquire().await {
                    return served.send((newcomer, permit)).unwrap();
                }
                tokio::time::sleep(ms(1)).await;
            }
        });
    }
    tokio::time::sleep(ms(100)).await;
    let mut numbers = Vec::new();
    while numbers.len() < WAITERS {
        drop(futures::future::join_all(held.drain(..).map(Guard::release)).await);
        for _ in 0..2 {
            let (number, permit) = order.recv().await.unwrap();
            numbers.push(number);
            held.push(permit);
        }
    }
    assert_eq!(numbers, [0, 1, 2, 3]);
    // The newcomers end with the runtime, and the slow lines may end before them.
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
}

#[tokio::test(start_paused = true)]
async fn the_permit_of_a_holder_that_crashed_comes_back_by_itself() {
    let stage = Stage::of(3);
    let crashed = process(&stage, "crashed");
    let lives = reports(&process(&stage, "lives"), 2).acquire().await.unwrap();
    // It neither renews nor releases any more.
    let lost = reports(&crashed, 2).acquire().await.unwrap();
    let (number, token) = (lost.resource().clone(), lost.token());
    drop(lost.into_lease());
    let began = stage.now();
    let next = reports(&process(&stage, "next"), 2).acquire().await.unwrap();
    let waited = stage.now().since(began);
    assert!((ms(9_500)..ms(10_600)).contains(&waited), "{waited:?}");
    assert_eq!(next.resource(), &number);
    assert!(next.token() > token && lives.check().is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_that_crashed_while_it_waited_first_delays_the_others_by_its_time_to_live() {
    let stage = Stage::of(3);
    let held = reports(&process(&stage, "holder"), 1).acquire().await.unwrap();
    let crashed = process(&stage, "crashed");
    // All that is left of one that had its turn.
    drop(crashed.acquire("reports#queue").await.unwrap().into_lease());
    drop(held.release().await);
    let began = stage.now();
    drop(reports(&process(&stage, "next"), 1).acquire().await.unwrap());
    assert!(stage.now().since(began) < ms(10_600), "{:?}", stage.now().since(began));
}

#[tokio::test(start_paused = true)]
async fn never_more_than_so_many_among_processes_and_tasks() {
    const PERMITS: usize = 3;
    let stage = Stage::of(3);
    let (inside, most): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
    let mut tasks = Vec::new();
    for process_number in 0..4 {
        // Tasks of one process, which pass leases on in memory.
        let locker = stage.builder().label(process_number.to_string()).build().unwrap();
        for _ in 0..3 {
            let (semaphore, inside, most) = (reports(&locker, PERMITS), Arc::clone(&inside), Arc::clone(&most));
            tasks.push(tokio::spawn(async move {
                for _ in 0..10 {
                    let permit = semaphore.acquire().await.unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(ms(7)).await;
                    permit.check().unwrap();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(permit.release().await);
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), PERMITS);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_at_any_point_leaves_nothing_behind() {
    for step in 1..20 {
        let stage = Stage::of(3);
        stage.nodes.iter().for_each(|node| node.delivery(Delivery::Delayed { there: ms(5), back: ms(5) }));
        let locker = process(&stage, "one");
        let semaphore = reports(&locker, 2);
        drop(tokio::time::timeout(ms(5 * step), semaphore.acquire()).await);
        for name in ["reports#queue", "reports#1", "reports#2"] {
            let what = format!("{name} is free after {step} steps");
            stage.until(ms(1_000), &what, || stage.picture(name) == "...").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_quorum_the_nodes_are_named_as_the_reason() {
    let stage = Stage::of(3);
    let semaphore = reports(&stage.locker(), 2);
    drop(semaphore.acquire().await.unwrap().release().await);
    stage.nodes.iter().take(2).for_each(|node| node.delivery(Delivery::Unreachable));
    for wait in [ms(0), ms(700)] {
        let error = semaphore.acquire_within(wait).await.unwrap_err();
        assert!(matches!(error, PermitError::Acquire(AcquireError::NoQuorum { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn on_servers_so_many_hold_a_permit_and_the_next_is_woken() {
    let servers = servers(3);
    let connect = async || patiently_over(&servers).connect().await.unwrap();
    let (one, other) = (connect().await, connect().await);
    let (ours, theirs) = (reports(&one, 2), reports(&other, 2));
    let (first, second) = (ours.acquire().await.unwrap(), theirs.acquire().await.unwrap());
    assert_ne!(first.resource(), second.resource());
    let error = theirs.try_acquire().await.unwrap_err();
    assert!(matches!(error, PermitError::AllHeld { permits: 2, .. }), "{error:?}");
    let waits = tokio::spawn(async move { theirs.acquire().await.unwrap() });
    let freed = first.resource().clone();
    drop(first.release().await);
    let next = waits.await.unwrap();
    assert_eq!(next.resource(), &freed);
    drop((next.release().await, second.release().await));
    eventually(PROMPT, "all locks are gone", async || servers.iter().all(|server| locks(server).is_empty())).await;
}
