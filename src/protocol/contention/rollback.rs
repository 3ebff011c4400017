//! Which waiter is next on the nodes that granted to a lost attempt.

use std::time::Duration;

use super::super::{Defeat, Next, Publish, Quorum, Vote};
use crate::Occupant;

/// Decides which waiter is next on the nodes that granted to the attempt that was `lost`. `waited` is how long its
/// contender has waited, or `None` if it gives up.
///
/// If a rival has more nodes, and no attempt can win before that rival releases, a wake is in vain: each woken waiter
/// would ask, lose and wake the next one. The release of the rival wakes the first in every queue. If attempts split
/// the nodes, the one with the most nodes always wakes a waiter, so at least one waiter is woken. With an anchor it is the
/// one on the anchor: no other can win. A program that is not redfence wakes no waiter, so a caller that gives up does.
#[must_use]
pub fn rollback(lost: &Defeat, quorum: Quorum, waited: Option<Duration>) -> Next {
    let votes = lost.votes();
    let unsent = votes.nodes_with(|vote| matches!(vote, Vote::Failed(fault) if fault.kind.never_sent()));
    // A node that has not answered may still grant. The rival may know no more than this attempt does.
    let pending = votes.nodes_with(|vote| matches!(vote, Vote::Pending)).len();
    let rivals = votes.nodes_in_the_way();
    let failed = votes.nodes_with(|vote| matches!(vote, Vote::Failed(_) | Vote::Silent));
    let is_taken = |vote: &Vote| matches!(vote, Vote::Refused(view) if !view.lock.is_free());
    let is_foreign = votes.in_the_way().is_some_and(|(lock, _)| lock.held_by().is_some_and(Occupant::is_foreign));
    let in_vain = match lost {
        Defeat::Contended(_) => match quorum.anchor() {
            Some(anchor) => votes.nodes_with(is_taken).contains(anchor),
            None => rivals.len() > votes.granted() + pending && rivals.len() + failed.len() >= quorum.blocking(),
        },
        // No other attempt can reach a quorum either.
        Defeat::NoQuorum(_) => quorum.is_blocked_by(unsent),
        Defeat::TooSlow { .. } => false,
    };
    match (lost, waited) {
        (Defeat::Contended(_), Some(waited)) => Next::Rejoin { waited, wakes: !in_vain },
        _ if in_vain && !is_foreign => Next::NoWaiter,
        // After time-outs the next waiter in the queue tries, not the same one again.
        _ => Next::Queue(Publish::ToFirst),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Fault, FaultKind, LockState, LockView, Votes};
    use super::*;

    #[test]
    fn a_lost_attempt_wakes_the_queue_unless_that_would_be_in_vain() {
        let waited = Duration::from_millis(7);
        let vote = |letter| match letter {
            'g' => Vote::Granted,
            's' => Vote::Silent,
            'u' => Vote::Failed(Fault::new(FaultKind::Unreachable, "")),
            '-' => Vote::Pending,
            name => {
                let value = if name == 'x' { name.to_string() } else { format!("{:032x} {name}", u32::from(name)) };
                Vote::Refused(LockView { lock: LockState::of_value(value.as_bytes()), ..LockView::default() })
            }
        };
        let rejoins = |wakes| Next::Rejoin { waited, wakes };
        let (rejoin, in_vain, queue) = (rejoins(true), rejoins(false), Next::Queue(Publish::ToFirst));
        for (votes, contended, waits, expected, story) in [
            ("AAA--", true, true, in_vain, "a holder on a quorum"),
            ("AAAgg", true, true, in_vain, "the same, and it left two nodes"),
            ("AAAgg", true, false, Next::NoWaiter, "the same, by a caller that does not wait"),
            ("ggAAB", true, true, rejoin, "a split: no rival has more"),
            ("gAABB", true, true, rejoin, "a split: too few for any rival to block"),
            ("gAABB", true, false, queue, "the same, by a caller that does not wait"),
            ("ggAA", true, true, rejoin, "an even split"),
            ("AA--", true, true, rejoin, "perhaps an even split: the rival may see the same"),
            ("gAAB", true, true, in_vain, "a rival with more, which can block"),
            ("gAAuB", true, true, in_vain, "the same with a node that is down"),
            ("xxxgg", true, true, in_vain, "another program: this waiter polls"),
            ("xxxgg", true, false, queue, "the same, and this caller does not: the next one polls"),
            ("gguuu", false, true, Next::NoWaiter, "no quorum is there"),
            ("ggsss", false, true, queue, "no node answers in time"),
        ] {
            let votes = Votes::new(votes.chars().map(vote).collect());
            let quorum = Quorum::of(votes.iter().count()).unwrap();
            let lost = if contended { Defeat::Contended(votes) } else { Defeat::NoQuorum(votes) };
            assert_eq!(rollback(&lost, quorum, waits.then_some(waited)), expected, "{story}");
        }
        let anchored = Quorum::of(3).unwrap().with_anchor(crate::NodeId::new(0).unwrap()).unwrap();
        for (votes, expected, story) in [
            ("Agg", in_vain, "a rival on the anchor"),
            ("ABB", in_vain, "the same, and others have more nodes"),
            ("gAg", rejoin, "a rival that cannot win without the anchor"),
            ("gAA", rejoin, "the same with more nodes: seen from there, this one is on the anchor"),
            ("-AA", rejoin, "the anchor may still grant"),
            ("xgg", in_vain, "another program on the anchor: this waiter polls"),
        ] {
            let lost = Defeat::Contended(Votes::new(votes.chars().map(vote).collect()));
            assert_eq!(rollback(&lost, anchored, Some(waited)), expected, "{story}");
        }
    }
}
