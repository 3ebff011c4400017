//! Lists locks: a walk over all locks of all nodes, in bounded steps.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Admin;
use crate::protocol::{Fault, FaultKind, LockState, Reply, ScannedLock, Verb};
use crate::redlock::env::Env;
use crate::redlock::membership::node_health::NodeCondition;
use crate::redlock::round::ask::{ask_all, no_subject};
use crate::redlock::round::exchange::Phase;
use crate::{NodeId, NodeSet, Occupant, Resource};

/// The locks that a walk over the nodes found. It is advisory: locks come and go during the walk.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listing {
    /// The locks by name. A resource on which nodes disagree has one entry for each holder.
    pub locks: Vec<Listed>,
    /// How many nodes must agree.
    pub needed: usize,
    /// How many nodes there are.
    pub nodes: usize,
    /// Why the list may be incomplete; `None` if it is complete.
    pub partial: Option<Partial>,
}

impl Listing {
    /// How many nodes answered.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn answered(&self) -> usize {
        self.nodes - self.partial.as_ref().map_or(0, |partial| partial.unanswered.len())
    }

    /// Whether so many nodes answered and take part that one of them has every lock that a quorum holds. Then no
    /// process holds a resource that is missing here, unless the list was cut.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        let resting = self.partial.as_ref().map_or(0, |partial| partial.resting.len());
        self.answered() - resting >= self.needed
    }
}

/// One lock that nodes have for one holder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// What is locked.
    pub resource: Resource,
    /// The holder, or another program.
    pub occupant: Occupant,
    /// How much longer the lock lives, on the node where it lives longest; `None` if it never ends there.
    pub ttl_left: Option<Duration>,
    /// How many nodes have it. Fewer than [`Listing::needed`] are not a lease.
    pub nodes: usize,
}

/// Why a listing is incomplete.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Partial {
    /// The addresses of nodes that did not answer until the end, and why.
    pub unanswered: Vec<(String, Fault)>,
    /// The addresses of nodes that answered but rest: they may have forgotten locks.
    pub resting: Vec<String>,
    /// The addresses of nodes that have more keys than one listing visits.
    pub unfinished: Vec<String>,
    /// How many locks were found but left off because of the limit.
    pub left_off: usize,
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut unanswered: Vec<(String, Vec<&str>)> = Vec::new();
        for (address, fault) in &self.unanswered {
            let fault = fault.to_string();
            match unanswered.iter_mut().find(|(known, _)| *known == fault) {
                Some((_, addresses)) => addresses.push(address),
                None => unanswered.push((fault, vec![address])),
            }
        }
        for (fault, addresses) in unanswered {
            write!(f, "{between}no answer from {}: {fault}", addresses.join(", "))?;
            between = "; ";
        }
        if !self.resting.is_empty() {
            let rest = if self.resting.len() == 1 { "rests" } else { "rest" };
            write!(f, "{between}{} {rest} and may have forgotten locks", self.resting.join(", "))?;
            between = "; ";
        }
        if !self.unfinished.is_empty() {
            let have = if self.unfinished.len() == 1 { "has" } else { "have" };
            write!(f, "{between}{} {have} more keys than one listing visits", self.unfinished.join(", "))?;
            between = "; ";
        }
        match self.left_off {
            0 => Ok(()),
            more => write!(f, "{between}{more} more left off, the limit is reached"),
        }
    }
}

/// How many keys a node visits in one step. It takes some tenths of a millisecond, in which the node serves no other
/// client.
const STEP_KEYS: u32 = 500;
/// The most steps of one listing: half a million keys on each node.
const LISTING_STEPS_MAX: usize = 1_000;
/// The most locks of one node that are kept.
const LOCKS_PER_NODE_MAX: usize = 100_000;

impl Admin<'_> {
    /// Lists the locks whose names begin with `prefix`, at most `limit` of them, by a walk over all nodes in bounded
    /// steps. It changes nothing, delays other clients only briefly, and promises nothing about the next moment.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing changes.
    pub async fn list(&self, prefix: &str, limit: usize) -> Listing {
        let names: Vec<_> = self.0.env().nodes().map(|_| Names::beginning_with(prefix)).collect();
        let walks = walk(self.0.env(), self.0.settings.node_timeout, LISTING_STEPS_MAX, false, names).await;
        let (mut merged, mut partial) = (BTreeMap::<(Resource, Occupant), Listed>::new(), Partial::default());
        for (walk, status) in walks.into_iter().zip(self.0.nodes()) {
            let rests = status.condition == NodeCondition::Resting && !matches!(walk.end, End::Failed(_));
            if rests {
                partial.resting.push(status.address.clone());
            }
            match walk.end {
                End::Reached => {}
                End::Failed(fault) => partial.unanswered.push((status.address, fault)),
                End::TooFar => partial.unfinished.push(status.address),
            }
            for ScannedLock { resource, lock, ttl_left } in walk.found.0.into_values() {
                let LockState::HeldBy(occupant) = lock else { continue };
                let fresh = || Listed { resource: resource.clone(), occupant: occupant.clone(), ttl_left, nodes: 0 };
                let listed = merged.entry((resource.clone(), occupant.clone())).or_insert_with(fresh);
                listed.nodes += 1;
                // `None` means that it never ends, so it is the longest.
                listed.ttl_left = listed.ttl_left.zip(ttl_left).map(|(one, other)| one.max(other));
            }
        }
        let mut locks: Vec<_> = merged.into_values().collect();
        partial.left_off = locks.len().saturating_sub(limit);
        locks.truncate(limit);
        let all_told = partial.unanswered.is_empty() && partial.resting.is_empty() && partial.unfinished.is_empty();
        let is_all = all_told && partial.left_off == 0;
        let (needed, nodes) = (self.0.env().quorum.needed(), self.0.env().quorum.nodes());
        Listing { locks, needed, nodes, partial: (!is_all).then_some(partial) }
    }
}

/// What a walk keeps of the locks that it finds on one node.
pub(crate) trait Collection {
    /// Takes the locks of one step. Returns whether there is room for more.
    fn take(&mut self, locks: Vec<ScannedLock>) -> bool;
}

/// The locks whose names begin with a prefix, by name. A lock is kept once, even if the scan reports it again.
struct Names<'a>(BTreeMap<Resource, ScannedLock>, &'a str);

impl<'a> Names<'a> {
    const fn beginning_with(prefix: &'a str) -> Self {
        Self(BTreeMap::new(), prefix)
    }
}

impl Collection for Names<'_> {
    fn take(&mut self, locks: Vec<ScannedLock>) -> bool {
        let matching = locks.into_iter().filter(|lock| lock.resource.as_str().starts_with(self.1));
        self.0.extend(matching.map(|lock| (lock.resource.clone(), lock)));
        self.0.len() < LOCKS_PER_NODE_MAX
    }
}

/// The number of locks. A walk that removes locks finds none twice, so it needs no names.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count(pub(crate) usize);

impl Collection for Count {
    fn take(&mut self, locks: Vec<ScannedLock>) -> bool {
        self.0 += locks.len();
        true
    }
}

/// A walk over the locks of one node.
pub(crate) struct Walk<C> {
    pub(crate) found: C,
    pub(crate) end: End,
}

/// The end of a walk.
pub(crate) enum End {
    Reached,
    Failed(Fault),
    /// There are more steps or more locks than allowed.
    TooFar,
}

/// Walks over the locks of all nodes in parallel, and fills one collection for each node. With `remove`, it removes
/// every lock that it finds.
pub(crate) async fn walk<C: Collection>(
    env: &Arc<Env>,
    node_timeout: Duration,
    steps_max: usize,
    remove: bool,
    collections: Vec<C>,
) -> Vec<Walk<C>> {
    let all_nodes = env.all_nodes();
    let begun = |found| (Walk { found, end: End::TooFar }, 0_u64);
    let mut walks: Vec<_> = collections.into_iter().map(begun).collect();
    let (Some(subject), mut under_way) = (no_subject(), all_nodes) else { return Vec::new() };
    for _ in 0..steps_max {
        if under_way.is_empty() {
            break;
        }
        let cursors: Vec<u64> = walks.iter().map(|(_, cursor)| *cursor).collect();
        let verb = |node: NodeId| {
            let cursor = cursors.get(node.index()).copied().unwrap_or_default();
            Verb::Scan { cursor, count: STEP_KEYS, remove }
        };
        for (node, reply) in ask_all(env, Arc::clone(&subject), Phase::Operate, under_way, &verb, node_timeout).await {
            let Some((walk, cursor)) = walks.get_mut(node.index()) else { continue };
            let goes_on = match reply {
                Reply::Scanned { cursor: next, locks } => {
                    let has_room = walk.found.take(locks);
                    *cursor = next;
                    if next == 0 {
                        walk.end = End::Reached;
                    }
                    next != 0 && has_room
                }
                Reply::Failed(fault) => {
                    walk.end = End::Failed(fault);
                    false
                }
                other => {
                    walk.end = End::Failed(Fault::new(FaultKind::Unexpected, format!("{other:?}")));
                    false
                }
            };
            if !goes_on {
                under_way = under_way.without(NodeSet::from_iter([node]));
            }
        }
    }
    walks.into_iter().map(|(walk, _)| walk).collect()
}
