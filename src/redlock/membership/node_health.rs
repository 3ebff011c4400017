//! [`NodeHealth`]: what a locker knows about one node.

use std::time::Duration;

use crate::protocol::{Fault, JoinDecision, NodeReport, Reason, RunId};
use crate::redlock::env::meters::NodeState;
use crate::redlock::env::ready::Unavailable;
use crate::{Moment, NodeId, WallTime};

/// What a locker knows about one node.
#[derive(Debug, Clone)]
pub(crate) struct NodeHealth {
    state: NodeCondition,
    /// The end of the rest according to the node's record.
    rests_until: Option<Moment>,
    /// The end of a rest that only this locker imposes.
    kept_out_until: Option<Moment>,
    /// The report of the present look.
    report: Option<NodeReport>,
    run_id: Option<RunId>,
    max_ttl: Duration,
    was_recorded: bool,
    /// Set if a grant met a missing counter since the last initialization, while the node was awake since this time.
    forgot: Option<WallTime>,
    reason: Option<Reason>,
    /// The node's clock and the caller's, if neither is set and the counters cannot start.
    unset: Option<(WallTime, WallTime)>,
    sample: Option<Sample>,
    /// Whether the server logs every write before it replies, and the run for which that was found out.
    synced: Option<(Option<RunId>, bool)>,
    last_fault: Option<Fault>,
}

/// One reading of the node's clock and of the holder's.
#[derive(Debug, Clone, Copy)]
struct Sample {
    run_id: Option<RunId>,
    taken: Moment,
    round_trip: Duration,
    node: WallTime,
}

/// The condition of a node, as this locker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeCondition {
    /// Not seen yet.
    Unknown,
    /// It may be asked for grants.
    Ready,
    /// It may have forgotten locks, so it is not asked for grants for a while. It still extends and releases its
    /// locks.
    Resting,
    /// It is the same server as an earlier node of the set.
    Duplicate,
}

/// Writes the condition for people.
impl std::fmt::Display for NodeCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "not seen yet",
            Self::Ready => "ready",
            Self::Resting => "resting",
            Self::Duplicate => "the same server as another node",
        })
    }
}

impl NodeHealth {
    pub(crate) const fn unknown() -> Self {
        Self {
            state: NodeCondition::Unknown,
            rests_until: None,
            kept_out_until: None,
            report: None,
            run_id: None,
            max_ttl: Duration::ZERO,
            was_recorded: false,
            forgot: None,
            reason: None,
            unset: None,
            sample: None,
            synced: None,
            last_fault: None,
        }
    }

    /// Why the node rests, as far as this locker or the node's record says.
    fn rests_because(&self) -> Option<Reason> {
        if self.unset.is_some() {
            return Some(Reason::ClockUnset);
        }
        let is_new = self.report.and_then(|report| report.record).is_some_and(|record| record.new && !record.awake);
        self.reason.or(is_new.then_some(Reason::New))
    }

    /// Whether the server logs every write before it replies, if that is known for its present run.
    pub(crate) fn is_synced(&self) -> Option<bool> {
        self.synced.filter(|(run_id, _)| *run_id == self.run_id).map(|(_, synced)| synced)
    }

    /// Stores the result for the present run.
    #[cfg(feature = "redis")]
    pub(crate) const fn note_synced(&mut self, synced: bool) {
        self.synced = Some((self.run_id, synced));
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.state == NodeCondition::Unknown
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state == NodeCondition::Ready && self.forgot.is_none()
    }

    pub(crate) const fn report(&self) -> Option<&NodeReport> {
        self.report.as_ref()
    }

    pub(crate) const fn run_id(&self) -> Option<RunId> {
        self.run_id
    }

    /// The time from the last probe to its reply.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.sample.map(|sample| sample.round_trip)
    }

    pub(crate) const fn max_ttl(&self) -> Duration {
        self.max_ttl
    }

    pub(crate) const fn was_recorded(&self) -> bool {
        self.was_recorded
    }

    pub(crate) fn rests_until(&self) -> Option<Moment> {
        self.rests_until.max(self.kept_out_until)
    }

    /// The node replied to a probe. Returns by how much its clock stepped against the holder's, if it did.
    pub(crate) fn reported(&mut self, report: NodeReport, sent: Moment, drift_ppm: u32) -> Option<Duration> {
        let NodeReport { run_id, arrived, now: node, .. } = report;
        let sample = Sample { run_id, taken: arrived, round_trip: arrived.since(sent), node };
        let stepped = self.sample.replace(sample).and_then(|before| step(before, sample, drift_ppm));
        self.report = Some(report);
        self.run_id = report.run_id;
        self.max_ttl = self.max_ttl.max(report.record.map_or(Duration::ZERO, |record| record.max_ttl));
        // The record of an initialization in progress, or of a new node that rests, holds nothing that could be lost.
        self.was_recorded |= report.record.is_some_and(|record| !record.new || record.awake);
        self.last_fault = None;
        stepped
    }

    /// The node did not reply. Its condition stays: a new connection must be joined in any case.
    pub(crate) fn failed(&mut self, fault: Fault) {
        self.report = None;
        self.last_fault = Some(fault);
    }

    /// Lets this locker treat the node as resting, whatever the node reports.
    pub(crate) fn keep_out_until(&mut self, until: Moment) {
        self.kept_out_until = Some(until);
        self.state = NodeCondition::Resting;
    }

    /// Whether this locker still treats the node as resting.
    pub(crate) const fn is_kept_out(&self) -> bool {
        self.kept_out_until.is_some()
    }

    /// The node is about to be initialized.
    pub(crate) const fn initializing(&mut self, reason: Reason) {
        self.reason = Some(reason);
        self.forgot = None;
    }

    /// A grant met a missing counter while the node was awake since then.
    pub(crate) const fn note_forgot(&mut self, awake_since: WallTime) {
        self.forgot = Some(awake_since);
    }

    /// Whether a counter is missing. A counter that was missing before another locker initialized or activated the
    /// node does not count.
    pub(crate) fn misses_a_counter(&self) -> bool {
        self.forgot == Some(self.awake_since())
    }

    /// Since when it is awake, according to its record.
    pub(crate) fn awake_since(&self) -> WallTime {
        self.report
            .and_then(|report| report.record)
            .filter(|record| record.awake)
            .map_or_else(WallTime::default, |r| r.ready_at)
    }

    /// Forgets the past of the node.
    pub(crate) const fn begin_anew(&mut self) {
        self.kept_out_until = None;
        self.initializing(Reason::New);
    }

    /// Applies a decision that was made with these clocks of the caller. Returns both clocks if they are not set and
    /// that is new.
    pub(crate) fn apply(
        &mut self,
        decision: JoinDecision,
        (now, wall): (Moment, WallTime),
    ) -> Option<(WallTime, WallTime)> {
        let clocks = self.report.map(|report| (report.now, wall)).filter(|_| decision == JoinDecision::ClockUnset);
        let is_news = std::mem::replace(&mut self.unset, clocks).is_none();
        if self.kept_out_until.is_some_and(|until| now >= until) {
            self.kept_out_until = None;
        }
        self.rests_until = None;
        match decision {
            JoinDecision::Ready => {
                let ready = self.kept_out_until.is_none();
                self.state = if ready { NodeCondition::Ready } else { NodeCondition::Resting };
                self.forgot = None;
            }
            JoinDecision::Resting(left) => {
                self.state = NodeCondition::Resting;
                self.rests_until = Some(now.after(left));
                self.forgot = None;
            }
            JoinDecision::Activate | JoinDecision::Initialize { .. } | JoinDecision::ClockUnset => {
                self.state = NodeCondition::Resting
            }
        }
        self.unset.filter(|_| is_news)
    }

    pub(crate) fn duplicate(&mut self) {
        self.state = NodeCondition::Duplicate;
    }

    /// Why the node would not be asked for grants.
    pub(crate) fn unavailable(&self) -> Unavailable {
        match (self.state, &self.last_fault) {
            (NodeCondition::Duplicate, _) => Unavailable::Duplicate,
            (_, Some(fault)) => Unavailable::Failed(fault.clone()),
            (NodeCondition::Resting, None) => {
                if let Some((node, caller)) = self.unset {
                    return Unavailable::ClockUnset { node, caller };
                }
                Unavailable::Resting { until: self.rests_until(), reason: self.rests_because() }
            }
            (NodeCondition::Unknown | NodeCondition::Ready, None) => Unavailable::NotJoined,
        }
    }

    /// How it stands, as it is measured.
    pub(crate) const fn measured_state(&self) -> NodeState {
        match self.state {
            NodeCondition::Duplicate => NodeState::Duplicate,
            _ if self.last_fault.is_some() => NodeState::Failing,
            NodeCondition::Ready => NodeState::Ready,
            NodeCondition::Resting => NodeState::Resting,
            NodeCondition::Unknown => NodeState::Unknown,
        }
    }

    /// By how many seconds its clock is ahead of this machine's: it was read half-way through the round trip, more or less.
    pub(crate) fn clock_offset(&self, now: Moment, wall: WallTime) -> Option<f64> {
        self.report?;
        let Sample { taken, round_trip, node, .. } = self.sample?;
        let node = node.after(now.since(taken) + round_trip / 2).unix_us();
        let us = i64::try_from(node.abs_diff(wall.unix_us())).ok()?;
        let us = if node < wall.unix_us() { -us } else { us };
        #[expect(clippy::cast_precision_loss, reason = "clocks that differ by centuries do so roughly")]
        Some(us as f64 / 1e6)
    }

    /// The status that users see.
    pub(crate) fn status(&self, id: NodeId, address: String, now: Moment) -> NodeStatus {
        NodeStatus {
            id,
            address,
            condition: self.state,
            rests_for: self.rests_until().map(|until| until.since(now)).filter(|left| !left.is_zero()),
            rests_because: self.rests_because(),
            last_fault: self.last_fault.clone(),
            run_id: self.run_id,
            round_trip: self.round_trip(),
            clock: self.sample.map(|sample| sample.node.after(now.since(sample.taken))),
        }
    }
}

/// What a locker knows about one node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeStatus {
    /// The node.
    pub id: NodeId,
    /// Its address.
    pub address: String,
    /// Its condition.
    pub condition: NodeCondition,
    /// How much longer it rests.
    pub rests_for: Option<Duration>,
    /// Why it rests, if that is known.
    pub rests_because: Option<Reason>,
    /// The fault of the last probe, if it failed.
    pub last_fault: Option<Fault>,
    /// The run of the server; `None` if INFO is not permitted.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub run_id: Option<RunId>,
    /// The time from the last probe to its reply.
    pub round_trip: Option<Duration>,
    /// What its wall clock shows now, estimated from the last probe.
    pub clock: Option<WallTime>,
}

/// By how much the node's clock moved against the holder's between two samples, more than drift explains.
fn step(before: Sample, after: Sample, drift_ppm: u32) -> Option<Duration> {
    if before.run_id != after.run_id {
        return None; // this is another server, whose clock may differ
    }
    let here = after.taken.since(before.taken).as_micros();
    let there = i128::from(after.node.unix_us()) - i128::from(before.node.unix_us());
    let apart = there.abs_diff(i128::try_from(here).unwrap_or(i128::MAX));
    // The node read its clock at an unknown moment within each round trip.
    let explained = (before.round_trip + after.round_trip).as_micros()
        + here * u128::from(drift_ppm) / 1_000_000
        + crate::protocol::Terms::DRIFT_FLOOR.as_micros();
    (apart > explained).then(|| Duration::from_micros(u64::try_from(apart).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_drift_and_round_trips_do_not_explain() {
        let sample = |taken_ms: u64, node_ms: u64| Sample {
            run_id: None,
            taken: Moment::from_origin(Duration::from_millis(taken_ms)),
            round_trip: Duration::from_millis(1),
            node: WallTime::from_unix_ms(1_700_000_000_000 + node_ms),
        };
        for (story, after, stepped_ms) in [
            ("in step", sample(3_000, 3_000), None),
            ("within drift", sample(3_000, 3_030), None),
            ("forward by an hour", sample(3_000, 3_603_000), Some(3_600_000)),
            ("back by a second", sample(3_000, 2_000), Some(1_000)),
            ("frozen", sample(3_000, 0), Some(3_000)),
        ] {
            let stepped = step(sample(0, 0), after, 10_000);
            assert_eq!(stepped, stepped_ms.map(Duration::from_millis), "{story}");
        }
    }
}
