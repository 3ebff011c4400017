//! [`Snapshot`]: what the nodes report at one moment.

use std::time::Duration;

use futures::StreamExt as _;
use redfence::admin::{Listed, Partial};
use redfence::{Clock as _, Moment, NodeCondition, NodeStatus, Printable, Redlock, SystemClock};

use crate::command::status;
use crate::command::watch::Queue;
use crate::words::node;

/// The most locks in the view.
const LOCKS_MAX: usize = 500;
/// For how many resources at a time the nodes are asked who waits.
const QUEUES_AT_A_TIME: usize = 16;
/// After this time the queues of the other resources are left out: there are very many locks, or a node is silent.
const QUEUES_WITHIN: Duration = Duration::from_secs(2);

/// The nodes and the locks.
pub(super) struct Snapshot {
    pub(super) at: Moment,
    pub(super) nodes: Vec<Node>,
    pub(super) needed: usize,
    pub(super) has_quorum: bool,
    pub(super) locks: Vec<Lock>,
    pub(super) partial: Option<Partial>,
}

/// A node in words, as it was at that moment: offsets of clocks are those to this machine's clock then.
pub(super) struct Node {
    pub(super) address: String,
    pub(super) is_ready: bool,
    pub(super) standing: String,
    pub(super) round_trip: String,
    pub(super) clock_offset: String,
}

impl Node {
    fn of(status: &NodeStatus) -> Self {
        Self {
            address: Printable(&status.address).to_string(),
            is_ready: status.last_fault.is_none() && status.condition == NodeCondition::Ready,
            standing: Printable(&node::standing(status)).to_string(),
            round_trip: node::round_trip(status),
            clock_offset: node::clock_offset(status),
        }
    }
}

/// A lock, and who waits for it.
pub(super) struct Lock {
    pub(super) listed: Listed,
    pub(super) holder: String,
    pub(super) label: String,
    /// `None` if the nodes were not asked.
    pub(super) queue: Option<Queue>,
}

impl Snapshot {
    /// Asks the nodes.
    pub(super) async fn take(redlock: &Redlock, prefix: &str) -> Self {
        let listing = redlock.admin().list(prefix, LOCKS_MAX).await;
        let (has_quorum, needed) = (listing.has_quorum(), listing.needed);
        let mut locks: Vec<Lock> = listing.locks.into_iter().map(Lock::of).collect();
        let asked = futures::stream::iter(&mut locks).for_each_concurrent(QUEUES_AT_A_TIME, async |lock| {
            let inspection = redlock.admin().inspect(&lock.listed.resource).await;
            lock.queue = inspection.ok().map(|inspection| Queue::of(&inspection));
        });
        let _ = tokio::time::timeout(QUEUES_WITHIN, asked).await;
        let nodes = redlock.nodes().iter().map(Node::of).collect();
        Self { at: SystemClock.now(), nodes, needed, has_quorum, locks, partial: listing.partial }
    }
}

impl Lock {
    fn of(listed: Listed) -> Self {
        let (holder, label) = status::cells(&listed.occupant);
        Self { listed, holder, label, queue: None }
    }
}
