//! [`Ready`]: which nodes may be asked for grants. Rounds report faults to it; the roster probes the nodes and
//! publishes the result.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::printable::whole_seconds;
use crate::protocol::{Fault, FaultKind, Reason};
use crate::{Moment, NodeId, NodeSet, WallTime};

/// Which nodes may be asked for grants, and why the others may not.
pub(crate) struct Ready {
    /// Every round reads it. It is written only under the lock of `board`.
    nodes: AtomicU32,
    /// How long a round trip to a quorum takes, in microseconds.
    round_trip_us: AtomicU32,
    board: Mutex<Board>,
    /// Notified when a node must be probed at once.
    pub(crate) probe_due: Arc<Notify>,
}

/// The notes that roster and rounds exchange.
struct Board {
    /// The nodes where a grant met a fault since the present look began. The result of the look may be older than the
    /// fault.
    faulty: NodeSet,
    nodes: Vec<NodeNotes>,
}

#[derive(Clone)]
struct NodeNotes {
    unavailable: Unavailable,
    /// Since when the node is awake, according to its record.
    awake_since: WallTime,
    /// Set if a grant met a missing counter while the node was awake since this time.
    forgot: Option<WallTime>,
}

/// Why a node is not asked for grants.
#[derive(Debug, Clone)]
pub(crate) enum Unavailable {
    /// It was not probed yet, or must be probed again.
    NotJoined,
    /// It is the same server as an earlier node.
    Duplicate,
    /// It gave no proper reply.
    Failed(Fault),
    /// It may have forgotten locks.
    Resting { until: Option<Moment>, reason: Option<Reason> },
    /// Its counters cannot start, because neither its clock nor the caller's is set.
    ClockUnset { node: WallTime, caller: WallTime },
}

impl Unavailable {
    /// The reason as a fault, for the node's vote.
    pub(crate) fn fault(&self, now: Moment) -> Fault {
        let (until, reason) = match self {
            Self::NotJoined => return Fault::new(FaultKind::NotJoined, ""),
            Self::Duplicate => return Fault::new(FaultKind::Duplicate, ""),
            Self::Failed(fault) => return fault.clone(),
            Self::ClockUnset { node, caller } => return Fault::new(FaultKind::Resting, unset(*node, *caller)),
            Self::Resting { until, reason } => (*until, *reason),
        };
        let left = until.map_or(Duration::ZERO, |until| until.since(now));
        let story = match reason {
            Some(Reason::New) => "started less than max_ttl ago and remembers nothing",
            Some(Reason::Restarted) => "restarted and may have forgotten locks",
            Some(Reason::Forgot) => "lost its memory",
            Some(Reason::ClockUnset) | None => "may have forgotten locks",
        };
        let hint = if reason == Some(Reason::New) { ". A new installation? `redfence bootstrap`" } else { "" };
        Fault::new(FaultKind::Resting, format!("{story}; takes part in {}{hint}", whole_seconds(left)))
    }
}

/// The sentence that shows both clocks, neither of which can be right.
pub(crate) fn unset(node: WallTime, caller: WallTime) -> String {
    /// The mean length of a year.
    const YEAR_MS: u64 = 31_556_952_000;
    let year = |clock: WallTime| 1970 + clock.unix_ms() / YEAR_MS;
    let (node, caller) = (year(node), year(caller));
    format!(
        "its clock shows the year {node} and this machine's the year {caller}: set both right; tokens start at the clock"
    )
}

impl Ready {
    pub(crate) fn new(nodes: usize) -> Self {
        let unknown = NodeNotes { unavailable: Unavailable::NotJoined, awake_since: WallTime::default(), forgot: None };
        Self {
            nodes: AtomicU32::new(0),
            round_trip_us: AtomicU32::new(0),
            board: Mutex::new(Board { faulty: NodeSet::EMPTY, nodes: vec![unknown; nodes] }),
            probe_due: Arc::default(),
        }
    }

    /// The nodes that may be asked for grants.
    pub(crate) fn nodes(&self) -> NodeSet {
        NodeSet::from_bits(self.nodes.load(Ordering::Relaxed))
    }

    /// How long a round trip to a quorum takes, measured by the last look.
    pub(crate) fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_us.load(Ordering::Relaxed).into())
    }

    /// Why `node` is not asked for grants.
    pub(crate) fn unavailable_because(&self, node: NodeId, now: Moment) -> Fault {
        let board = self.board();
        board.nodes.get(node.index()).map_or(&Unavailable::NotJoined, |notes| &notes.unavailable).fault(now)
    }

    /// A grant met this fault. If the node may have changed its data, it is not asked again before a probe.
    pub(crate) fn on_fault(&self, node: NodeId, fault: FaultKind) {
        match fault {
            // A server that becomes a replica, or loads its data, may have other data afterwards.
            FaultKind::Forgot | FaultKind::NotJoined | FaultKind::ReadOnly | FaultKind::Loading | FaultKind::Busy => {}
            _ => return,
        }
        let mut board = self.board();
        if let (FaultKind::Forgot, Some(notes)) = (fault, board.nodes.get_mut(node.index())) {
            notes.forgot = Some(notes.awake_since);
        }
        board.faulty.insert(node);
        self.nodes.store(self.nodes().without(board.faulty).bits(), Ordering::Relaxed);
        drop(board);
        self.probe_due.notify_one();
    }

    /// A look begins. It will examine all faults so far.
    pub(crate) fn look_begins(&self) {
        self.board().faulty = NodeSet::EMPTY;
    }

    /// The nodes where a grant met a missing counter, each with the time since when it was awake. Each is returned
    /// once.
    pub(crate) fn take_forgot(&self) -> Vec<(NodeId, WallTime)> {
        let mut board = self.board();
        let forgot = board.nodes.iter_mut().map(|notes| notes.forgot.take());
        NodeId::all(NodeId::COUNT_MAX).zip(forgot).filter_map(|(node, since)| Some((node, since?))).collect()
    }

    /// Stores for each node, in order, why it would not be asked and since when it is awake.
    pub(crate) fn explain(&self, nodes: impl IntoIterator<Item = (Unavailable, WallTime)>) {
        let mut board = self.board();
        for (notes, (unavailable, awake_since)) in board.nodes.iter_mut().zip(nodes) {
            (notes.unavailable, notes.awake_since) = (unavailable, awake_since);
        }
    }

    /// A look has ended. The nodes `ready` may be asked, except those where a grant met a fault meanwhile.
    pub(crate) fn publish(&self, ready: NodeSet, round_trip: Option<Duration>) {
        let board = self.board();
        self.nodes.store(ready.without(board.faulty).bits(), Ordering::Relaxed);
        if let Some(round_trip) = round_trip {
            let us = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
            self.round_trip_us.store(us, Ordering::Relaxed);
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_during_a_look_outlives_what_the_look_found() {
        let ready = Ready::new(3);
        let (all, one) = (NodeSet::first(3), NodeId::new(1).unwrap());
        ready.look_begins();
        ready.publish(all, None);
        assert_eq!(ready.nodes(), all);
        ready.look_begins();
        ready.on_fault(one, FaultKind::Forgot);
        ready.publish(all, None);
        assert_eq!(ready.nodes(), all.without(NodeSet::from_iter([one])), "the look may have come before the fault");
        ready.look_begins();
        ready.publish(all, None);
        assert_eq!(ready.nodes(), all);
    }

    #[test]
    fn two_faults_at_once_are_both_kept() {
        let ready = Arc::new(Ready::new(32));
        for _ in 0..200 {
            ready.look_begins();
            ready.publish(NodeSet::first(32), None);
            std::thread::scope(|scope| {
                for node in NodeId::all(8) {
                    let ready = &ready;
                    scope.spawn(move || ready.on_fault(node, FaultKind::Loading));
                }
            });
            assert_eq!(ready.nodes(), NodeSet::first(32).without(NodeSet::first(8)));
        }
    }
}
