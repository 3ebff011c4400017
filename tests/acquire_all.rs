//! Several resources at once: all of them or none, in one order for all calls, and lost together.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redfence::protocol::Verb;
use redfence::recipes::AcquireAllError;
use redfence::{AcquireError, HandOver, LossCause, Redlock, ReleaseOutcome, Resource};
use support::fault_node::is_extend;
use support::set::{locks, patiently_over};
use support::{Delivery, Stage, eventually, servers};

const PROMPT: Duration = Duration::from_secs(20);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn process(stage: &Stage, label: &str) -> Redlock {
    stage.builder().hand_over(HandOver::Off).label(label).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn all_are_held_each_with_a_token_and_returned_in_the_reverse_order() {
    let stage = Stage::of(3);
    let locker = stage.locker();
    let all = locker.acquire_all(["c", "a", "b"]).await.unwrap();
    let names: Vec<_> = all.parts().map(|part| part.resource().to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!((all.token("b"), all.token("d")), (Some(all.parts().nth(1).unwrap().token()), None));
    assert!(all.check().is_ok() && all.valid_for().unwrap() > ms(9_000));
    for name in ["a", "b", "c"] {
        assert_eq!(stage.picture(name), "xxx");
    }
    let outcomes = all.release().await;
    let names: Vec<_> = outcomes.iter().map(|(resource, _)| resource.as_str()).collect();
    assert_eq!(names, ["c", "b", "a"]);
    assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, ReleaseOutcome::Released { .. })), "{outcomes:?}");
    let sent = stage.nodes[0].sent();
    let released = sent.iter().filter(|request| request.verb.is_release());
    let released: Vec<_> = released.map(|request| request.subject.resource.to_string()).collect();
    assert_eq!(released, ["c", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_held_by_another_leaves_none_behind() {
    let stage = Stage::of(3);
    let (locker, other) = (process(&stage, "one"), process(&stage, "other"));
    let held = other.acquire("b").await.unwrap();
    let error = locker.try_acquire_all(["a", "b", "c"]).await.unwrap_err();
    let AcquireAllError::Acquire { resource, error } = &error else { panic!("{error:?}") };
    assert!(resource.as_str() == "b" && matches!(**error, AcquireError::Contended { .. }), "{error:?}");
    assert_eq!((stage.picture("a"), stage.picture("c")), ("...".to_owned(), "...".to_owned()));
    drop(held.release().await);
    drop(locker.try_acquire_all(["a", "b", "c"]).await.unwrap().release().await);
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_for_all_together() {
    let stage = Stage::of(3);
    let (locker, other) = (process(&stage, "one"), process(&stage, "other"));
    let (a, b) = (other.acquire("a").await.unwrap(), other.acquire("b").await.unwrap());
    let began = stage.now();
    let waits = tokio::spawn(async move { locker.acquire_all_within(["a", "b"], ms(3_000)).await });
    tokio::time::sleep(ms(2_000)).await;
    drop(a.release().await);
    let error = waits.await.unwrap().unwrap_err();
    assert!(matches!(&error, AcquireAllError::Acquire { resource, .. } if resource.as_str() == "b"), "{error:?}");
    let took = stage.now().since(began);
    assert!((ms(3_000)..ms(3_600)).contains(&took), "{took:?}");
    assert_eq!(stage.picture("a"), "...");
    drop(b.release().await);
}

#[tokio::test(start_paused = true)]
async fn calls_that_name_the_same_in_any_order_never_wait_in_a_circle() {
    let stage = Stage::of(3);
    let mut tasks = Vec::new();
    let inside: Arc<[AtomicBool; 3]> = Arc::default();
    for (at, names) in [[0, 1], [1, 0], [1, 2], [2, 1], [0, 2], [2, 0]].into_iter().enumerate() {
        let (locker, inside) = (process(&stage, &at.to_string()), Arc::clone(&inside));
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                let all = locker.acquire_all(names.map(|name| format!("r{name}"))).await.unwrap();
                for name in names {
                    assert!(!inside[name].swap(true, Ordering::SeqCst), "two holders of r{name}");
                }
                tokio::time::sleep(ms(3)).await;
                names.iter().for_each(|name| inside[*name].store(false, Ordering::SeqCst));
                all.check().unwrap();
                drop(all.release().await);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_loss_of_a_part_is_the_loss_of_all() {
    let stage = Stage::of(3);
    let all = stage.locker().acquire_all(["a", "b"]).await.unwrap();
    assert!(tokio::time::timeout(ms(100), all.lost()).await.is_err());
    for node in &stage.nodes {
        node.rule(|request| match request.verb {
            Verb::Extend { .. } if request.subject.resource.as_str() == "b" => Delivery::Unreachable,
            _ => Delivery::Through,
        });
    }
    let lost = all.lost().await;
    assert_eq!((lost.resource.as_str(), &lost.cause), ("b", &LossCause::Expired));
    assert_eq!(all.check().unwrap_err(), lost);
    assert_eq!(all.valid_for(), None);
    assert!(all.parts().next().unwrap().check().is_ok(), "the other part itself is well");
    drop(all);
    assert_eq!(stage.picture("a"), "...");
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_lost_while_others_are_waited_for_ends_the_wait() {
    let stage = Stage::of(3);
    let (locker, other) = (process(&stage, "one"), process(&stage, "other"));
    let held = other.acquire("b").await.unwrap();
    let waits = tokio::spawn(async move { locker.acquire_all(["a", "b"]).await });
    tokio::time::sleep(ms(100)).await;
    stage.nodes.iter().for_each(|node| {
        node.rule(|request| {
            let is_of_a = request.subject.resource.as_str() == "a";
            if is_extend(&request.verb) && is_of_a { Delivery::Unreachable } else { Delivery::Through }
        });
    });
    let error = waits.await.unwrap().unwrap_err();
    assert!(matches!(&error, AcquireAllError::Lost(lost) if lost.resource.as_str() == "a"), "{error:?}");
    drop(held.release().await);
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_not_renewed_have_their_validity_all_the_same() {
    let stage = Stage::of(3);
    let locker = stage.builder().renewed(false).build().unwrap();
    let other = process(&stage, "other");
    let held = other.acquire("b").await.unwrap();
    let waits = tokio::spawn(async move { locker.acquire_all(["a", "b"]).await });
    tokio::time::sleep(ms(8_000)).await;
    drop(held.release().await);
    let all = waits.await.unwrap().unwrap();
    assert!(all.valid_for().unwrap() > ms(4_900), "{:?}", all.valid_for());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_at_any_point_leaves_no_lock() {
    for polls in 1..12 {
        let stage = Stage::of(3);
        stage.nodes.iter().for_each(|node| node.delivery(Delivery::Delayed { there: ms(5), back: ms(5) }));
        let locker = stage.locker();
        let acquired = locker.acquire_all(["a", "b", "c"]);
        let cut = tokio::time::timeout(ms(5 * polls), acquired).await;
        drop(cut);
        for name in ["a", "b", "c"] {
            let what = format!("{name} is free after {polls} steps");
            stage.until(ms(1_000), &what, || stage.picture(name) == "...").await;
        }
    }
}

#[tokio::test]
async fn on_servers_all_are_held_or_none() {
    let servers = servers(3);
    let (one, other) =
        (patiently_over(&servers).connect().await.unwrap(), patiently_over(&servers).connect().await.unwrap());
    let all = one.acquire_all(["x", "y"]).await.unwrap();
    assert!(other.try_acquire_all(["y", "z"]).await.is_err());
    assert_eq!(one.admin().inspect("z").await.unwrap().agreement(), redfence::admin::Agreement::Free);
    let waits =
        tokio::spawn(async move { other.acquire_all([Resource::new("z").unwrap(), "y".try_into().unwrap()]).await });
    let first = all.token("y").unwrap();
    drop(all.release().await);
    let next = waits.await.unwrap().unwrap();
    assert!(next.token("y").unwrap() > first);
    drop(next.release().await);
    eventually(PROMPT, "all locks are gone", async || servers.iter().all(|server| locks(server).is_empty())).await;
}
