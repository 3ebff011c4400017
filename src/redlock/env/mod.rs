//! [`Core`]: what all clones of a locker share.

pub(crate) mod late;
pub(crate) mod timer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::node::Node;
use crate::protocol::{Quorum, Reply};
use crate::redlock::env::late::LateAnswers;
use crate::redlock::lease::renewer::Keeper;
use crate::redlock::membership::roster::Roster;
use crate::redlock::round::sweeper::Sweeper;
use crate::redlock::wait::local_queue::LocalQueues;
use crate::{Clock, Entropy, FencingToken, NodeId, NodeSet, Resource, Spawner, WallTime};

/// Nodes, clock, chance and the background tasks.
pub(crate) struct Core {
    pub(crate) nodes: Box<[Arc<dyn Node>]>,
    pub(crate) quorum: Quorum,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<Entropy>,
    pub(crate) spawner: Arc<dyn Spawner>,
    pub(crate) levels: Levels,
    pub(crate) roster: Roster,
    pub(crate) keeper: Keeper,
    pub(crate) sweeper: Sweeper,
    pub(crate) queues: LocalQueues,
    pub(crate) late: LateAnswers,
}

impl Core {
    /// Every node with its id.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Arc<dyn Node>)> {
        NodeId::all(self.nodes.len()).zip(self.nodes.iter())
    }

    /// A quorum among `nodes` of those that are `known` to answer, as far as there are so many; else all of `nodes`. Another one each time:
    /// a node that tells nobody does not learn which waiters are gone.
    pub(crate) fn quorum_of(&self, known: NodeSet, nodes: NodeSet) -> NodeSet {
        let all = self.nodes.len();
        let first = usize::try_from(self.queues.arrival()).unwrap_or_default() % all.max(1);
        let around = (first..first + all).filter_map(|at| NodeId::new(at % all));
        let known = around.filter(|node| known.contains(*node) && nodes.contains(*node));
        let quorum: NodeSet = known.take(self.quorum.needed()).collect();
        if quorum.len() < self.quorum.needed() { nodes } else { quorum }
    }
}

/// The highest counter that this process has seen in each slot.
pub(crate) struct Levels(Box<[AtomicU64]>);

impl Levels {
    pub(crate) fn new() -> Self {
        Self((0..Resource::SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// What a grant asks counters to be at least: one block above all that was seen, so that nodes that lag catch up and the
    /// quorum agrees without a seal round. Only a hint: safety never depends on it.
    pub(crate) fn floor(&self, slot: u16, block: u32) -> u64 {
        match self.seen(slot) {
            0 => 0,
            seen => seen + u64::from(block),
        }
    }

    /// How many tokens may be drawn at once where `wanted` are wanted: one, where the slot's counter is about to overtake the
    /// clock. A counter that starts anew starts at the clock, and must be above everything that was drawn.
    pub(crate) fn block(&self, slot: u16, wanted: u32, wall: WallTime) -> u32 {
        /// As many tokens as a second has microseconds: for all that draw at the same moment.
        const MARGIN: u64 = 1_000_000;
        let behind = wall.unix_us().saturating_sub(MARGIN) > self.seen(slot).saturating_add(u64::from(wanted));
        if behind { wanted.max(1) } else { 1 }
    }

    fn seen(&self, slot: u16) -> u64 {
        self.0.get(usize::from(slot)).map_or(0, |level| level.load(Ordering::Relaxed))
    }

    /// The highest counter seen in any slot: where counters of a node that lost them must not start below.
    pub(crate) fn highest(&self) -> u64 {
        self.0.iter().map(|level| level.load(Ordering::Relaxed)).max().unwrap_or_default()
    }

    /// Takes in the counter that a reply mentions.
    pub(crate) fn observe(&self, slot: u16, reply: &Reply) {
        let counter = match reply {
            Reply::Granted { counter } => *counter,
            Reply::Refused(view) | Reply::Seen(view) => view.counter,
            _ => return,
        };
        if let (Some(level), true) = (self.0.get(usize::from(slot)), counter < FencingToken::MAX) {
            level.fetch_max(counter, Ordering::Relaxed);
        }
    }
}
