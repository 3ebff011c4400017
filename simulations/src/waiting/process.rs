//! [`Process`]: one process that wants the lock: how far it is, and its mail.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use redfence::protocol::{Contender, Waits};
use redfence::{Moment, NodeId, NodeSet};

use super::message::{Back, Mail};
use super::round::Round;
use super::world::{LONG, NOW};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) phase: Phase,
    /// While it wants the lock.
    pub(super) sleeper: Option<Sleeper>,
    /// Whether nodes may have it in their queues.
    pub(super) is_queued: bool,
    /// It does nothing any more, and its connections stand.
    pub(super) stands_still: bool,
    /// One line a node.
    pub(super) lines: Vec<Line>,
}

/// How far a process is.
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
    /// It has given the lock back.
    Served(Round),
    /// It gave up.
    Left,
    /// It died.
    Dead,
}

/// What is on its way between a process and a node, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Line {
    pub(super) there: VecDeque<Mail>,
    pub(super) back: VecDeque<Back>,
    /// The node knows that the connection has ended.
    pub(super) ended: bool,
}

/// A contender. Two that differ by the lengths of their pauses alone are one.
#[derive(Debug, Clone)]
pub(super) struct Sleeper {
    pub(super) contender: Contender,
    /// The nodes that woke it since it last asked.
    pub(super) woken: NodeSet,
}

impl Process {
    pub(super) const fn idle(lines: Vec<Line>) -> Self {
        Self { phase: Phase::Idle, sleeper: None, is_queued: false, stands_still: false, lines }
    }

    /// Whether it does anything at all.
    pub(super) const fn moves(&self) -> bool {
        !self.stands_still && !matches!(self.phase, Phase::Dead)
    }

    /// Whether it has the lock.
    pub(super) const fn holds(&self) -> bool {
        matches!(self.phase, Phase::Holding(_))
    }

    /// Puts messages on their way.
    pub(super) fn send(&mut self, mail: impl IntoIterator<Item = (NodeId, Mail)>) {
        for (node, mail) in mail {
            if let Some(line) = self.lines.get_mut(node.index()) {
                line.there.push_back(mail);
            }
        }
    }

    /// Whether it wants the lock, and lives.
    pub(super) const fn wants(&self) -> bool {
        !self.stands_still && matches!(self.phase, Phase::Asking(_) | Phase::Asleep(_))
    }

    /// Whether all grants have arrived but those of its last attempt. It asks no sooner, or mail would pile up without an end.
    pub(super) fn may_ask(&self) -> bool {
        let last = self.round().map(|round| round.name);
        let is_older = |mail: &Mail| matches!(mail, Mail::Grant(name, _) if Some(*name) != last);
        !self.lines.iter().any(|line| line.there.iter().any(is_older))
    }

    /// Whether an alarm rings soon; `None` where it does not sleep.
    pub(super) fn rings_soon(&self) -> Option<bool> {
        match (&self.phase, &self.sleeper) {
            (Phase::Asleep(_), Some(sleeper)) if !self.stands_still => Some(sleeper.rings_soon()),
            _ => None,
        }
    }

    /// Whether it takes a lock that is reserved for another when it asks.
    pub(super) fn overrides(&self) -> bool {
        let waits = self.sleeper.as_ref().and_then(|sleeper| sleeper.contender.clone().ask(NOW));
        waits.is_some_and(|waits| waits.overrides)
    }

    pub(super) const fn round(&self) -> Option<&Round> {
        match &self.phase {
            Phase::Asking(round) | Phase::Asleep(round) | Phase::Holding(round) | Phase::Served(round) => Some(round),
            Phase::Idle | Phase::Left | Phase::Dead => None,
        }
    }
}

impl Sleeper {
    pub(super) fn rings_soon(&self) -> bool {
        let at: Moment = self.contender.asks_at();
        at.since(NOW) < LONG
    }

    /// All that decides what it does next, but for how long it pauses.
    fn key(&self) -> (NodeSet, bool, Option<Waits>) {
        (self.woken, self.rings_soon(), self.contender.clone().ask(NOW))
    }
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Sleeper {}

impl Hash for Sleeper {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}
