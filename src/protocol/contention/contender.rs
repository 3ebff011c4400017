//! [`Contender`]: decides what a process that waits for one lock does next.

use std::time::Duration;

use super::super::{Backoff, Defeat, FaultKind, Quorum, Vote, Votes, Waits};
use crate::{Moment, NodeId, NodeSet, Occupant, Waiter};

/// One process that waits for one lock. The inputs are wakes, votes, time and chance; the result is when and how to
/// ask.
///
/// ```text
///            ask                 defeated
///  asking at ───▶ on its way ───────────────▶ asleep until `asks_at`
///     ▲                                          │  woken by a quorum: at once
///     │                                          │  woken by fewer: a fifth of its grace later
///     └──────────────────────────────────────────┘  alarm: the locks that it met would have ended
/// ```
///
/// Every `chance` must be uniform over `u32`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Contender {
    quorum: Quorum,
    waiter: Waiter,
    since: Moment,
    /// The nodes that woke it since it last asked.
    woken_by: NodeSet,
    /// When it asks, if fewer nodes than a quorum have woken it.
    asks_early_at: Option<Moment>,
    /// When it asks, even if no node wakes it.
    alarm: Moment,
    /// Whether it is the one to check, at the alarm, if the reservation of the waiter before it has ended.
    stands_by: bool,
    /// The nodes whose queues it is in, as far as it knows.
    queued: NodeSet,
    /// The nodes that do not deliver wakes.
    without_wakes: NodeSet,
    /// The nodes that did not at some time since it last asked: its grants joined no queue there.
    unjoined: NodeSet,
    /// Whether its next grant joins the queue of a node that refuses. False for a first attempt that only tries
    /// whether the lock is free.
    waits: bool,
    /// Whether its last grants joined the queues of nodes that refused.
    waited: bool,
    /// Whether a wake from fewer nodes than a quorum made it ask last time.
    by_partial_wake: bool,
    /// How many attempts failed in a row: after wakes from too few nodes; after pauses; after time-outs.
    partial_wakes: u32,
    pauses: u32,
    timeouts: u32,
}

/// The delay for each waiter in front, so that not all waiters ask when a lock expires.
const STEP: Duration = Duration::from_millis(1);
/// The extra delay for waiters that are not first, if the lock is reserved. The first waiter checks first whether a
/// reservation lapsed.
const RESERVED_SLACK: Duration = Duration::from_millis(100);
/// The longest sleep: half of the time for which a node keeps a queue that no waiter joins.
const ALARM_MAX: Duration = Duration::from_secs(30);
/// The first and the longest ceiling of the pauses while no node would wake it.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// The same after time-outs: such nodes are overloaded already.
const OVERLOAD: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(4));
/// The longest time to wait for further wakes after the first one, however often such attempts failed.
const PARTIAL_WAKE_MAX: Duration = Duration::from_secs(1);
/// If its queues are gone, a contender asks again within this time.
const REJOIN_WITHIN: Duration = Duration::from_millis(250);

impl Contender {
    /// A contender that begins at `now`. Unless rivals are `expected`, it asks once without joining queues: mostly
    /// the lock is free, and then the nodes need to store nothing about it.
    #[must_use]
    pub const fn new(quorum: Quorum, waiter: Waiter, expected: bool, now: Moment) -> Self {
        Self {
            quorum,
            waiter,
            since: now,
            woken_by: NodeSet::EMPTY,
            asks_early_at: None,
            alarm: now,
            stands_by: false,
            queued: NodeSet::EMPTY,
            without_wakes: NodeSet::EMPTY,
            unjoined: NodeSet::EMPTY,
            waits: expected,
            waited: false,
            by_partial_wake: false,
            partial_wakes: 0,
            pauses: 0,
            timeouts: 0,
        }
    }

    /// The name under which it waits in queues.
    #[must_use]
    pub const fn waiter(&self) -> Waiter {
        self.waiter
    }

    /// How long it has waited.
    #[must_use]
    pub const fn waited(&self, now: Moment) -> Duration {
        now.since(self.since)
    }

    /// How many attempts timed out in a row.
    #[must_use]
    pub const fn timeouts(&self) -> u32 {
        self.timeouts
    }

    /// Begins an attempt. If it returns `Some`, the grants join the queues of nodes that refuse. Wakes from here on
    /// count for the next attempt.
    pub fn ask(&mut self, now: Moment) -> Option<Waits> {
        let overrides = !self.woken_by.is_empty() || self.stands_by;
        self.by_partial_wake = !self.woken_by.is_empty() && !self.quorum.is_met_by(self.woken_by);
        (self.woken_by, self.asks_early_at, self.stands_by) = (NodeSet::EMPTY, None, false);
        self.unjoined = self.without_wakes;
        self.waited = std::mem::replace(&mut self.waits, true);
        self.waited.then(|| Waits { waited: self.waited(now), overrides })
    }

    /// `node` reports that the lock is free or reserved for this process, or will be in `after`.
    pub fn woken(&mut self, node: NodeId, after: Duration, now: Moment, chance: u32) {
        if after.is_zero() {
            self.woken_by.insert(node);
            if self.asks_early_at.is_none() {
                let wait = self.waiter.grace() / 5 * 2_u32.saturating_pow(self.partial_wakes);
                self.asks_early_at = Some(now.after(share(wait.min(PARTIAL_WAKE_MAX), chance)));
            }
        } else {
            self.stands_by = true;
            self.bring_alarm_forward(now.after(after).after(share(STEP, chance)));
        }
    }

    /// `node` has a new connection, so wakes that it sent over the old one may be lost.
    pub fn reconnected(&mut self, node: NodeId, now: Moment, chance: u32) {
        self.queued = self.queued.without(NodeSet::from_iter([node]));
        self.without_wakes = self.without_wakes.without(NodeSet::from_iter([node]));
        if !self.relies_on_wakes() {
            self.bring_alarm_forward(now.after(share(REJOIN_WITHIN, chance)));
        }
    }

    /// Whether `node` delivers wakes. What was asked while it did not has joined no queue there.
    pub fn receives_wakes(&mut self, node: NodeId, receives: bool, now: Moment, chance: u32) {
        if receives {
            self.reconnected(node, now, chance);
            return;
        }
        self.without_wakes.insert(node);
        self.unjoined.insert(node);
        if !self.relies_on_wakes() {
            self.bring_alarm_forward(now.after(share(PAUSES.1, chance)));
        }
    }

    /// An attempt was lost, and the process keeps waiting.
    pub fn defeated(&mut self, lost: &Defeat, now: Moment, chance: u32) {
        let votes = lost.votes();
        self.partial_wakes = if self.by_partial_wake { self.partial_wakes.saturating_add(1) } else { 0 };
        let queued = |(node, vote): (NodeId, &Vote)| match vote {
            _ if is_foreign(vote) => None,
            Vote::Refused(view) => view.place.is_some().then_some(node),
            // Such a node mostly refuses too. If it grants, the roll-back puts this waiter back into its queue.
            Vote::Pending => (!self.unjoined.contains(node)).then_some(node),
            _ => None,
        };
        self.queued = votes.iter().filter_map(queued).collect();
        self.alarm = now.after(match lost {
            Defeat::Contended(_) => self.until_free(votes, chance),
            Defeat::NoQuorum(_) | Defeat::TooSlow { .. } => self.until_reachable(votes, chance),
        });
    }

    /// When it asks next, unless a new input changes that.
    #[must_use]
    pub fn asks_at(&self) -> Moment {
        match self.asks_early_at {
            _ if self.quorum.is_met_by(self.woken_by) => Moment::default(),
            Some(asks_early_at) => self.alarm.min(asks_early_at),
            None => self.alarm,
        }
    }

    /// How long to wait until the locks that refused will have ended on a quorum.
    fn until_free(&mut self, votes: &Votes, chance: u32) -> Duration {
        self.timeouts = 0;
        if !self.waited {
            return Duration::ZERO;
        }
        let place = votes.place().unwrap_or_default();
        let mut left = locks_end(votes, self.quorum);
        if reserved(votes) && place > 0 {
            left += RESERVED_SLACK;
        }
        let alarm = left.min(ALARM_MAX) + STEP * place + STEP + share(STEP, chance);
        // While other programs are in the way of every holder, the wake that this waiter needs may never be sent.
        if self.relies_on_wakes() && !self.quorum.is_blocked_by(votes.nodes_with(is_foreign)) {
            self.pauses = 0;
            return alarm;
        }
        self.pauses = self.pauses.saturating_add(1);
        alarm.min(nth_pause(PAUSES, self.pauses, chance))
    }

    /// How long to wait until nodes that gave no answer may give one.
    fn until_reachable(&mut self, votes: &Votes, chance: u32) -> Duration {
        let is_late = |vote: &Vote| match vote {
            Vote::Silent => true,
            Vote::Failed(fault) => {
                matches!(fault.kind, FaultKind::TimedOut | FaultKind::ConnectionLost | FaultKind::Overloaded)
            }
            _ => false,
        };
        if votes.iter().any(|(_, vote)| is_late(vote)) {
            self.timeouts = self.timeouts.saturating_add(1);
            return nth_pause(OVERLOAD, self.timeouts, chance | 1 << 31);
        }
        self.pauses = self.pauses.saturating_add(1);
        nth_pause(PAUSES, self.pauses, chance)
    }

    /// Whether every holder that leaves wakes it. A holder wakes waiters on a quorum, so on one of any nodes without which
    /// there is no quorum. A node that granted does not count: the holder has left it.
    const fn relies_on_wakes(&self) -> bool {
        self.quorum.is_blocked_by(self.queued.without(self.without_wakes))
    }

    fn bring_alarm_forward(&mut self, at: Moment) {
        self.alarm = self.alarm.min(at);
    }
}

/// When the locks that refused will have ended on a quorum. A node that has not answered is assumed to have the same
/// lock as the others. A lock that never ends is checked again now and then.
fn locks_end(votes: &Votes, quorum: Quorum) -> Duration {
    let end = |vote: &Vote| match vote {
        Vote::Granted => Some(Duration::ZERO),
        Vote::Refused(view) if view.lock.is_free() => Some(Duration::ZERO),
        Vote::Refused(view) => Some(view.ttl_left.unwrap_or(ALARM_MAX)),
        _ => None,
    };
    let of_anchor = votes.iter().find(|(node, _)| quorum.anchor() == Some(*node)).and_then(|(_, vote)| end(vote));
    let mut ends: Vec<_> = votes.iter().filter_map(|(_, vote)| end(vote)).collect();
    ends.sort_unstable();
    let of_most = ends.get(quorum.needed() - 1).or(ends.last()).copied();
    of_most.max(of_anchor).unwrap_or_default()
}

/// Whether a program that is not redfence has the lock of this node. It wakes no waiter when it releases the lock.
fn is_foreign(vote: &Vote) -> bool {
    matches!(vote, Vote::Refused(view) if view.lock.held_by().is_some_and(Occupant::is_foreign))
}

/// Whether the lock is reserved for another waiter.
fn reserved(votes: &Votes) -> bool {
    votes.in_the_way().is_some_and(|(lock, _)| lock.reserved_for().is_some())
}

/// A part of `most`, from half of it to all of it, by chance.
fn share(most: Duration, chance: u32) -> Duration {
    let half = most / 2;
    half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// The pause after `count` failures in a row.
fn nth_pause((first, longest): (Duration, Duration), count: u32, chance: u32) -> Duration {
    let before = usize::try_from(count.saturating_sub(1).min(16)).unwrap_or_default();
    Backoff::new(first, longest, || chance).nth(before).unwrap_or(longest)
}

#[cfg(test)]
mod tests;
