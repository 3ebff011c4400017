//! [`Foreign`]: a client of another library. It locks by `SET NX PX`, on a majority of the nodes or on one of them.

use std::sync::Arc;

use redfence::{Moment, NodeId, NodeSet};

use super::state::State;
use super::violation::Violation;
use super::world::{TERMS, World};

/// On how many nodes it locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knows {
    /// All of them: it needs a majority.
    All,
    /// The first one only.
    One,
}

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignAction {
    /// It asks its nodes for the lock.
    Begin,
    /// Its request arrives, and its node's reply comes at once.
    Arrive {
        /// Where.
        node: NodeId,
    },
    /// It gives up, or is done, and removes its locks.
    Leave,
}

/// The other client. It acquires once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Foreign {
    pub(super) phase: ForeignPhase,
    /// Where its request has arrived.
    asked: NodeSet,
    /// Where it took the lock.
    granted: NodeSet,
}

/// The phase of the other client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum ForeignPhase {
    #[default]
    Idle,
    Asking {
        started: Moment,
    },
    /// It believes in its lock.
    Holding {
        until: Moment,
    },
    Over,
}

/// What it stores: no holder of redfence.
const VALUE: &[u8] = b"another client";

impl Foreign {
    /// Whether it may still acquire.
    pub(super) const fn may_win(&self) -> bool {
        matches!(self.phase, ForeignPhase::Idle | ForeignPhase::Asking { .. })
    }

    pub(super) const fn believes(&self) -> bool {
        matches!(self.phase, ForeignPhase::Holding { .. })
    }

    /// Whether it took the lock of a node on the way to `later`.
    pub(super) const fn took_more_in(&self, later: &Self) -> bool {
        later.granted.len() > self.granted.len()
    }

    /// Whether it took the lock of a node, and has not removed it.
    pub(super) const fn has_lock_of(&self, node: NodeId) -> bool {
        self.granted.contains(node)
    }

    /// At the end of its lock it stops believing in it.
    pub(super) fn tick(&mut self, now: Moment) {
        if matches!(self.phase, ForeignPhase::Holding { until } if now >= until) {
            self.phase = ForeignPhase::Over;
        }
    }
}

impl World {
    fn known_to_foreign(&self) -> NodeSet {
        match self.setup.foreign {
            Some(Knows::All) => NodeSet::first(self.setup.nodes),
            Some(Knows::One) => NodeSet::first(1),
            None => NodeSet::EMPTY,
        }
    }

    /// Whether the other client may still acquire, or believes.
    pub(super) fn has_foreign_rival(&self, state: &State) -> bool {
        self.setup.foreign.is_some() && (state.foreign.may_win() || state.foreign.believes())
    }

    pub(super) fn choices_of_foreign(&self, state: &State) -> Vec<ForeignAction> {
        let Foreign { phase, asked, .. } = state.foreign;
        match (self.setup.foreign, phase) {
            (None, _) | (_, ForeignPhase::Over) => Vec::new(),
            (_, ForeignPhase::Idle) => vec![ForeignAction::Begin],
            _ => {
                let open = self.known_to_foreign().without(asked);
                open.iter().map(|node| ForeignAction::Arrive { node }).chain([ForeignAction::Leave]).collect()
            }
        }
    }

    pub(super) fn step_of_foreign(&self, state: &mut State, action: ForeignAction) -> Option<()> {
        match action {
            ForeignAction::Begin => state.foreign.phase = ForeignPhase::Asking { started: state.moment() },
            ForeignAction::Arrive { node } => self.foreign_arrives(state, node)?,
            ForeignAction::Leave => {
                for node in state.foreign.granted.iter() {
                    let server = Arc::make_mut(state.servers.get_mut(node.index())?);
                    server.node.vacate(&self.resource, VALUE);
                }
                state.foreign.granted = NodeSet::EMPTY;
                state.foreign.phase = ForeignPhase::Over;
            }
        }
        Some(())
    }

    fn foreign_arrives(&self, state: &mut State, node: NodeId) -> Option<()> {
        let (now, wall) = (state.moment(), state.wall());
        let server = Arc::make_mut(state.servers.get_mut(node.index())?);
        state.foreign.asked.insert(node);
        if server.node.occupy(wall, &self.resource, VALUE, Some(TERMS.ttl)) {
            server.occupant.0 = None;
            state.foreign.granted.insert(node);
        }
        let ForeignPhase::Asking { started } = state.foreign.phase else { return Some(()) };
        let needed = self.known_to_foreign().len() / 2 + 1;
        if state.foreign.granted.len() >= needed && TERMS.validity(now.since(started)).is_some() {
            state.foreign.phase = ForeignPhase::Holding { until: TERMS.valid_until(started) };
            state.broken = self.held_by_both(state);
        }
        Some(())
    }

    /// If locks last, no attempt believes in its lease while the other client believes in its lock.
    pub(super) fn held_by_both(&self, state: &State) -> Option<Violation> {
        let holder = state.attempts.iter().position(|attempt| attempt.phase.lease().is_some())?;
        (state.foreign.believes() && self.locks_last()).then_some(Violation::HeldByForeign(holder))
    }
}
