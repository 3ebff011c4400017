//! Leader election, and who holds what: one leader at a time, terms that grow, and what any process sees of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use redfence::protocol::Verb;
use redfence::recipes::{AcquireAllError, Election, Leadership, OwnerError};
use redfence::{AcquireError, HandOver, LossCause, Redlock, ReleaseOutcome};
use support::fault_node::{holder, is_extend};
use support::set::{locks, patiently_over};
use support::{Delivery, Stage, eventually, servers};
use tokio::task::JoinHandle;

const PROMPT: Duration = Duration::from_secs(20);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The election as a process of its own sees it.
fn election(stage: &Stage, label: &str) -> Election {
    stage.builder().hand_over(HandOver::Off).label(label).build().unwrap().election("e").unwrap()
}

/// One that campaigns, and is known to wait by the time this returns.
async fn campaigner(stage: &Stage, label: &str) -> JoinHandle<Leadership> {
    let election = election(stage, label);
    let task = tokio::spawn(async move { election.campaign_within(Duration::MAX).await.unwrap() });
    tokio::time::sleep(ms(5)).await;
    assert!(!task.is_finished());
    task
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_resigns_and_the_next_leads_with_a_greater_term() {
    let stage = Stage::of(3);
    let first = election(&stage, "first").campaign().await.unwrap();
    let (second, third) = (campaigner(&stage, "second").await, campaigner(&stage, "third").await);
    let seen = election(&stage, "observer").leader().await.unwrap().unwrap();
    assert_eq!((seen.term, seen.label.as_str()), (first.term(), "first"));
    assert_eq!(first.token("e"), Some(first.term()));
    let (term, began) = (first.term(), stage.now());
    assert!(matches!(first.resign().await, ReleaseOutcome::Released { .. }));
    let second = second.await.unwrap();
    assert!(stage.now().since(began) < ms(100), "the next is woken, {:?}", stage.now().since(began));
    assert!(second.term() > term && second.check().is_ok());
    assert!(!third.is_finished(), "one at a time, in the order of their coming");
    let term = second.term();
    drop(second.resign().await);
    assert!(third.await.unwrap().term() > term);
}

#[tokio::test(start_paused = true)]
async fn a_campaign_ends_with_its_wait_and_leaves_nothing_behind() {
    let stage = Stage::of(3);
    let leads = election(&stage, "leads").campaign().await.unwrap();
    let began = stage.now();
    let error = election(&stage, "other").campaign_within(ms(2_000)).await.unwrap_err();
    let AcquireAllError::Acquire { error, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*error, AcquireError::Contended { .. }), "{error:?}");
    assert!((ms(2_000)..ms(2_600)).contains(&stage.now().since(began)));
    drop(leads.resign().await);
    assert_eq!((stage.picture("e"), stage.picture("e#leader")), ("...".to_owned(), "...".to_owned()));
    assert_eq!(election(&stage, "observer").leader().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_crashed_is_succeeded_after_its_time_to_live() {
    let stage = Stage::of(3);
    let crashed = stage.builder().label("crashed").build().unwrap();
    // All that is left of a leader that neither renews nor releases any more.
    let term = crashed.acquire("e").await.unwrap().into_lease().token;
    let notice = crashed.with_label(format!("{term} crashed")).unwrap();
    drop(notice.acquire("e#leader").await.unwrap().into_lease());
    let seen = election(&stage, "observer").leader().await.unwrap().unwrap();
    assert_eq!((seen.term, seen.label.as_str()), (term, "crashed"));
    let began = stage.now();
    let next = election(&stage, "next").campaign().await.unwrap();
    assert!((ms(9_500)..ms(10_700)).contains(&stage.now().since(began)), "{:?}", stage.now().since(began));
    assert!(next.term() > term);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_is_lost_before_the_next_one_leads() {
    let stage = Stage::of(3);
    let leads = election(&stage, "cut off").campaign().await.unwrap();
    let next = campaigner(&stage, "next").await;
    let is_its = |label: &str| label == "cut off" || label.ends_with(" cut off");
    stage.nodes.iter().for_each(|node| {
        node.rule(move |request| {
            let is_cut = is_its(request.subject.holder.label().as_str()) && is_extend(&request.verb);
            if is_cut { Delivery::Unreachable } else { Delivery::Through }
        });
    });
    let lost = leads.lost().await;
    assert_eq!(lost.cause, LossCause::Expired);
    assert!(leads.check().is_err() && !next.is_finished());
    let next = next.await.unwrap();
    assert!(next.term() > leads.term());
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_notice_is_lost_leads_no_more() {
    let stage = Stage::of(3);
    let leads = election(&stage, "leads").campaign().await.unwrap();
    stage.nodes.iter().for_each(|node| node.drop_lock("e#leader"));
    let lost = leads.lost().await;
    assert_eq!((lost.resource.as_str(), lost.cause), ("e#leader", LossCause::Taken));
}

#[tokio::test(start_paused = true)]
async fn observers_see_each_leader_once_with_terms_that_grow() {
    let stage = Stage::of(3);
    let mut leaders = pin!(election(&stage, "observer").observe(ms(100)));
    let mut last = None;
    for label in ["one", "two", "three"] {
        let leads = election(&stage, label).campaign().await.unwrap();
        // The first look is at once; later ones come within one and a half periods.
        let seen = tokio::time::timeout(ms(160), leaders.next()).await.unwrap().unwrap();
        assert_eq!((seen.term, seen.label.as_str()), (leads.term(), label));
        assert!(last.is_none_or(|last| seen.term > last));
        last = Some(seen.term);
        let again = tokio::time::timeout(ms(1_000), leaders.next()).await;
        assert!(again.is_err(), "seen twice: {again:?}");
        drop(leads.resign().await);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_asks_about_once_in_a_period_also_while_no_node_answers() {
    let stage = Stage::of(3);
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Unreachable));
    let mut leaders = pin!(election(&stage, "observer").observe(ms(1_000)));
    assert!(tokio::time::timeout(ms(60_000), leaders.next()).await.is_err());
    let asked = stage.nodes[0].count_sent(|verb| matches!(verb, Verb::Inspect));
    assert!((40..=120).contains(&asked), "{asked} looks in 60 periods");
    // It goes on as soon as a quorum answers.
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
    let leads = election(&stage, "leads").campaign().await.unwrap();
    assert_eq!(leaders.next().await.unwrap().term, leads.term());
}

#[tokio::test(start_paused = true)]
async fn the_owner_is_what_a_quorum_says() {
    let stage = Stage::of(3);
    let (locker, observer) = (stage.builder().label("worker-7").build().unwrap(), stage.locker());
    assert_eq!((observer.owner("r").await, observer.is_locked("r").await), (Ok(None), Ok(false)));
    let other = locker.with_label("worker-8").unwrap();
    assert!(locker.with_label("x".repeat(129)).is_err());
    for (locker, label) in [(&locker, "worker-7"), (&other, "worker-8")] {
        let guard = locker.acquire("r").await.unwrap();
        let owner = observer.owner("r").await.unwrap().unwrap();
        assert_eq!((&owner, owner.label().as_str()), (guard.holder(), label));
        assert_eq!(observer.is_locked("r").await, Ok(true));
        drop(guard.release().await);
    }
    // One node has another holder's lock, one has none, and one does not answer.
    stage.nodes[0].occupy("r", &holder("somebody", 1), ms(5_000));
    stage.nodes[2].delivery(Delivery::Unreachable);
    let undecided = observer.owner("r").await.unwrap_err();
    assert_eq!(undecided, OwnerError::Undecided { nodes: 3, needed: 2, held: 1, free: 1, silent: 1 });
    assert_eq!(observer.is_locked("r").await, Err(undecided));
    assert!(matches!(observer.owner("").await, Err(OwnerError::Resource(_))));
}

#[tokio::test]
async fn on_servers_one_leads_and_others_see_who() {
    let servers = servers(3);
    let connect = async |label: &str| -> Redlock { patiently_over(&servers).label(label).connect().await.unwrap() };
    let (one, other) = (connect("one").await.election("e").unwrap(), connect("other").await.election("e").unwrap());
    let mut leaders = pin!(connect("observer").await.election("e").unwrap().observe(ms(20)));
    let leads = one.campaign().await.unwrap();
    let seen = tokio::time::timeout(PROMPT, leaders.next()).await.unwrap().unwrap();
    assert_eq!((seen.term, seen.label.as_str()), (leads.term(), "one"));
    let waits = tokio::spawn(async move { other.campaign().await.unwrap() });
    drop(leads.resign().await);
    let next = waits.await.unwrap();
    let seen = tokio::time::timeout(PROMPT, leaders.next()).await.unwrap().unwrap();
    assert_eq!((seen.term, seen.label.as_str()), (next.term(), "other"));
    drop(next.resign().await);
    eventually(PROMPT, "all locks are gone", async || servers.iter().all(|server| locks(server).is_empty())).await;
}

#[tokio::test]
async fn on_servers_another_programs_value_is_no_owner_and_locks_all_the_same() {
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    let key = locks(&servers[0]).pop().unwrap();
    servers.iter().for_each(|server| drop(server.command(&["SET", &key, "somebody-else"])));
    assert!(matches!(redlock.owner("r").await, Err(OwnerError::Foreign(_))));
    assert_eq!(redlock.is_locked("r").await, Ok(true));
    drop(guard);
}
