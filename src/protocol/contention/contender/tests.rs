//! Tables of what a contender does next.

use super::super::super::{Fault, LockState, LockView};
use super::*;
use crate::LockerId;

const MS: fn(u64) -> Duration = Duration::from_millis;
const AT: fn(u64) -> Moment = |ms| Moment::from_origin(MS(ms));
/// The chance that gives the whole of a share, and the one that gives half of it.
const MOST: u32 = u32::MAX;
const HOLDER: &str = "0123456789abcdef0123456789abcdef other";

fn contender(nodes: usize) -> Contender {
    Contender::new(Quorum::of(nodes).unwrap(), Waiter::new(LockerId::from_random(7), 1, MS(0)), true, AT(0))
}

fn node(position: usize) -> NodeId {
    NodeId::new(position).unwrap()
}

/// One letter for each node: held for 1 s, the same and not in the queue, held by another program, reserved for another
/// waiter for 20 ms, granted, silent, unreachable, no reply yet. The waiter has place `place` in all queues.
fn votes(letters: &str, place: u32) -> Votes {
    let refused = |occupant: &str, left_ms, place| {
        Vote::Refused(LockView {
            lock: LockState::of_value(occupant.as_bytes()),
            ttl_left: Some(MS(left_ms)),
            place,
            ..LockView::default()
        })
    };
    let vote = |letter| match letter {
        'h' => refused(HOLDER, 1_000, Some(place)),
        'd' => refused(HOLDER, 1_000, None),
        'x' => refused("another program", 1_000, Some(place)),
        'r' => refused("next:0:1:20 other", 20, Some(place)),
        'g' => Vote::Granted,
        's' => Vote::Silent,
        'u' => Vote::Failed(Fault::new(FaultKind::Unreachable, "")),
        _ => Vote::Pending,
    };
    Votes::new(letters.chars().map(vote).collect())
}

fn defeat(letters: &str, place: u32) -> Defeat {
    let votes = votes(letters, place);
    let quorum = Quorum::of(letters.len()).unwrap();
    if votes.is_contention(quorum) { Defeat::Contended(votes) } else { Defeat::NoQuorum(votes) }
}

#[test]
fn it_sleeps_until_a_quorum_of_the_locks_that_it_met_would_have_ended() {
    for (letters, place, expected_ms, story) in [
        ("hhhhh", 0, 1_002, "held everywhere"),
        ("hhh--", 0, 1_002, "two nodes have not replied"),
        ("hhhhh", 40, 1_042, "those before it ask first"),
        ("rrrrr", 0, 22, "the first one looks whether the reservation has ended"),
        ("rrrrr", 3, 125, "the others leave that to it"),
        ("ggrhh", 0, 22, "two nodes were free"),
        ("hhhuu", 0, 1_002, "two nodes are down"),
        ("ddddd", 0, 5, "in no queue: it asks after pauses"),
        ("hhddd", 0, 5, "in too few"),
        ("hhhdd", 0, 1_002, "the holder wakes waiters on a quorum, so on one of three"),
        ("hhd--", 0, 1_002, "two have not replied, and mostly refuse as well"),
        ("ghdgd", 0, 5, "the holder has left two nodes, and may wake waiters on those without this one"),
        ("ghhgh", 0, 1_002, "it has left two nodes, and wakes this waiter on one of the others"),
        ("xxxxx", 0, 5, "another program wakes no waiter: it asks after pauses"),
        ("xxxhh", 0, 5, "the same, on a quorum"),
        ("xxhhh", 0, 1_002, "a holder wakes it"),
        ("uuuhh", 0, 5, "no quorum is there"),
        ("sssgg", 0, 50, "no answer in time: they have much to do"),
    ] {
        let mut contender = contender(5);
        contender.ask(AT(0));
        contender.defeated(&defeat(letters, place), AT(0), MOST);
        assert_eq!(rounded(contender.asks_at()), expected_ms, "{story}");
    }
}

/// Chance is a fraction, so a whole may lack one nanosecond.
fn rounded(at: Moment) -> u64 {
    u64::try_from((at.since_origin() + Duration::from_nanos(1)).as_millis()).unwrap()
}

#[test]
fn wakes_of_a_quorum_count_at_once_and_fewer_a_moment_later() {
    for (nodes, woken, asks_at_ms, story) in [
        (5, &[0, 3, 4][..], 0, "a quorum"),
        (5, &[0, 3], 14, "fewer"),
        (5, &[0, 0, 0], 14, "one node, thrice"),
        (5, &[], 1_002, "none"),
        (1, &[0], 0, "the only node"),
    ] {
        let mut contender = contender(nodes);
        contender.ask(AT(0));
        contender.defeated(&defeat(&"h".repeat(nodes), 0), AT(0), MOST);
        woken.iter().for_each(|at| contender.woken(node(*at), MS(0), AT(10), MOST));
        assert_eq!(contender.asks_at(), AT(asks_at_ms), "{story}");
        assert_eq!(contender.ask(AT(20)).unwrap().overrides, !woken.is_empty(), "{story}");
    }
}

#[test]
fn wakes_that_come_while_an_attempt_is_on_its_way_count_for_the_next() {
    let mut contender = contender(3);
    contender.ask(AT(0));
    contender.woken(node(0), MS(0), AT(1), MOST);
    contender.woken(node(1), MS(0), AT(1), MOST);
    contender.defeated(&defeat("hhh", 5), AT(2), MOST);
    assert_eq!(contender.asks_at(), Moment::default());
    contender.ask(AT(2));
    contender.defeated(&defeat("hhh", 5), AT(3), MOST);
    assert!(contender.asks_at() > AT(1_000), "they count once");
}

#[test]
fn one_that_stands_by_asks_when_the_reservation_of_the_one_before_it_has_ended() {
    let mut contender = contender(3);
    contender.ask(AT(0));
    contender.defeated(&defeat("hhh", 1), AT(0), MOST);
    contender.woken(node(0), MS(20), AT(100), MOST);
    assert_eq!(contender.asks_at(), AT(121));
    assert!(contender.ask(AT(121)).unwrap().overrides);
}

#[test]
fn few_wakes_that_are_in_vain_again_and_again_wait_longer_each_time() {
    let mut contender = contender(5);
    let mut partial_wakes = Vec::new();
    contender.ask(AT(0));
    for _ in 0..10 {
        contender.defeated(&defeat("hhhhh", 0), AT(0), MOST);
        contender.woken(node(0), MS(0), AT(0), MOST);
        partial_wakes.push(rounded(contender.asks_at()));
        contender.ask(AT(0));
    }
    assert_eq!(partial_wakes, [4, 8, 16, 32, 64, 128, 256, 512, 1_000, 1_000]);
}

#[test]
fn time_outs_back_off_up_to_seconds_and_a_wake_ends_that() {
    let mut contender = contender(3);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        contender.ask(AT(0));
        contender.defeated(&defeat("sss", 0), AT(0), MOST);
        pauses.push(rounded(contender.asks_at()));
    }
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1_600, 3_200, 4_000, 4_000]);
    assert_eq!(contender.timeouts(), 9);
    contender.woken(node(0), MS(0), AT(1), MOST);
    contender.woken(node(1), MS(0), AT(1), MOST);
    assert_eq!(contender.asks_at(), Moment::default());
    contender.ask(AT(1));
    contender.defeated(&defeat("hhh", 0), AT(1), MOST);
    assert_eq!(contender.timeouts(), 0);
}

#[test]
fn one_whose_queues_are_gone_joins_them_again() {
    for (reconnected, without_wakes, asks_by_ms, story) in [
        (&[0][..], &[][..], 1_002, "the others would wake it"),
        (&[0, 1, 2], &[], 250, "too few would"),
        (&[0, 1], &[2], 250, "too few would: one passes nothing on"),
        (&[], &[2], 1_002, "one passes nothing on"),
    ] {
        let mut contender = contender(5);
        contender.ask(AT(0));
        contender.defeated(&defeat("hhhhh", 0), AT(0), MOST);
        without_wakes.iter().for_each(|at| contender.receives_wakes(node(*at), false, AT(0), MOST));
        reconnected.iter().for_each(|at| contender.reconnected(node(*at), AT(0), MOST));
        assert_eq!(contender.asks_at(), AT(asks_by_ms), "{story}");
    }
}

#[test]
fn a_grant_that_was_sent_while_no_wakes_arrived_has_joined_no_queue() {
    for (heard_again, story) in [(&[][..], "wakes do not arrive"), (&[3, 4], "they do, but the grants joined no queue")]
    {
        let mut contender = contender(5);
        contender.ask(AT(0));
        [3, 4].into_iter().for_each(|at| contender.receives_wakes(node(at), false, AT(0), MOST));
        heard_again.iter().for_each(|at| contender.receives_wakes(node(*at), true, AT(0), MOST));
        contender.defeated(&defeat("hhd--", 0), AT(0), MOST);
        assert_eq!(rounded(contender.asks_at()), 5, "{story}");
        contender.ask(AT(5));
        contender.defeated(&defeat("hhh--", 0), AT(5), MOST);
        assert_eq!(rounded(contender.asks_at()), 1_007, "three are enough");
    }
}

#[test]
fn the_time_waited_is_from_the_beginning() {
    let mut contender = contender(3);
    assert_eq!(contender.ask(AT(0)).unwrap().waited, MS(0));
    contender.defeated(&defeat("hhh", 0), AT(7), MOST);
    assert_eq!(contender.ask(AT(70)), Some(Waits { waited: MS(70), overrides: false }));
}

#[test]
fn where_no_holder_is_expected_it_asks_once_without_waiting() {
    let quorum = Quorum::of(3).unwrap();
    let mut contender = Contender::new(quorum, Waiter::new(LockerId::from_random(7), 1, MS(0)), false, AT(0));
    assert_eq!(contender.ask(AT(0)), None);
    contender.defeated(&defeat("ddd", 0), AT(3), MOST);
    assert_eq!(contender.asks_at(), AT(3), "there is a rival: it waits at once");
    assert_eq!(contender.ask(AT(3)), Some(Waits { waited: MS(3), overrides: false }));
}

#[test]
fn the_pauses_of_polling_grow() {
    let mut contender = contender(3);
    let mut now = AT(0);
    let pauses: Vec<_> = (0..8)
        .map(|_| {
            contender.ask(now);
            contender.defeated(&defeat("xxx", 0), now, MOST);
            let pause = contender.asks_at().since(now);
            now = contender.asks_at();
            rounded(AT(0).after(pause))
        })
        .collect();
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 250, 250]);
}

#[test]
fn other_programs_in_the_way_of_every_holder_are_polled() {
    for (letters, expected_ms, story) in [
        ("xxhh", 5, "neither side can have a quorum, and the other program wakes no waiter"),
        ("xhhh", 1_002, "a holder has a quorum, and wakes it"),
    ] {
        let mut contender = contender(4);
        contender.ask(AT(0));
        contender.defeated(&defeat(letters, 0), AT(0), MOST);
        assert_eq!(rounded(contender.asks_at()), expected_ms, "{story}");
    }
}

#[test]
fn with_an_anchor_every_holder_wakes_waiters_there() {
    for (letters, expected_ms, story) in [
        ("hgg", 1_002, "a holder has the anchor, and wakes it"),
        ("hdd", 1_002, "in the queue of the anchor alone: every quorum has it"),
        ("dhh", 1_002, "in the others: a quorum has one of them, too"),
        ("dhd", 5, "in one of them: a quorum may be without it"),
        ("xgg", 5, "another program has the anchor: it asks after pauses"),
        ("xhh", 5, "the same, and holders that cannot win may not wake it"),
        ("hxx", 5, "other programs are in the way of the holder of the anchor"),
        ("gxx", 5, "the others are a majority"),
    ] {
        let quorum = Quorum::of(3).unwrap().with_anchor(node(0)).unwrap();
        let mut contender = Contender::new(quorum, Waiter::new(LockerId::from_random(7), 1, MS(0)), true, AT(0));
        contender.ask(AT(0));
        contender.defeated(&Defeat::Contended(votes(letters, 0)), AT(0), MOST);
        assert_eq!(rounded(contender.asks_at()), expected_ms, "{story}");
    }
}

#[test]
fn one_that_loses_the_anchor_s_queue_joins_it_again() {
    let quorum = Quorum::of(3).unwrap().with_anchor(node(0)).unwrap();
    for (lost, asks_within_ms, story) in [
        (&[0][..], 1_002, "every quorum has one of the others"),
        (&[0, 1], 250, "a quorum may be without the one that is left"),
        (&[1, 2], 1_002, "every quorum has the anchor"),
    ] {
        let mut contender = Contender::new(quorum, Waiter::new(LockerId::from_random(7), 1, MS(0)), true, AT(0));
        contender.ask(AT(0));
        contender.defeated(&Defeat::Contended(votes("hhh", 0)), AT(0), MOST);
        lost.iter().for_each(|at| contender.reconnected(node(*at), AT(0), MOST));
        assert_eq!(rounded(contender.asks_at()), asks_within_ms, "{story}");
    }
}
