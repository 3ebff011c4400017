//! [`Healths`]: what a locker knows about all nodes, and what it decides about them. It does no I/O, and time is an
//! argument.

use std::time::Duration;

use super::node_health::NodeHealth;
use crate::protocol::{Fault, FaultKind, JoinDecision, JoinFacts, NodeReport, Reason, Reply, RunId, decide, rest};
use crate::redlock::env::ready::unset;
use crate::redlock::settings::Policy;
use crate::{Moment, NodeId, NodeSet, WallTime};

/// What a locker knows about each node, in their order.
pub(crate) struct Healths {
    policy: Policy,
    nodes: Vec<NodeHealth>,
}

impl Healths {
    pub(super) fn new(nodes: usize, policy: Policy) -> Self {
        Self { policy, nodes: (0..nodes).map(|_| NodeHealth::unknown()).collect() }
    }

    /// Each node with its id.
    pub(crate) fn each(&self) -> impl Iterator<Item = (NodeId, &NodeHealth)> {
        NodeId::all(self.nodes.len()).zip(&self.nodes)
    }

    pub(super) fn get_mut(&mut self, node: NodeId) -> Option<&mut NodeHealth> {
        self.nodes.get_mut(node.index())
    }

    /// The longest time to live that any locker is known to ask for.
    pub(super) fn longest_ttl(&self) -> Duration {
        self.nodes.iter().map(NodeHealth::max_ttl).max().unwrap_or_default().max(self.policy.max_ttl)
    }

    /// How long a node that forgot rests.
    pub(crate) fn rest(&self) -> Duration {
        rest(self.longest_ttl(), self.policy.drift_ppm)
    }

    pub(super) fn are_all(&self, is: fn(&NodeHealth) -> bool) -> bool {
        self.nodes.iter().all(is)
    }

    /// When the first rest ends.
    pub(super) fn first_rest_ends(&self) -> Option<Moment> {
        self.nodes.iter().filter_map(NodeHealth::rests_until).min()
    }

    /// Whether some nodes are initialized and others have no record yet: another locker may be initializing them.
    pub(super) fn is_being_bootstrapped(&self) -> bool {
        let reports = || self.nodes.iter().filter_map(NodeHealth::report);
        reports().any(|report| report.record.is_none()) && reports().any(NodeReport::is_being_bootstrapped)
    }

    /// Forgets the past of all nodes. Returns the report of each node in the present look.
    pub(super) fn begin_anew(&mut self) -> Vec<Option<NodeReport>> {
        self.nodes.iter_mut().for_each(NodeHealth::begin_anew);
        self.nodes.iter().map(|node| node.report().copied()).collect()
    }

    /// A node replied to a probe that was sent at `sent`.
    pub(super) fn note(&mut self, node: NodeId, reply: Reply, sent: Moment, now: Moment) {
        let Policy { max_ttl, drift_ppm, .. } = self.policy;
        let Some(health) = self.nodes.get_mut(node.index()) else { return };
        match reply {
            Reply::Reported(report) => {
                if report.run_id.is_none() && health.is_unknown() {
                    tracing::warn!(%node, "INFO is not permitted: a restored snapshot, or one server under two names, is not noticed");
                }
                if let Some(step) = health.reported(*report, sent, drift_ppm) {
                    let rest = rest(max_ttl.max(health.max_ttl()), drift_ppm);
                    tracing::warn!(%node, ?step, ?rest, "the node's clock stepped, so locks may have ended early; it rests");
                    health.keep_out_until(now.after(rest));
                }
            }
            Reply::Failed(fault) => health.failed(fault),
            other => health.failed(Fault::new(FaultKind::Unexpected, format!("{other:?}"))),
        }
    }

    /// Decides about every node that was seen. Returns what must be done.
    pub(super) fn decide(
        &mut self,
        (now, wall): (Moment, WallTime),
        declared_new: bool,
    ) -> Vec<(NodeId, (JoinDecision, NodeReport))> {
        let rest = self.rest();
        let known_elsewhere = self.nodes.iter().any(NodeHealth::was_recorded);
        let all_seen = self.nodes.iter().all(|health| health.report().is_some());
        let mut due = Vec::new();
        for (id, health) in NodeId::all(self.nodes.len()).zip(&mut self.nodes) {
            let Some(report) = health.report().copied() else { continue };
            let durable = self.policy.durable && health.is_synced() != Some(false);
            let forgot = health.misses_a_counter();
            let facts = JoinFacts { known_elsewhere, all_seen, declared_new, durable, forgot, rest, wall };
            let decision = decide(&report, &facts);
            if let JoinDecision::Initialize { reason, rest } = decision {
                health.initializing(reason);
                match reason {
                    Reason::New => tracing::info!(node = %id, %reason, ?rest, "initializing the node"),
                    _ => tracing::warn!(node = %id, %reason, ?rest, "the node may have forgotten locks; it rests"),
                }
            }
            if let Some((node, caller)) = health.apply(decision, (now, wall)) {
                tracing::warn!(node = %id, reason = unset(node, caller), "the node cannot take part");
            }
            // The clock of such a node stepped, and the end of its rest was read on that clock. So this locker does
            // not activate it.
            let is_due = match decision {
                JoinDecision::Initialize { .. } => true,
                JoinDecision::Activate => !health.is_kept_out(),
                JoinDecision::Ready | JoinDecision::Resting(_) | JoinDecision::ClockUnset => false,
            };
            if is_due {
                due.push((id, (decision, report)));
            }
        }
        due
    }

    /// The nodes that may be asked for grants, each with the session that was probed in the present look. If two
    /// nodes are one server, the second is a duplicate.
    pub(super) fn ready(&mut self) -> Vec<(NodeId, Option<u64>)> {
        let (mut seen, mut ready) = (Vec::<RunId>::new(), Vec::new());
        for (id, health) in NodeId::all(self.nodes.len()).zip(&mut self.nodes) {
            if let Some(run_id) = health.run_id() {
                if seen.contains(&run_id) {
                    health.duplicate();
                }
                seen.push(run_id);
            }
            if health.is_ready() {
                ready.push((id, health.report().map(|report| report.session)));
            }
        }
        ready
    }

    /// The longest round trip of the quickest quorum.
    pub(super) fn round_trip(&self, needed: usize) -> Option<Duration> {
        let mut round_trips: Vec<_> = self.nodes.iter().filter_map(NodeHealth::round_trip).collect();
        round_trips.sort_unstable();
        round_trips.get(needed - 1).copied()
    }

    /// The nodes whose durability was not checked in the present run of the server.
    #[cfg(feature = "redis")]
    pub(super) fn unexamined(&self) -> Vec<NodeId> {
        let is_open = |health: &NodeHealth| health.report().is_some() && health.is_synced().is_none();
        self.each().filter(|(_, health)| is_open(health)).map(|(id, _)| id).collect()
    }

    /// Stores whether the server logs every write before it replies.
    #[cfg(feature = "redis")]
    pub(super) fn examined(&mut self, node: NodeId, synced: bool) {
        let Some(health) = self.get_mut(node) else { return };
        if health.report().is_some_and(|report| report.keeps == Some(false)) {
            tracing::warn!(
                %node,
                "declared durable, but it keeps no append-only file, or was a replica: it will rest after a restart"
            );
        }
        health.note_synced(synced);
    }
}

/// All nodes in `due`.
pub(super) fn nodes_of(due: &[(NodeId, (JoinDecision, NodeReport))]) -> NodeSet {
    due.iter().map(|(node, _)| *node).collect()
}
