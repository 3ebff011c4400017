//! Hangs, leaks and traps: how other lock systems make their users wait or leave locks behind, numbered as they were
//! collected, and shown not to happen here. L1, L3 and L5 have unit tests beside the machines, too; L4 and L8 are about
//! late replies and are in `late_replies.rs`. Tests that need servers and connections are in `cancel_redis.rs` (L4,
//! L5), `connection_redis.rs` (L7, L15) and `peers_redis.rs` (L7b, L14).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use redfence::admin::Agreement;
use redfence::protocol::{Reply, Request, Verb};
use redfence::{AcquireError, LossCause, Redlock, ReleaseOutcome, WithLockError};
use support::fault_node::{holder, is_extend, is_grant, is_release};
use support::polls::polled;
use support::{Delivery, Events, Stage};

const TTL: Duration = Duration::from_secs(10);
const NODE_TIMEOUT: Duration = Duration::from_millis(250);
/// Long after every retry of a release, and long before the end of a lock.
const SOON: Duration = Duration::from_secs(3);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn l1_an_even_number_of_nodes_settles_a_split_at_once() {
    for nodes in [2, 4, 6] {
        let stage = Stage::of(nodes);
        let other = holder("other", 1);
        stage.nodes[..nodes / 2].iter().for_each(|node| node.occupy("r", &other, TTL));
        let began = stage.now();
        let error = stage.locker().try_acquire("r").await.unwrap_err();
        assert!(matches!(error, AcquireError::Contended { .. }), "{nodes} nodes: {error}");
        assert_eq!(stage.now(), began, "{nodes} nodes");
    }
}

#[tokio::test(start_paused = true)]
async fn l2_l6_a_lost_attempt_is_rolled_back_and_the_next_one_has_a_new_holder() {
    let stage = Stage::of(3);
    let other = holder("other", 1);
    stage.nodes[..2].iter().for_each(|node| node.occupy("r", &other, ms(900)));
    let guard = stage.locker().acquire("r").await.unwrap();

    // The third node was free all the time: every attempt got it, and released it before the next attempt.
    let applied = stage.nodes[2].applied();
    let of_locks = |verb: &Verb| matches!(verb, Verb::Grant { .. } | Verb::Seal { .. } | Verb::Release { .. });
    let replies: Vec<_> = applied.iter().filter(|(request, _)| of_locks(&request.verb)).collect();
    assert!(replies.len() >= 3, "there was a first attempt and a last: {replies:?}");
    for pair in replies.chunks(2) {
        assert!(matches!(pair[0].1, Reply::Granted { .. }), "its own earlier lock blocked it: {pair:?}");
        let given_back = pair.get(1).is_none_or(|(_, reply)| matches!(reply, Reply::Released | Reply::Sealed));
        assert!(given_back, "{pair:?}");
    }
    let mut holders: Vec<_> = grants(&stage.nodes[2].sent()).map(|grant| grant.subject.holder.id()).collect();
    let attempts = holders.len();
    holders.sort_unstable();
    holders.dedup();
    assert_eq!(holders.len(), attempts, "a holder is used for one attempt");
    assert_eq!(stage.picture("r"), "xxx");
    drop(guard.release().await);
}

#[tokio::test(start_paused = true)]
async fn l3_releasing_an_expired_lease_is_prompt_and_no_error() {
    let events = Events::captured();
    let stage = Stage::of(3);
    let locker = stage.builder().renewed(false).build().unwrap();
    let guard = locker.acquire("r").await.unwrap();
    tokio::time::sleep(TTL * 2).await;
    let began = stage.now();
    assert_eq!(guard.release().await, ReleaseOutcome::AlreadyExpired);
    assert_eq!(stage.now(), began);
    assert_eq!(events.lines_with("overrun").len(), 1, "{}", events.text());

    // If the body ends in time, a release that finds no lock is no error.
    let nodes = stage.nodes.clone();
    let body = |_| async move { nodes.iter().for_each(|node| node.drop_lock("r")) };
    locker.with_lock("r", body).await.unwrap();
    assert_eq!(events.lines_with("overrun").len(), 2, "{}", events.text());
}

#[tokio::test(start_paused = true)]
async fn l9_short_times_to_live_are_renewed_like_long_ones() {
    for ttl in [10, 20, 50, 100, 400, 506] {
        let stage = Stage::of(3);
        let locker = stage.builder().ttl(ms(ttl)).build().unwrap();
        let body = |lease: redfence::LeaseHandle| async move {
            tokio::time::sleep(ms(ttl * 5)).await;
            lease.check()
        };
        assert_eq!(locker.with_lock("r", body).await.unwrap(), Ok(()), "{ttl} ms");
        assert_eq!(stage.picture("r"), "...", "{ttl} ms");
        assert!(stage.nodes[0].count_sent(is_extend) >= 5, "{ttl} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn l9_a_body_that_panics_leaves_no_lock() {
    let stage = Stage::of(3);
    let locker = stage.locker();
    let panicking = tokio::spawn(async move { locker.with_lock("r", |_| async { panic!("as intended") }).await });
    let outcome: Result<Result<(), WithLockError>, _> = panicking.await;
    assert!(outcome.unwrap_err().is_panic());
    assert_eq!(stage.picture("r"), "...");
}

#[tokio::test(start_paused = true)]
async fn l9_the_body_runs_on_while_the_lease_is_extended() {
    let stage = Stage::of(3);
    stage
        .nodes
        .iter()
        .for_each(|node| node.delivery_of(is_extend, Delivery::Delayed { there: ms(100), back: ms(100) }));
    let steps = Arc::new(AtomicU64::new(0));
    let (counted, nodes) = (Arc::clone(&steps), stage.nodes.clone());
    let locker = stage.locker();
    let body = |_| async move {
        while nodes[0].count_sent(is_extend) == 0 {
            tokio::time::sleep(ms(1)).await;
        }
        while nodes[0].applied().iter().all(|(_, reply)| *reply != Reply::Extended) {
            counted.fetch_add(1, SeqCst);
            tokio::time::sleep(ms(1)).await;
        }
    };
    locker.with_lock("r", body).await.unwrap();
    assert!(steps.load(SeqCst) >= 90, "{steps:?} steps while an extension was on its way");
}

#[tokio::test(start_paused = true)]
async fn l10_acquiring_with_every_node_down_ends_within_its_wait_and_does_not_spin() {
    for delivery in [Delivery::Unreachable, Delivery::RequestLost, Delivery::RequestHeld] {
        let stage = Stage::of(3);
        stage.nodes.iter().for_each(|node| node.delivery(delivery));
        let began = stage.now();
        let wait_max = ms(2_000);
        let error = stage.locker().acquire_within("r", wait_max).await.unwrap_err();
        let AcquireError::NoQuorum { attempts, waited, .. } = &error else { panic!("{delivery:?}: {error}") };
        let took = stage.now().since(began);
        assert!(took >= wait_max && took <= wait_max + NODE_TIMEOUT && *waited == took, "{delivery:?}: {took:?}");
        assert!((3..100).contains(attempts), "{delivery:?}: {attempts} attempts in {took:?}");
        assert_eq!(stage.nodes[0].count_sent(is_grant), usize::try_from(*attempts).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn l11_an_inspection_is_the_view_of_a_quorum() {
    let stage = Stage::of(5);
    let locker = stage.locker();
    let agreement = async || locker.admin().inspect("r").await.unwrap().agreement();
    assert_eq!(agreement().await, Agreement::Free);

    let guard = locker.acquire("r").await.unwrap();
    let held = Agreement::HeldBy(guard.holder().clone().into());
    assert_eq!(agreement().await, held);
    stage.nodes[..2].iter().for_each(|node| node.delivery(Delivery::Unreachable));
    assert_eq!(agreement().await, held, "two silent nodes neither count as free nor block");
    stage.nodes[2].delivery(Delivery::RequestHeld);
    assert_eq!(agreement().await, Agreement::Indeterminate, "and three leave no quorum");
    let rows = locker.admin().inspect("r").await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.view.is_ok()).collect::<Vec<_>>(), [false, false, false, true, true]);

    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
    drop(guard);
    assert_eq!(agreement().await, Agreement::Free, "a guard that is dropped on a runtime releases");
    stage.nodes[..2].iter().for_each(|node| node.occupy("r", &holder("a minority", 1), TTL));
    assert_eq!(agreement().await, Agreement::Free);
}

#[tokio::test(start_paused = true)]
async fn l12_an_orphan_on_a_minority_does_not_block() {
    let stage = Stage::of(5);
    stage.nodes[..2].iter().for_each(|node| node.occupy("r", &holder("orphan", 1), Duration::from_secs(9_999)));
    let guard = stage.locker().try_acquire("r").await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { nodes } if nodes.len() == 3));
    assert_eq!(stage.picture("r"), "xx...");
}

#[tokio::test(start_paused = true)]
async fn l13_a_wait_is_bounded_however_many_races_are_lost() {
    let stage = Stage::of(3);
    // Every attempt loses the race: whenever the lock ends, another holder has it at once.
    let rivals = AtomicU64::new(1);
    for node in &stage.nodes {
        let (taken, rival) = (node.clone(), rivals.fetch_add(1, SeqCst));
        node.rule(move |request| {
            if is_grant(&request.verb) && taken.is_free("r") {
                taken.occupy("r", &holder("faster", rival.into()), ms(40));
            }
            Delivery::Through
        });
    }
    let began = stage.now();
    let error = stage.locker().acquire_within("r", ms(1_500)).await.unwrap_err();
    let took = stage.now().since(began);
    assert!(matches!(error, AcquireError::Contended { attempts, .. } if attempts > 10), "{error}");
    assert!(took >= ms(1_500) && took <= ms(1_500) + NODE_TIMEOUT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn l13_a_waiter_gets_in_soon_after_the_lock_of_a_crashed_holder_has_ended() {
    let stage = Stage::of(3);
    stage.nodes.iter().for_each(|node| node.occupy("r", &holder("crashed", 1), TTL));
    let guard = stage.locker().acquire("r").await.unwrap();
    let waited = stage.now().since(redfence::Moment::default());
    assert!(waited >= TTL && waited < TTL + ms(600), "{waited:?}");
    drop(guard.release().await);
}

#[tokio::test(start_paused = true)]
async fn l15_a_release_that_met_a_network_error_is_repeated_also_for_a_lease_that_was_renewed() {
    for held_for in [Duration::ZERO, TTL * 6] {
        let stage = Stage::of(3);
        let guard = stage.locker().acquire("r").await.unwrap();
        tokio::time::sleep(held_for).await;
        stage.nodes.iter().for_each(|node| node.delivery(Delivery::RequestLost));
        assert!(matches!(guard.release().await, ReleaseOutcome::Unknown { .. }));
        tokio::time::sleep(ms(500)).await;
        assert_eq!(stage.picture("r"), "xxx");

        stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
        let story = format!("released after {held_for:?}");
        stage.until(SOON, &story, || stage.picture("r") == "...").await;
    }
}

#[tokio::test(start_paused = true)]
async fn l15_a_release_in_the_name_of_a_holder_is_repeated_as_well() {
    let stage = Stage::of(3);
    let locker = stage.locker();
    let other = holder("another process", 1);
    stage.nodes.iter().for_each(|node| node.occupy("r", &other, TTL));
    stage.nodes[2].delivery(Delivery::RequestLost);
    let outcome = locker.release_as("r", &other).await.unwrap();
    assert!(matches!(outcome, ReleaseOutcome::Released { nodes } if nodes.len() == 2));
    stage.nodes[2].delivery(Delivery::Through);
    stage.until(SOON, "the third node lets go", || stage.picture("r") == "...").await;
}

#[tokio::test(start_paused = true)]
async fn l16_neither_a_hung_node_nor_a_dropped_acquire_nor_a_slow_grant_leaves_a_lock() {
    let stage = Stage::of(3);
    stage.nodes[2].delivery(Delivery::RequestHeld);
    let locker = stage.locker();
    let began = stage.now();
    drop(locker.acquire("r").await.unwrap());
    assert_eq!(stage.now(), began, "no call waits for the third node");
    stage.nodes[1].delivery(Delivery::RequestHeld);
    assert!(polled(locker.acquire("r"), 1).await.is_none(), "one grant of two that are needed");
    assert_eq!(stage.picture("r"), "...");

    stage.nodes.iter().for_each(|node| assert!(node.deliver_held() > 0 || node.is_free("r")));
    assert_eq!(stage.picture("r"), "...", "each grant that lands now has its release behind it");
}

#[tokio::test(start_paused = true)]
async fn l17_every_attempt_asks_for_the_same_time_to_live() {
    let stage = Stage::of(3);
    stage.nodes.iter().for_each(|node| node.occupy("r", &holder("other", 1), ms(2_500)));
    let locker: Redlock = stage.locker().with_ttl(ms(1_234)).unwrap();
    let guard = locker.acquire("r").await.unwrap();
    tokio::time::sleep(ms(5_000)).await;
    drop(guard.release().await);
    for node in &stage.nodes {
        let sent = node.sent();
        let asked: Vec<_> = sent.iter().filter_map(time_to_live).collect();
        assert!(asked.len() > 5 && asked.iter().all(|ttl| *ttl == ms(1_234)), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn l18_waiters_that_have_given_up_cost_the_next_one_nothing() {
    let stage = Stage::of(3);
    let locker = stage.locker();
    let guard = locker.acquire("r").await.unwrap();
    for polls in 0..5 {
        // A waiting future may not be polled often enough: it is dropped after some polls, or after a while.
        let gave_up = tokio::time::timeout(ms(100), polled(locker.acquire("r"), polls)).await;
        assert!(gave_up.ok().flatten().is_none());
        assert!(locker.acquire_within("r", ms(30)).await.is_err());
    }
    drop(guard.release().await);
    let began = stage.now();
    let next = locker.try_acquire("r").await.unwrap();
    assert_eq!(stage.now(), began);
    drop(next.release().await);
}

#[tokio::test(start_paused = true)]
async fn max_hold_ends_a_lease_that_renewal_would_keep_without_end() {
    let stage = Stage::of(3);
    let locker = stage.builder().max_hold(Some(TTL * 3)).build().unwrap();
    let began = stage.now();
    let guard = locker.acquire("r").await.unwrap();
    assert_eq!((guard.lost().await, stage.now().since(began)), (LossCause::MaxHold, TTL * 3));
    let extensions = stage.nodes[0].count_sent(is_extend);
    tokio::time::sleep(TTL * 2).await;
    assert_eq!(stage.nodes[0].count_sent(is_extend), extensions);
    assert!(stage.nodes[0].count_sent(is_release) == 0 && stage.picture("r") == "...", "it ended by itself");
    assert_eq!(guard.release().await, ReleaseOutcome::AlreadyExpired);
}

fn grants(sent: &[Request]) -> impl Iterator<Item = &Request> {
    sent.iter().filter(|request| is_grant(&request.verb))
}

fn time_to_live(request: &Request) -> Option<Duration> {
    match request.verb {
        Verb::Grant { ttl, .. } | Verb::Extend { ttl } => Some(ttl),
        _ => None,
    }
}
