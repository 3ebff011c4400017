//! [`Process`]: one process that wants the lock: its phase and its messages.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use redfence::protocol::{Contender, Waits};
use redfence::{Moment, NodeId, NodeSet};

use super::message::{ToNode, ToProcess};
use super::round::Round;
use super::world::{LONG, NOW};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) phase: Phase,
    /// Present while it wants the lock.
    pub(super) wait_state: Option<WaitState>,
    /// Whether nodes may have it in their queues.
    pub(super) is_queued: bool,
    /// Whether it is paused for good; its connections stay open.
    pub(super) is_paused: bool,
    /// One channel for each node.
    pub(super) channels: Vec<Channel>,
}

/// The phase of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// It does not want the lock yet.
    Idle,
    /// An attempt is on its way.
    Asking(Round),
    /// An attempt was lost, and it sleeps.
    Asleep(Round),
    /// It has the lock.
    Holding(Round),
    /// It has released the lock.
    Served(Round),
    /// It gave up.
    Left,
    /// It died.
    Dead,
}

/// What is on its way between a process and a node, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Channel {
    pub(super) to_node: VecDeque<ToNode>,
    pub(super) to_process: VecDeque<ToProcess>,
    /// The node knows that the connection has ended.
    pub(super) ended: bool,
}

/// A contender. Contenders that differ only by the lengths of their pauses are equal.
#[derive(Debug, Clone)]
pub(super) struct WaitState {
    pub(super) contender: Contender,
    /// The nodes that woke it since it last asked.
    pub(super) woken: NodeSet,
}

impl Process {
    pub(super) const fn idle(channels: Vec<Channel>) -> Self {
        Self { phase: Phase::Idle, wait_state: None, is_queued: false, is_paused: false, channels }
    }

    /// Whether it does anything at all.
    pub(super) const fn moves(&self) -> bool {
        !self.is_paused && !matches!(self.phase, Phase::Dead)
    }

    /// Whether it has the lock.
    pub(super) const fn holds(&self) -> bool {
        matches!(self.phase, Phase::Holding(_))
    }

    /// Puts messages on their way.
    pub(super) fn send(&mut self, message: impl IntoIterator<Item = (NodeId, ToNode)>) {
        for (node, message) in message {
            if let Some(channel) = self.channels.get_mut(node.index()) {
                channel.to_node.push_back(message);
            }
        }
    }

    /// Whether it wants the lock, and lives.
    pub(super) const fn wants(&self) -> bool {
        !self.is_paused && matches!(self.phase, Phase::Asking(_) | Phase::Asleep(_))
    }

    /// Whether all grants have arrived, except those of its last attempt. It asks only then; otherwise messages would
    /// pile up without end.
    pub(super) fn may_ask(&self) -> bool {
        let last = self.round().map(|round| round.name);
        let is_older = |message: &ToNode| matches!(message, ToNode::Grant(name, _) if Some(*name) != last);
        !self.channels.iter().any(|channel| channel.to_node.iter().any(is_older))
    }

    /// Whether its timer is a short one; `None` if it does not sleep.
    pub(super) fn fires_soon(&self) -> Option<bool> {
        match (&self.phase, &self.wait_state) {
            (Phase::Asleep(_), Some(wait_state)) if !self.is_paused => Some(wait_state.fires_soon()),
            _ => None,
        }
    }

    /// Whether it takes a lock that is reserved for another when it asks.
    pub(super) fn overrides(&self) -> bool {
        let waits = self.wait_state.as_ref().and_then(|wait_state| wait_state.contender.clone().ask(NOW));
        waits.is_some_and(|waits| waits.overrides)
    }

    pub(super) const fn round(&self) -> Option<&Round> {
        match &self.phase {
            Phase::Asking(round) | Phase::Asleep(round) | Phase::Holding(round) | Phase::Served(round) => Some(round),
            Phase::Idle | Phase::Left | Phase::Dead => None,
        }
    }
}

impl WaitState {
    pub(super) fn fires_soon(&self) -> bool {
        let at: Moment = self.contender.asks_at();
        at.since(NOW) < LONG
    }

    /// Everything that decides its next step, except the length of pauses.
    fn key(&self) -> (NodeSet, bool, Option<Waits>) {
        (self.woken, self.fires_soon(), self.contender.clone().ask(NOW))
    }
}

impl PartialEq for WaitState {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for WaitState {}

impl Hash for WaitState {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}
