//! [`Env`]: what all parts of a locker share: nodes, quorum, clock, chance, and the notes of all rounds.

pub(crate) mod late;
pub(crate) mod meters;
pub(crate) mod ready;
pub(crate) mod spans;
pub(crate) mod timer;
pub(crate) mod watermarks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crc::{CRC_32_ISO_HDLC, Crc};
use tokio::sync::mpsc;

use self::late::LateReplies;
use self::meters::Meters;
use self::ready::Ready;
use self::watermarks::CounterWatermarks;
use crate::node::{Node, Process};
use crate::protocol::{Footprint, Quorum, Subject};
use crate::{Clock, Entropy, Moment, NodeId, NodeSet, Spawner};

/// What all rounds of a locker share.
pub(crate) struct Env {
    pub(crate) nodes: Box<[Arc<dyn Node>]>,
    pub(crate) quorum: Quorum,
    /// The process that owns the leases.
    pub(crate) process: Process,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<Entropy>,
    pub(crate) spawner: Arc<dyn Spawner>,
    /// The highest counters that replies reported.
    pub(crate) watermarks: CounterWatermarks,
    /// Which nodes may be asked for grants.
    pub(crate) ready: Ready,
    pub(crate) late: LateReplies,
    pub(crate) leftovers: Leftovers,
    pub(crate) meters: Meters,
    arrivals: AtomicU64,
    set: OnceLock<u32>,
}

/// The checksum of the addresses of a set.
const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

impl Env {
    pub(crate) fn new(
        nodes: Box<[Arc<dyn Node>]>,
        quorum: Quorum,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
        spawner: Arc<dyn Spawner>,
        meters: Meters,
    ) -> Self {
        Self {
            ready: Ready::new(nodes.len()),
            nodes,
            quorum,
            process: Process::current(),
            clock,
            entropy,
            spawner,
            watermarks: CounterWatermarks::new(),
            late: LateReplies::new(),
            leftovers: Leftovers::default(),
            meters,
            arrivals: AtomicU64::new(1),
            set: OnceLock::new(),
        }
    }

    /// A checksum that is equal for lockers which name the same nodes in the same order.
    pub(crate) fn set(&self) -> u32 {
        let addresses = || self.nodes.iter().map(|node| node.address()).collect::<Vec<_>>().join("\n");
        *self.set.get_or_init(|| CRC32.checksum(addresses().as_bytes()))
    }

    /// Every node with its id.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Arc<dyn Node>)> {
        NodeId::all(self.nodes.len()).zip(self.nodes.iter())
    }

    /// The ids of all nodes.
    pub(crate) fn all_nodes(&self) -> NodeSet {
        NodeSet::first(self.quorum.nodes())
    }

    /// A number greater than all earlier ones: the order in which the tasks of this process arrive.
    pub(crate) fn arrival(&self) -> u64 {
        self.arrivals.fetch_add(1, Ordering::Relaxed)
    }

    /// A quorum among `nodes` that are `known` to answer, if there are enough; else all of `nodes`. Each call chooses
    /// another quorum: a node notices that a waiter is gone only when it publishes to it.
    pub(crate) fn quorum_of(&self, known: NodeSet, nodes: NodeSet) -> NodeSet {
        let all = self.nodes.len();
        let first = usize::try_from(self.arrival()).unwrap_or_default() % all.max(1);
        let around = (first..first + all).filter_map(|at| NodeId::new(at % all));
        let known = around.filter(|node| known.contains(*node) && nodes.contains(*node));
        let quorum: NodeSet = known.take(self.quorum.needed()).collect();
        if self.quorum.is_met_by(quorum) { quorum } else { nodes }
    }
}

/// Locks of an ended attempt that may still exist, or may still be set, on some nodes.
pub(crate) struct Leftover {
    /// Kept alive until the releases are acknowledged, even if the locker and its last guard are gone.
    pub(crate) env: Arc<Env>,
    pub(crate) subject: Arc<Subject>,
    pub(crate) footprint: Footprint,
    pub(crate) until: Moment,
}

impl Leftover {
    /// Gives up: the release is not repeated, and the lock ends with its time to live.
    pub(crate) fn abandon(self, reason: &str) {
        let Self { subject, footprint, .. } = self;
        let nodes = footprint.outstanding();
        tracing::warn!(resource = %subject.resource, holder = ?subject.holder, %nodes, reason, "unacknowledged release abandoned; the lock ends with its time to live");
    }
}

/// The sending half of the channel to the sweeper, the task that repeats releases.
#[derive(Default)]
pub(crate) struct Leftovers(Mutex<Option<mpsc::UnboundedSender<Leftover>>>);

impl Leftovers {
    /// The receiving half, for a sweeper that is about to start; `None` if a sweeper runs.
    pub(crate) fn open(&self) -> Option<mpsc::UnboundedReceiver<Leftover>> {
        let mut sender = self.lock();
        if !sender.as_ref().is_none_or(mpsc::UnboundedSender::is_closed) {
            return None;
        }
        let (fresh, leftovers) = mpsc::unbounded_channel();
        *sender = Some(fresh);
        Some(leftovers)
    }

    /// Passes a leftover to the sweeper.
    pub(crate) fn push(&self, leftover: Leftover) {
        let refused = match self.lock().as_ref() {
            Some(sender) => sender.send(leftover).err().map(|refused| refused.0),
            None => Some(leftover),
        };
        if let Some(leftover) = refused {
            leftover.abandon("its runtime has ended");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Leftover>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
