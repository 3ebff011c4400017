//! [`Votes`]: what every node replied, kept as evidence for errors and traces.

use std::fmt;
use std::time::Duration;

use super::{Fault, FaultKind, LockState, LockView, Quorum};
use crate::{NodeId, NodeSet, Occupant, Printable};

/// What one node replied to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vote {
    /// Asked, and no reply so far. In the votes of a finished attempt: the outcome was decided without this node.
    Pending,
    /// Not asked: the outcome was decided before anything was sent.
    NotAsked,
    /// Yes.
    Granted,
    /// No: another holder has the lock, or the lock is gone.
    Refused(LockView),
    /// An error, or certainly no reply.
    Failed(Fault),
    /// Asked, and silent until the time-out.
    Silent,
}

impl Vote {
    /// The cause in words. Votes with the same cause are grouped, so that an error names each cause once.
    fn cause(&self) -> String {
        match self {
            Self::Pending => "not waited for, the others had decided".to_owned(),
            Self::NotAsked => "not asked, the others had decided".to_owned(),
            Self::Granted => "granted".to_owned(),
            Self::Refused(view) => match view.lock {
                LockState::Free => "refused: the lock was gone",
                LockState::HeldBy(_) => "held by another",
                LockState::ReservedFor(_) => "reserved for a waiter",
            }
            .to_owned(),
            Self::Failed(fault) => fault.kind.to_string(),
            Self::Silent => FaultKind::TimedOut.to_string(),
        }
    }

    /// Whether the vote counts against the attempt.
    const fn is_against(&self) -> bool {
        !matches!(self, Self::Granted | Self::Pending | Self::NotAsked)
    }
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(view) => {
                match &view.lock {
                    LockState::Free => return f.write_str(&self.cause()),
                    LockState::HeldBy(occupant) => write!(f, "held by {occupant}")?,
                    LockState::ReservedFor(entry) => {
                        write!(f, "reserved for {}, which waits", Printable(entry.label()))?
                    }
                }
                match view.ttl_left {
                    // Tenths of a second, rounded down: the text never shows more time than is left.
                    Some(left) => write!(f, " for another {}.{} s", left.as_secs(), left.subsec_millis() / 100),
                    None => f.write_str(" without a time to live"),
                }
            }
            Self::Failed(fault) => write!(f, "{fault}"),
            other => f.write_str(&other.cause()),
        }
    }
}

/// The votes of all nodes, in their order.
#[derive(Clone, PartialEq, Eq, Default, Hash)]
pub struct Votes(Vec<Vote>);

impl Votes {
    /// Takes one vote for each node, in the order of the nodes.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn new(votes: Vec<Vote>) -> Self {
        Self(votes)
    }

    /// The votes of this many nodes if none is asked, now or later, for this reason.
    pub(crate) fn closed(nodes: usize, because: &str) -> Self {
        Self(vec![Vote::Failed(Fault::new(FaultKind::Closed, because)); nodes])
    }

    /// Every node with its vote.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Vote)> {
        NodeId::all(self.0.len()).zip(&self.0)
    }

    /// The nodes whose vote is so.
    pub(crate) fn nodes_with(&self, is_so: impl Fn(&Vote) -> bool) -> NodeSet {
        self.iter().filter(|(_, vote)| is_so(vote)).map(|(node, _)| node).collect()
    }

    /// How many nodes granted.
    #[must_use]
    pub fn granted(&self) -> usize {
        self.0.iter().filter(|vote| matches!(vote, Vote::Granted)).count()
    }

    /// The occupant that most refusing nodes name, and the longest time that one of them still gives to its lock.
    #[must_use]
    pub fn occupant(&self) -> Option<(&Occupant, Option<Duration>)> {
        let (lock, left) = self.in_the_way()?;
        Some((lock.held_by()?, left))
    }

    /// The same, or the reservation that most refusing nodes name.
    pub(in crate::protocol) fn in_the_way(&self) -> Option<(&LockState, Option<Duration>)> {
        let taken = || {
            self.0.iter().filter_map(|vote| match vote {
                Vote::Refused(view) if !view.lock.is_free() => Some((&view.lock, view.ttl_left)),
                _ => None,
            })
        };
        let (lock, _) = taken().max_by_key(|(lock, _)| taken().filter(|(other, _)| other == lock).count())?;
        Some((lock, taken().filter_map(|(_, left)| left).max()))
    }

    /// The nodes that report the most frequent state of a lock that is not free.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn nodes_in_the_way(&self) -> NodeSet {
        let Some((most, _)) = self.in_the_way() else { return NodeSet::EMPTY };
        let is_theirs = |vote: &Vote| matches!(vote, Vote::Refused(view) if view.lock == *most);
        self.nodes_with(is_theirs)
    }

    /// The program that is not redfence and holds the lock without a time to live, if it does so on so many nodes that
    /// no quorum is left.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn occupant_without_ttl(&self, quorum: Quorum) -> Option<&Occupant> {
        let endless = |(node, vote)| match vote {
            &Vote::Refused(LockView { lock: LockState::HeldBy(ref occupant), ttl_left: None, .. }) => {
                occupant.is_foreign().then_some((node, occupant))
            }
            _ => None,
        };
        let nodes: NodeSet = self.iter().filter_map(endless).map(|(node, _)| node).collect();
        quorum.is_blocked_by(nodes).then(|| self.iter().find_map(endless).map(|(_, occupant)| occupant)).flatten()
    }

    /// How many waiters are before the caller. If nodes disagree, the number that most of the nodes report that have
    /// the caller in their queues.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn place(&self) -> Option<u32> {
        let place = |vote: &Vote| match vote {
            Vote::Refused(view) => view.place,
            _ => None,
        };
        let mut places: Vec<_> = self.0.iter().filter_map(place).collect();
        places.sort_unstable();
        places.get(places.len() / 2).copied()
    }

    /// The reason of contention in one line: the most frequent occupant or reservation, and how many nodes name it. If
    /// these are no quorum, the line counts the other nodes too: by their votes, or as not needed.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn contention(&self) -> String {
        let (nodes, named) = (self.0.len(), self.nodes_in_the_way());
        let Some(vote) = named.iter().next().and_then(|node| self.0.get(node.index())) else { return self.to_string() };
        let count = named.len();
        if Quorum::of(nodes).is_some_and(|quorum| count >= quorum.needed()) {
            return format!("{count} of {nodes} nodes, a quorum: {vote}");
        }
        let mut line = format!("{count} of {nodes} nodes: {vote}");
        let mut others: Vec<(String, usize)> = Vec::new();
        for (_, other) in self.iter().filter(|(node, _)| !named.contains(*node)) {
            let cause = other.cause();
            match others.iter_mut().find(|(known, _)| *known == cause) {
                Some((_, count)) => *count += 1,
                None => others.push((cause, 1)),
            }
        }
        for (cause, count) in others {
            line += &format!("; {count} {cause}");
        }
        line
    }

    /// Whether the attempt failed because other holders have the lock. That is so if at least one node refused, and the
    /// failures alone do not block a quorum.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn is_contention(&self, quorum: Quorum) -> bool {
        let failed = self.nodes_with(|vote| matches!(vote, Vote::Failed(_) | Vote::Silent));
        self.in_the_way().is_some() && !quorum.is_blocked_by(failed)
    }

    /// The most frequent cause against the attempt: how many nodes have it, and one of them as example.
    #[must_use]
    pub(crate) fn dominant(&self) -> Option<(usize, &Vote)> {
        let against = || self.0.iter().filter(|vote| vote.is_against());
        let count = |vote: &Vote| against().filter(|other| other.cause() == vote.cause()).count();
        // The first of the most frequent causes, so that equal votes always give the same text.
        against().map(|vote| (count(vote), vote)).rev().max_by_key(|(count, _)| *count)
    }
}

/// Writes the dominant cause in one line, for instance `3 of 5 nodes timed out`.
impl fmt::Display for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.0.len();
        match self.dominant() {
            None => write!(f, "{} of {nodes} nodes granted", self.granted()),
            Some((count, vote)) => write!(f, "{count} of {nodes} nodes: {vote}"),
        }
    }
}

/// Writes all votes in one line: `[n1: granted, n2: timed out, …]`.
impl fmt::Debug for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (node, vote) in self.iter() {
            let comma = if node.index() == 0 { "" } else { ", " };
            write!(f, "{comma}{node:?}: {vote}")?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dominant_cause_is_said_in_one_line() {
        let held = |name: &str, ms| {
            Vote::Refused(LockView {
                lock: LockState::of_value(name.as_bytes()),
                ttl_left: Some(Duration::from_millis(ms)),
                counter: 0,
                ..LockView::default()
            })
        };
        let down = || Vote::Failed(Fault::new(FaultKind::Unreachable, "connection refused"));
        for (votes, line) in [
            (vec![down(), down(), Vote::Granted], "2 of 3 nodes: unreachable (connection refused)"),
            (
                vec![held("app", 70), down(), held("app", 90)],
                "2 of 3 nodes: held by a foreign client (\"app\") for another 0.0 s",
            ),
            (vec![Vote::Silent, Vote::Granted, Vote::Granted], "1 of 3 nodes: timed out"),
            (vec![Vote::Granted, Vote::Granted, Vote::Pending], "2 of 3 nodes granted"),
        ] {
            assert_eq!(Votes::new(votes).to_string(), line);
        }
    }

    #[test]
    fn a_contended_lock_names_its_holder_also_where_more_nodes_are_down() {
        let held = Vote::Refused(LockView {
            lock: LockState::of_value(b"app"),
            ttl_left: None,
            counter: 0,
            ..LockView::default()
        });
        let down = || Vote::Failed(Fault::new(FaultKind::Unreachable, ""));
        let votes = Votes::new(vec![down(), held, down(), Vote::Granted, Vote::Granted]);
        assert_eq!(
            votes.contention(),
            "1 of 5 nodes: held by a foreign client (\"app\") without a time to live; 2 unreachable; 2 granted"
        );
    }

    #[test]
    fn r14_not_asked_and_not_waited_for_do_not_read_like_no_answer() {
        let held = || Vote::Refused(LockView { lock: LockState::of_value(b"app"), ..LockView::default() });
        let unjoined = Vote::Failed(Fault::new(FaultKind::NotJoined, ""));
        for (votes, line) in [
            (
                vec![held(), held(), Vote::Pending],
                "2 of 3 nodes, a quorum: held by a foreign client (\"app\") without a time to live",
            ),
            (
                vec![held(), unjoined, Vote::Pending],
                "1 of 3 nodes: held by a foreign client (\"app\") without a time to live; 1 not asked, it has not been joined yet; \
                 1 not waited for, the others had decided",
            ),
        ] {
            assert_eq!(Votes::new(votes).contention(), line);
        }
    }

    #[test]
    fn contention_is_not_an_outage() {
        let held = || {
            Vote::Refused(LockView {
                lock: LockState::of_value(b"x"),
                ttl_left: None,
                counter: 0,
                ..LockView::default()
            })
        };
        let quorum = Quorum::of(3).unwrap();
        for (votes, contended) in [
            (vec![held(), held(), Vote::Granted], true),
            (vec![held(), Vote::Silent, Vote::Granted], true),
            (vec![held(), Vote::Silent, Vote::Silent], false),
            (vec![Vote::Silent, Vote::Silent, Vote::Granted], false),
        ] {
            assert_eq!(Votes::new(votes.clone()).is_contention(quorum), contended, "{votes:?}");
        }
    }
}
