//! [`Round`]: one attempt and what it sends when, as the shipped exchange does.

use redfence::protocol::{Acquire, Footprint, LockView, Next, Publish, Quorum, Reply, Step};
use redfence::{NodeId, NodeSet};

use super::message::ToNode;
use super::world::NOW;

/// One attempt: its machine while it is undecided, and the nodes that may have its lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Round {
    pub(super) name: usize,
    pub(super) machine: Option<Acquire>,
    footprint: Footprint,
    granted: NodeSet,
    refused: NodeSet,
    is_won: bool,
    /// Which waiter a node wakes if it grants after the attempt was lost; set while answers are missing.
    patient: Option<Next>,
    /// The attempts that refusals named, as bits: their names must not be used again.
    pub(super) met: u32,
}

impl Round {
    pub(super) fn begin(name: usize, machine: Acquire, asked: NodeSet) -> Self {
        Self {
            name,
            machine: Some(machine),
            footprint: Footprint::asked(asked),
            granted: NodeSet::EMPTY,
            refused: NodeSet::EMPTY,
            is_won: false,
            patient: None,
            met: 0,
        }
    }

    /// A reply to its grant. Returns the machine's step, and the message to send to the node at once.
    pub(super) fn receive(&mut self, node: NodeId, reply: Reply) -> (Step, Option<ToNode>) {
        self.footprint.on_grant(node, &reply);
        let is_queued = matches!(reply, Reply::Refused(LockView { place: Some(_), .. }));
        let is_granted = matches!(reply, Reply::Granted { .. });
        if !self.is_won && is_granted {
            self.granted.insert(node);
        } else if !self.is_won && is_queued {
            self.refused.insert(node);
        }
        let message = match self.patient {
            _ if self.is_won && is_queued => Some(ToNode::Leave),
            Some(next) if is_granted => Some(ToNode::Release(self.name, next)),
            _ => None,
        };
        let step = self.machine.as_mut().map_or(Step::Wait, |machine| machine.reply(node, reply, NOW));
        (step, message)
    }

    /// It was won: nodes that refused may have the process in their queues.
    pub(super) fn win(&mut self) -> Vec<(NodeId, ToNode)> {
        (self.machine, self.is_won) = (None, true);
        self.refused.iter().map(|node| (node, ToNode::Leave)).collect()
    }

    /// It was lost: nodes that granted get the release at once, others when they grant.
    pub(super) fn roll_back(&mut self, next: Next) -> Vec<(NodeId, ToNode)> {
        (self.machine, self.patient) = (None, Some(next));
        let granted = self.granted;
        let outstanding = self.footprint.outstanding();
        outstanding.iter().filter(|node| granted.contains(*node)).map(|node| (node, self.release(next))).collect()
    }

    /// It stops waiting for answers.
    pub(super) fn give_up(&mut self) -> Vec<(NodeId, ToNode)> {
        let Some(next) = self.patient.take() else { return Vec::new() };
        self.footprint.unanswered().iter().map(|node| (node, self.release(next))).collect()
    }

    /// The lease is released, or the attempt dropped. A quorum of the nodes that granted wakes the next waiter, and one
    /// of them the second.
    pub(super) fn leave(&mut self, quorum: Quorum) -> Vec<(NodeId, ToNode)> {
        self.machine = None;
        let outstanding = self.footprint.outstanding();
        let granted = outstanding.iter().filter(|node| self.granted.contains(*node));
        let granted: NodeSet = granted.take(quorum.needed()).collect();
        let publishers = if quorum.is_met_by(granted) { granted } else { outstanding };
        let tells = |node| match publishers.iter().position(|teller| teller == node) {
            Some(0) => Publish::ToFirstTwo,
            Some(_) => Publish::ToFirst,
            None => Publish::Nothing,
        };
        outstanding.iter().map(|node| (node, self.release(Next::Queue(tells(node))))).collect()
    }

    const fn release(&self, next: Next) -> ToNode {
        ToNode::Release(self.name, next)
    }
}
