//! Two holders, or a loss without a signal: how other lock systems hurt their users, numbered as they were collected,
//! and shown not to happen here. S1, S3, S10 and S19 are about late replies and are in `late_replies.rs`. Tests that
//! involve the server are in `peers_redis.rs` (S4, S6, S12, S13, S20, S21) and `loss_redis.rs` (S17).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use redfence::admin::Agreement;
use redfence::protocol::Verb;
use redfence::verifier::{MemoryStore, Rule, Verdict, Verifier};
use redfence::{AcquireError, ConfigError, ConnectError, ExtendError, LeaseHandle, LossCause, Lost};
use redfence::{Redlock, ReleaseOutcome, SystemClock, TokioClock, WithLockError};
use support::fault_node::{holder, is_extend, is_grant, is_release};
use support::stage::WALL_AT_START;
use support::{Delivery, Events, Hands, Stage};

const TTL: Duration = Duration::from_secs(10);
/// The validity: the TTL minus the drift allowance.
const VALIDITY: Duration = Duration::from_millis(9_898);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn s2_hung_nodes_do_not_delay_the_loss_signal() {
    let stage = Stage::of(3);
    let began = stage.now();
    let running = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&running);
    let nodes = stage.nodes.clone();
    let locker = stage.locker();
    let body = |_| async move {
        nodes.iter().for_each(|node| node.delivery(Delivery::RequestHeld));
        mark.store(true, SeqCst);
        let _on_drop = OnDrop(mark);
        std::future::pending::<()>().await;
    };
    let outcome = locker.with_lock("r", body).await;
    assert!(matches!(&outcome, Err(WithLockError::Lost(lost)) if lost.cause == LossCause::Expired), "{outcome:?}");
    assert!(!running.load(SeqCst), "the body was dropped");
    // The call waits once for the release, which no node answers.
    assert_eq!(stage.now().since(began), VALIDITY + ms(250));
    assert!(stage.nodes[0].count_sent(is_extend) > 1, "and renewal was tried again and again");
}

/// Records that a body has ended, in whatever way.
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

#[test]
fn s2_the_loss_signal_needs_no_other_task() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = Stage::on(3, Arc::new(SystemClock));
    let locker = stage.builder().ttl(ms(100)).build().unwrap();
    // The runtime that renews and watches ends with the acquire.
    let guard = runtime().block_on(locker.acquire("r")).unwrap();
    let cause = runtime().block_on(async { tokio::time::timeout(TTL, guard.lost()).await });
    assert_eq!(cause, Ok(LossCause::Expired));
    assert!(stage.now() >= guard.lease().valid_until);
}

#[tokio::test]
async fn s5_one_server_named_twice_is_not_two_nodes() {
    let urls = ["redis://127.0.0.1:1", "redis://127.0.0.1:2", "redis://user:secret@127.0.0.1:1/3"];
    let error = Redlock::connect(urls).await.unwrap_err();
    assert!(matches!(error, ConnectError::Config(ConfigError::SameServer { first: 1, second: 3, .. })), "{error}");
    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn s7_check_fails_after_the_validity_though_no_task_ran() {
    let hands = Hands::over(SystemClock);
    let stage = Stage::on(3, hands.clone());
    let guard = stage.locker().acquire("r").await.unwrap();
    assert!(guard.check().is_ok() && guard.valid_for().is_some());

    // From here on nothing is awaited, as if the process were stopped and continued.
    hands.advance(TTL);
    assert_eq!(guard.check().unwrap_err().cause, LossCause::Expired);
    assert_eq!(guard.valid_for(), None);
    assert!(matches!(guard.extend().await, Err(ExtendError::Lost(Lost { cause: LossCause::Expired, .. }))));
    assert_eq!(guard.lost().await, LossCause::Expired);
}

#[tokio::test]
async fn s7_a_release_after_the_validity_is_an_overrun_though_the_nodes_still_had_the_lock() {
    let events = Events::captured();
    let (hands, stage) = (Hands::over(SystemClock), Stage::on(3, Arc::new(SystemClock)));
    let guard = stage.builder().clock(hands.clone()).build().unwrap().acquire("r").await.unwrap();
    hands.advance(TTL);
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    assert_eq!(events.lines_with("overrun").len(), 1, "{}", events.text());
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_refused_is_reported_with_the_vote_of_every_node() {
    let (events, stage) = (Events::captured(), Stage::of(3));
    let locker = stage.locker();
    let lease = locker.acquire("r").await.unwrap().into_lease();
    stage.nodes[..2].iter().for_each(|node| node.drop_lock("r"));
    let refused = locker.extend_as(lease.resource, &lease.holder).await;
    assert!(matches!(refused, Err(ExtendError::Lost(Lost { cause: LossCause::Taken, .. }))), "{refused:?}");
    for story in ["not extended", "a majority no longer has the lock"] {
        let [line] = &events.lines_with(story)[..] else { panic!("{}", events.text()) };
        assert!(line.contains("n1: refused: the lock was gone, n2: refused: the lock was gone, n3: "), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn s8_no_extension_follows_a_release() {
    let stage = Stage::of(3);
    // Renewals are on their way when the release is sent, and held back on one node.
    stage.nodes[2].delivery_of(is_extend, Delivery::RequestHeld);
    let guard = stage.locker().acquire("r").await.unwrap();
    tokio::time::sleep(TTL).await;
    let handle = guard.handle();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    assert!(matches!(handle.extend().await, Err(ExtendError::Lost(Lost { cause: LossCause::Released, .. }))));
    tokio::time::sleep(TTL).await;
    for node in &stage.nodes {
        let sent = node.sent();
        let first_release = sent.iter().position(|request| is_release(&request.verb)).unwrap();
        assert!(sent[first_release..].iter().all(|request| !is_extend(&request.verb)), "{sent:?}");
    }
    // And one that arrives after the release all the same brings nothing back.
    assert!(stage.nodes[2].deliver_held() > 0);
    assert_eq!(stage.picture("r"), "...");
}

#[tokio::test(start_paused = true)]
async fn s9_one_hung_node_holds_up_neither_acquire_nor_extend_nor_release() {
    let stage = Stage::of(5);
    stage.nodes[0].delivery(Delivery::RequestHeld);
    let began = stage.now();
    let guard = stage.locker().acquire("r").await.unwrap();
    guard.extend().await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    assert_eq!(stage.now(), began, "time is paused, so any wait for the hung node would show");
}

#[tokio::test(start_paused = true)]
async fn s11_s26_a_stale_guard_keeps_its_own_token_and_the_next_lease_has_a_greater_one() {
    let stage = Stage::of(3);
    let locker = stage.builder().renewed(false).build().unwrap();
    let stale = locker.acquire("r").await.unwrap();
    let token = stale.token();
    stale.lost().await;
    tokio::time::sleep(TTL - VALIDITY + ms(1)).await;

    // The same locker, in the same task: nothing is remembered from before.
    let fresh = locker.acquire("r").await.unwrap();
    assert!(fresh.token() > token && fresh.holder() != stale.holder());
    assert_eq!((stale.token(), stale.lease().token), (token, token));
    assert!(stale.check().is_err() && fresh.check().is_ok());

    let ReleaseOutcome::TakenByOther { occupant } = stale.release().await else { panic!("not taken") };
    assert_eq!(occupant.holder(), Some(fresh.holder()));
    assert_eq!(stage.picture("r"), "xxx", "and its release leaves the other's lock alone");
}

#[tokio::test(start_paused = true)]
async fn s14_extending_never_changes_the_token_and_no_holder_enters_twice() {
    let stage = Stage::of(3);
    let locker = stage.locker();
    let guard = locker.acquire("r").await.unwrap();
    let token = guard.token();
    for _ in 0..10 {
        guard.extend().await.unwrap();
        tokio::time::sleep(TTL).await;
        assert_eq!((guard.token(), guard.check()), (token, Ok(())));
    }
    assert!(matches!(locker.try_acquire("r").await, Err(AcquireError::Contended { .. })));
    assert_eq!(guard.token(), token);
    drop(guard.release().await);
}

#[tokio::test(start_paused = true)]
async fn s15_fewer_grants_than_a_majority_of_the_configured_nodes_are_never_a_lease() {
    for nodes in 1..=7 {
        for reachable in 0..=nodes {
            let stage = Stage::of(nodes);
            stage.nodes[reachable..].iter().for_each(|node| node.delivery(Delivery::Unreachable));
            let outcome = stage.locker().try_acquire("r").await;
            assert_eq!(outcome.is_ok(), reachable > nodes / 2, "{reachable} of {nodes}: {outcome:?}");
            let Err(error) = outcome else { continue };
            assert!(matches!(error, AcquireError::NoQuorum { .. }), "{error}");
            assert!(stage.picture("r").chars().all(|lock| lock == '.'), "{reachable} of {nodes}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s16_an_extension_does_not_lengthen_the_lease_of_another() {
    let stage = Stage::of(3);
    let guard = stage.builder().renewed(false).build().unwrap().acquire("r").await.unwrap();
    let other = holder("other", 1);
    stage.nodes[0].drop_lock("r");
    stage.nodes[0].occupy("r", &other, TTL);
    tokio::time::sleep(ms(4_000)).await;

    guard.extend().await.unwrap();
    assert_eq!(stage.nodes[0].view("r").ttl_left, Some(ms(6_000)), "the other's lock ends when it was to end");
    assert_eq!(stage.nodes[1].view("r").ttl_left, Some(TTL));
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { nodes } if nodes.len() == 2));
    assert_eq!(stage.picture("r"), "x..");
}

#[tokio::test(start_paused = true)]
async fn s18_validity_counts_from_before_the_first_request_and_ends_to_the_millisecond() {
    let stage = Stage::of(3);
    stage.nodes.iter().for_each(|node| node.delivery_of(is_grant, Delivery::Delayed { there: ms(120), back: ms(120) }));
    let began = stage.now();
    let guard = stage.builder().renewed(false).build().unwrap().acquire("r").await.unwrap();
    assert_eq!(stage.now().since(began), ms(240));
    assert_eq!(guard.lease().valid_until, began.after(VALIDITY));
    let check = {
        let handle = guard.handle();
        let last_moment = VALIDITY - ms(240) - ms(1);
        async move {
            tokio::time::sleep(last_moment).await;
            handle.check()
        }
    };
    assert_eq!(check.await, Ok(()));
    assert_eq!((guard.lost().await, stage.now()), (LossCause::Expired, began.after(VALIDITY)));
    assert_eq!(stage.picture("r"), "xxx", "the nodes follow");
}

#[test]
fn s21_a_time_to_live_of_zero_is_refused() {
    for ttl in [Duration::ZERO, Duration::from_micros(999), ms(1)] {
        let error = Stage::on(1, Arc::new(SystemClock)).builder().ttl(ttl).build().unwrap_err();
        assert!(matches!(error, ConfigError::TtlTooShort { .. }), "{ttl:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn s22_s23_renewal_survives_failures_and_says_so() {
    let events = Events::captured();
    let stage = Stage::of(3);
    let guard = stage.locker().acquire("r").await.unwrap();
    stage.nodes[1..].iter().for_each(|node| node.delivery_of(is_extend, Delivery::RequestLost));
    tokio::time::sleep(VALIDITY - ms(500)).await;
    assert!(stage.nodes[1].count_sent(is_extend) > 3, "it is tried again and again");
    assert!(events.lines_with("renewal failed").len() > 3, "{}", events.text());

    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
    tokio::time::sleep(TTL * 3).await;
    assert_eq!(guard.check(), Ok(()), "a blip is survived");

    stage.nodes[1..].iter().for_each(|node| node.delivery_of(is_extend, Delivery::RequestLost));
    let ends_at = guard.lease().valid_until;
    assert_eq!((guard.lost().await, stage.now()), (LossCause::Expired, ends_at), "and an outage is signalled");
    assert_eq!(events.lines_with("lease lost").len(), 1, "{}", events.text());
}

#[tokio::test(start_paused = true)]
async fn s22_renewal_goes_on_wherever_the_process_was_paused() {
    const READS: u64 = 80;
    let mut jumps = 0;
    for read in 1..READS {
        let hands = Hands::over(TokioClock::starting_at(WALL_AT_START));
        let stage = Stage::on(3, hands.clone());
        // The first two tries fail, so that the reads of the clock after a failure are covered too.
        let failures = AtomicU64::new(2);
        stage.nodes[0].delivery_of(is_extend, Delivery::RequestLost);
        stage.nodes[1].rule(move |request| match request.verb {
            Verb::Extend { .. } if failures.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() => {
                Delivery::RequestLost
            }
            _ => Delivery::Through,
        });
        hands.jump_at_read(read, ms(4_000));
        let guard = stage.locker().acquire("r").await.unwrap();
        tokio::time::sleep(TTL * 2).await;
        assert_eq!(guard.check(), Ok(()), "stood still for 4 s before read {read} of the clock");
        jumps += u64::from(hands.has_jumped());
        drop(guard.release().await);
    }
    assert!(jumps > 20, "only {jumps} reads were reached");
}

#[tokio::test]
async fn s24_a_verifier_takes_newer_holders_and_refuses_stale_ones() {
    let stage = Stage::on(3, Arc::new(SystemClock));
    let locker = stage.locker();
    let verifier = Verifier::new(MemoryStore::new());
    let first = locker.acquire("r").await.unwrap();
    let (resource, old) = (first.resource().clone(), first.token());
    assert_eq!(verifier.admit(&resource, old).await, Ok(Verdict::Admitted));
    assert_eq!(verifier.admit(&resource, old).await, Ok(Verdict::Admitted), "a holder writes more than once");
    drop(first.release().await);

    let second = locker.acquire("r").await.unwrap();
    assert_eq!(verifier.admit(&resource, second.token()).await, Ok(Verdict::Admitted), "a newer token is admitted");
    let stale = Verdict::Stale { highest: second.token() };
    assert_eq!(verifier.admit(&resource, old).await, Ok(stale), "an older one is refused, although it came first");
    let store = verifier.store();
    assert!(store.write(&resource, old, Rule::AcceptEqual, || panic!("an old write ran")).is_err());
    drop(second.release().await);
}

#[tokio::test(start_paused = true)]
async fn s25_a_body_whose_lease_is_lost_does_not_run_on() {
    let stage = Stage::of(3);
    let nodes = stage.nodes.clone();
    let steps = Arc::new(AtomicBool::new(false));
    let too_far = Arc::clone(&steps);
    let locker = stage.locker();
    let body = |lease: LeaseHandle| async move {
        nodes.iter().for_each(|node| node.drop_lock("r"));
        assert_eq!(lease.lost().await, LossCause::Taken);
        tokio::task::yield_now().await;
        too_far.store(true, SeqCst);
    };
    let outcome = locker.with_lock("r", body).await;
    assert!(matches!(&outcome, Err(WithLockError::Lost(lost)) if lost.cause == LossCause::Taken), "{outcome:?}");
    assert!(!steps.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn s27_a_loser_changes_nothing_about_the_lock_it_did_not_get() {
    let stage = Stage::of(3);
    let hands = Hands::over(TokioClock::starting_at(WALL_AT_START));
    let guard = stage.builder().renewed(false).build().unwrap().acquire("r").await.unwrap();
    tokio::time::sleep(ms(2_500)).await;

    // A contender whose wall clock says that the lock has long expired.
    hands.set_wall_ahead_ms(24 * 3_600_000);
    let rival = stage.builder().clock(hands).label("rival").build().unwrap();
    assert!(matches!(rival.try_acquire("r").await, Err(AcquireError::Contended { .. })));
    let agreement = rival.admin().inspect("r").await.unwrap().agreement();
    assert_eq!(agreement, Agreement::HeldBy(guard.holder().clone().into()));
    for node in &stage.nodes {
        assert_eq!(node.view("r").ttl_left, Some(ms(7_500)));
        assert_eq!(node.count_sent(|verb| matches!(verb, Verb::Seal { .. })), 0);
    }
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
}
