//! Requests and replies that come late, very late, or never: every grant is released, and late answers do not count.
//!
//! Time is paused, so every wait is exact and none is real.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::protocol::{FaultKind, Reply, Verb, Vote};
use redfence::{AcquireError, ExtendError, Guard, LossCause, Redlock, ReleaseOutcome, TokioClock};
use support::fault_node::{holder, is_extend, is_grant, is_release};
use support::polls::polled;
use support::stage::WALL_AT_START;
use support::{Delivery, Hands, Stage};

const TTL: Duration = Duration::from_secs(10);
/// Long after every retry of a release, and long before the end of a lock.
const SOON: Duration = Duration::from_secs(3);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn a_late_grant_is_rolled_back() {
    let stage = Stage::of(3);
    stage.nodes[2].delivery(Delivery::RequestHeld);
    let guard = stage.locker().acquire("r").await.unwrap();
    let outcome = guard.release().await;
    assert!(matches!(outcome, ReleaseOutcome::Released { nodes } if nodes.len() == 2));

    assert_eq!(stage.nodes[2].deliver_held(), 2, "the grant and its release");
    let replies: Vec<_> = stage.nodes[2].applied().into_iter().map(|(_, reply)| reply).collect();
    assert!(matches!(replies[..], [Reply::Granted { .. }, Reply::Released]), "{replies:?}");
    assert_eq!(stage.picture("r"), "...");
}

#[tokio::test(start_paused = true)]
async fn a_late_grant_that_overtook_its_release_is_released_again() {
    let stage = Stage::of(3);
    let late = &stage.nodes[2];
    late.rule(|request| if is_grant(&request.verb) { Delivery::RequestHeld } else { Delivery::Through });
    let guard = stage.locker().acquire("r").await.unwrap();
    let _ = guard.release().await;

    late.deliver_held();
    assert_eq!(stage.picture("r"), "..x", "the grant came after the release");
    stage.until(SOON, "the late grant is undone", || stage.picture("r") == "...").await;
}

#[tokio::test(start_paused = true)]
async fn a_grant_without_an_answer_is_released_until_its_time_to_live_has_passed_and_no_longer() {
    let stage = Stage::of(3);
    stage.nodes[2].delivery(Delivery::RequestLost);
    let _ = stage.locker().acquire("r").await.unwrap().release().await;

    tokio::time::sleep(TTL / 2).await;
    let half_time = stage.nodes[2].count_sent(is_release);
    assert!((3..50).contains(&half_time), "{half_time} releases in {:?}", TTL / 2);
    tokio::time::sleep(TTL).await;
    let at_the_end = stage.nodes[2].count_sent(is_release);
    tokio::time::sleep(TTL).await;
    assert_eq!(stage.nodes[2].count_sent(is_release), at_the_end);
}

#[tokio::test(start_paused = true)]
async fn grants_whose_replies_are_lost_are_no_quorum_and_are_given_back() {
    let stage = Stage::of(3);
    for node in &stage.nodes[..2] {
        node.delivery_of(is_grant, Delivery::ReplyLost);
    }
    let error = stage.locker().try_acquire("r").await.unwrap_err();
    let AcquireError::NoQuorum { votes, .. } = &error else { panic!("{error}") };
    let lost = |vote: &Vote| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::ConnectionLost);
    assert_eq!(votes.iter().filter(|(_, vote)| lost(vote)).count(), 2, "{votes:?}");
    assert_eq!(stage.picture("r"), "...", "a release follows every grant that may have been");
}

#[tokio::test(start_paused = true)]
async fn s1_l8_a_quorum_that_comes_too_late_is_an_error_that_releases_and_says_by_how_much() {
    let stage = Stage::of(3);
    for node in &stage.nodes {
        node.delivery_of(is_grant, Delivery::Delayed { there: ms(100), back: ms(500) });
    }
    let redlock = stage.builder().ttl(ms(1_000)).node_timeout(ms(900)).build().unwrap();
    let error = redlock.try_acquire("r").await.unwrap_err();
    let AcquireError::TooSlow { took, ttl, left, min_validity, .. } = &error else { panic!("{error}") };
    assert_eq!((*took, *ttl, *left, *min_validity), (ms(600), ms(1_000), ms(388), ms(494)));
    assert_eq!(
        error.to_string(),
        "quorum reached but too late: took 600.0ms of 1s, 388.0ms of validity were left and 494.0ms are required"
    );
    assert_eq!(stage.picture("r"), "...", "and every grant has been released");
}

#[tokio::test(start_paused = true)]
async fn s3_an_extension_that_hangs_does_not_put_off_the_loss() {
    let stage = Stage::of(3);
    let guard = stage.builder().renewed(false).build().unwrap().acquire("r").await.unwrap();
    let ends_at = guard.lease().valid_until;
    stage.nodes.iter().for_each(|node| node.delivery_of(is_extend, Delivery::ReplyHeld));

    tokio::time::sleep(TTL / 2).await;
    assert!(matches!(guard.extend().await, Err(ExtendError::NoQuorum { .. })));
    assert_eq!(guard.lost().await, LossCause::Expired);
    assert_eq!(stage.now(), ends_at, "not later, though the nodes let the lock live on");
    stage.nodes.iter().for_each(|node| assert!(node.answer_held() > 0));
    assert!(guard.check().is_err() && guard.extend().await.is_err(), "and nothing brings it back");
}

#[tokio::test(start_paused = true)]
async fn s10_an_extension_that_is_answered_after_the_end_extends_nothing() {
    let stage = Stage::of(3);
    let redlock = stage.builder().ttl(ms(1_000)).node_timeout(ms(900)).renewed(false).build().unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    let ends_at = guard.lease().valid_until;
    for node in &stage.nodes {
        node.delivery_of(is_extend, Delivery::Delayed { there: ms(1), back: ms(800) });
    }
    tokio::time::sleep(ms(500)).await;
    let outcome = guard.extend().await;
    assert!(outcome.is_err() && stage.now() <= ends_at, "a try ends with the lease: {outcome:?}");
    assert_eq!((guard.lost().await, stage.now()), (LossCause::Expired, ends_at));
}

#[tokio::test(start_paused = true)]
async fn s10_an_extension_in_which_the_process_stood_still_past_the_end_brings_nothing_back() {
    let hands = Hands::over(TokioClock::starting_at(WALL_AT_START));
    let stage = Stage::on(3, hands.clone());
    let guard = stage.builder().renewed(false).build().unwrap().acquire("r").await.unwrap();
    let ends_at = guard.lease().valid_until;
    tokio::time::sleep(TTL - ms(1_000)).await;
    stage.nodes[0].rule(move |request| {
        if is_extend(&request.verb) {
            hands.advance(ms(2_000));
        }
        Delivery::Through
    });
    let outcome = guard.extend().await;
    assert!(matches!(&outcome, Err(ExtendError::Lost(lost)) if lost.cause == LossCause::Expired), "{outcome:?}");
    assert!(guard.check().is_err() && guard.lease().valid_until == ends_at, "the loss may have been signalled already");
}

#[tokio::test(start_paused = true)]
async fn s19_a_late_grant_is_no_vote_for_an_extension() {
    let stage = Stage::of(3);
    let [_, hung, late] = &stage.nodes[..] else { panic!("three nodes") };
    late.delivery(Delivery::ReplyHeld);
    let guard = stage.builder().renewed(false).build().unwrap().acquire("r").await.unwrap();
    hung.delivery(Delivery::RequestHeld);
    late.delivery(Delivery::RequestHeld);

    let handle = guard.handle();
    let extension = tokio::spawn(async move { handle.extend().await });
    tokio::task::yield_now().await;
    assert_eq!(late.answer_held(), 1, "the reply to the grant arrives while the extension waits");
    let outcome = extension.await.unwrap();
    assert!(matches!(outcome, Err(ExtendError::NoQuorum { .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn s19_a_grant_that_lands_after_another_lease_is_no_vote_for_an_extension() {
    let stage = Stage::of(3);
    let guard = stage.lease_that_one_of_two_nodes_granted_anew("r").await;
    let outcome = guard.extend().await;
    assert!(matches!(&outcome, Err(ExtendError::Lost(lost)) if lost.cause == LossCause::Taken), "{outcome:?}");
    assert_eq!(stage.picture("r"), "x.x");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_granted_after_the_quorum_still_votes_in_extensions() {
    for late in [
        Delivery::Through,
        Delivery::ReplyHeld,
        Delivery::RequestHeld,
        Delivery::Delayed { there: ms(40), back: ms(40) },
    ] {
        let stage = Stage::of(3);
        let locker = stage.builder().renewed(false).build().unwrap();
        // The first lease of a slot starts its counters, each at a different time; the next lease finds them level.
        drop(locker.acquire("r").await.unwrap().release().await);
        stage.nodes[2].delivery_of(is_grant, late);
        let guard = locker.acquire("r").await.unwrap();
        stage.nodes[2].deliver_held();
        stage.nodes[2].answer_held();
        tokio::time::sleep(ms(100)).await;
        stage.nodes[0].delivery(Delivery::Unreachable);
        let outcome = guard.extend().await;
        assert!(outcome.is_ok(), "{late:?}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_release_says_which_nodes_are_silent_and_is_repeated_until_they_answer() {
    let stage = Stage::of(5);
    let guard = stage.locker().acquire("r").await.unwrap();
    stage.nodes[0].delivery(Delivery::RequestHeld);
    stage.nodes[1..3].iter().for_each(|node| node.delivery(Delivery::RequestLost));
    let ReleaseOutcome::Unknown { nodes, faults } = guard.release().await else { panic!("not unknown") };
    assert_eq!(nodes.to_string(), "nodes 4 and 5");
    let mut kinds: Vec<_> = faults.iter().map(|(node, fault)| (node.index(), fault.kind)).collect();
    kinds.sort_unstable();
    let lost = FaultKind::ConnectionLost;
    assert_eq!(kinds, [(0, FaultKind::TimedOut), (1, lost), (2, lost)]);

    stage.nodes[0].lose_held();
    stage.nodes.iter().for_each(|node| node.delivery(Delivery::Through));
    stage.until(SOON, "the releases come through", || stage.picture("r") == ".....").await;
}

#[tokio::test(start_paused = true)]
async fn l4_acquire_dropped_after_any_number_of_polls_leaves_no_lock() {
    type Setting = (&'static str, fn(&Stage));
    let settings: [Setting; 5] = [
        ("a level set", |stage| everywhere(stage, slow())),
        ("counters that need a seal", |stage| {
            everywhere(stage, slow());
            stage.nodes[1].set_counter("r", u64::pow(10, 15) * 3);
        }),
        ("one node holds everything back", |stage| {
            everywhere(stage, slow());
            stage.nodes[1].delivery(Delivery::RequestHeld);
        }),
        ("replies are lost", |stage| {
            everywhere(stage, slow());
            stage.nodes[1].delivery_of(is_grant, Delivery::ReplyLost);
        }),
        ("releases are lost at first", |stage| {
            everywhere(stage, slow());
            stage.nodes[1].delivery_of(is_release, Delivery::RequestLost);
        }),
    ];
    for (name, set) in settings {
        let mut polls = 0;
        loop {
            let stage = Stage::of(3);
            set(&stage);
            let locker = stage.locker();
            let guard = polled(locker.acquire("r"), polls).await;
            let is_over = guard.is_some();
            drop(guard);
            settles(&stage, &format!("{name}, dropped after {polls} polls")).await;
            polls += 1;
            if is_over {
                break;
            }
        }
        assert!(polls >= 2, "{name}: the attempt never waited");
    }
}

#[tokio::test(start_paused = true)]
async fn l4_acquire_dropped_while_it_waits_for_another_leaves_no_lock_of_its_own() {
    for polls in 0..40 {
        let stage = Stage::of(3);
        everywhere(&stage, slow());
        let other = holder("other", 1);
        stage.nodes[..2].iter().for_each(|node| node.occupy("r", &other, TTL));
        let locker = stage.locker();
        // A waiting future may not be polled often enough: it is dropped after `polls` polls, or after a while.
        let gave_up = tokio::time::timeout(TTL / 2, polled(locker.acquire("r"), polls)).await;
        assert!(gave_up.ok().flatten().is_none(), "acquired over {other:?}");
        tokio::time::sleep(ms(100)).await;
        assert_eq!(stage.picture("r"), "xx.", "dropped after {polls} polls");
        assert!(stage.nodes[..2].iter().all(|node| node.view("r").lock.held_by() == Some(&other.clone().into())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_extension_and_a_dropped_release_do_what_was_sent() {
    let stage = Stage::of(3);
    everywhere(&stage, slow());
    let locker: Redlock = stage.builder().renewed(false).build().unwrap();
    for polls in 0..4 {
        let guard: Guard = locker.acquire("r").await.unwrap();
        let ends_at = guard.lease().valid_until;
        let extended = polled(guard.extend(), polls).await.is_some();
        assert_eq!(guard.lease().valid_until > ends_at, extended, "only an answer is believed");
        drop(polled(guard.release(), polls).await);
        settles(&stage, &format!("release dropped after {polls} polls")).await;
    }
}

/// A network where every step takes its time.
fn slow() -> Delivery {
    Delivery::Delayed { there: ms(3), back: ms(4) }
}

fn everywhere(stage: &Stage, delivery: Delivery) {
    stage.nodes.iter().for_each(|node| node.delivery(delivery));
}

/// Held requests arrive, lost ones are repeated, and soon no lock is left.
async fn settles(stage: &Stage, story: &str) {
    tokio::time::sleep(ms(50)).await;
    for node in &stage.nodes {
        node.delivery(slow());
        node.deliver_held();
        node.answer_held();
    }
    stage.until(SOON, story, || stage.picture("r") == "...").await;
    // Nothing that arrives later brings a lock back.
    tokio::time::sleep(ms(50)).await;
    assert_eq!(stage.picture("r"), "...", "{story}");
    let inspect = |verb: &Verb| *verb == Verb::Inspect;
    assert_eq!(stage.nodes[0].count_sent(inspect), 0, "only the test inspects");
}
