//! Listing what is held: a walk over all locks of all nodes, in bounded steps.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{Fault, FaultKind, Reply, Sighting, Verb};
use crate::redlock::env::Env;
use crate::redlock::handle::Redlock;
use crate::redlock::round::ask::{ask_all, no_subject};
use crate::redlock::round::exchange::Phase;
use crate::{NodeId, NodeSet, Resource, Waiter};

/// The locks that a walk over the nodes found. Advisory: it takes its time, and locks come and go meanwhile.
#[derive(Debug, Clone)]
pub struct Listing {
    /// By name; a resource on which nodes disagree stands here once for each holder.
    pub locks: Vec<Listed>,
    /// How many nodes must agree.
    pub needed: usize,
    /// How many nodes there are.
    pub nodes: usize,
    /// Why there may be more than this; `None` when this is all.
    pub partial: Option<Partial>,
}

/// One lock that nodes have for one holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What is held.
    pub resource: Resource,
    /// The stored holder value as it is. It may be another program's.
    pub occupant: Box<str>,
    /// How long the lock lives on where it lives longest; `None` where it never ends.
    pub ttl_left: Option<Duration>,
    /// On how many nodes it is. Fewer than [`Listing::needed`] hold nothing.
    pub nodes: usize,
}

/// Why a listing is not all.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Partial {
    /// The addresses of nodes that did not answer to the end, and why.
    pub unanswered: Vec<(String, Fault)>,
    /// The addresses of nodes that have more keys than one listing looks at.
    pub unfinished: Vec<String>,
    /// How many locks were found and left off because of the limit.
    pub left_off: usize,
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (address, fault) in &self.unanswered {
            write!(f, "{between}no answer from {address}: {fault}")?;
            between = "; ";
        }
        for address in &self.unfinished {
            write!(f, "{between}{address} has more keys than one listing looks at")?;
            between = "; ";
        }
        match self.left_off {
            0 => Ok(()),
            more => write!(f, "{between}{more} more left off, the limit is reached"),
        }
    }
}

/// How many keys a node looks at in one step: some tenths of a millisecond, in which it serves nobody else.
const STEP_KEYS: u32 = 500;
/// The most steps of one listing: half a million keys a node.
const LISTING_STEPS_MAX: usize = 1_000;
/// The most locks that are kept of one node.
const LOCKS_PER_NODE_MAX: usize = 100_000;

impl Redlock {
    /// Lists the locks whose names begin with `prefix`, at most `limit` of them, by a walk over all nodes in bounded
    /// steps. Changes nothing, holds nobody up for long, and promises nothing about the next moment.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn list(&self, prefix: &str, limit: usize) -> Listing {
        let walks = walk(self.env(), self.settings.node_timeout, LISTING_STEPS_MAX, false, prefix).await;
        let addresses = self.addresses();
        let (mut merged, mut partial) = (BTreeMap::<(Resource, Box<str>), Listed>::new(), Partial::default());
        for (walk, address) in walks.into_iter().zip(addresses) {
            match walk.end {
                End::Reached => {}
                End::Failed(fault) => partial.unanswered.push((address, fault)),
                End::TooFar => partial.unfinished.push(address),
            }
            for Sighting { resource, occupant, ttl_left } in walk.found.into_values() {
                if Waiter::reserved(&occupant).is_some() {
                    continue;
                }
                let fresh = || Listed { resource: resource.clone(), occupant: occupant.clone(), ttl_left, nodes: 0 };
                let listed = merged.entry((resource.clone(), occupant.clone())).or_insert_with(fresh);
                listed.nodes += 1;
                // None is for ever, so it is the longest.
                listed.ttl_left = listed.ttl_left.zip(ttl_left).map(|(one, other)| one.max(other));
            }
        }
        let mut locks: Vec<_> = merged.into_values().collect();
        partial.left_off = locks.len().saturating_sub(limit);
        locks.truncate(limit);
        let is_all = partial.unanswered.is_empty() && partial.unfinished.is_empty() && partial.left_off == 0;
        let (needed, nodes) = (self.env().quorum.needed(), self.env().quorum.nodes());
        Listing { locks, needed, nodes, partial: (!is_all).then_some(partial) }
    }
}

/// A walk over the locks of one node.
pub(crate) struct Walk {
    pub(crate) found: BTreeMap<Resource, Sighting>,
    pub(crate) end: End,
}

/// How a walk ended.
pub(crate) enum End {
    Reached,
    Failed(Fault),
    /// There are more steps, or more locks, than were allowed.
    TooFar,
}

/// Walks over the locks of all nodes, side by side, and tells those that begin with `prefix`. With `remove` it removes
/// every lock that it comes across, whatever it is called.
pub(crate) async fn walk(
    env: &Arc<Env>,
    node_timeout: Duration,
    steps_max: usize,
    remove: bool,
    prefix: &str,
) -> Vec<Walk> {
    let everybody = env.everybody();
    let fresh = || (Walk { found: BTreeMap::new(), end: End::TooFar }, 0_u64);
    let mut walks: Vec<_> = everybody.iter().map(|_| fresh()).collect();
    let (Some(subject), mut under_way) = (no_subject(), everybody) else { return Vec::new() };
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
                    let matching = locks.into_iter().filter(|lock| lock.resource.as_str().starts_with(prefix));
                    walk.found.extend(matching.map(|lock| (lock.resource.clone(), lock)));
                    *cursor = next;
                    if next == 0 {
                        walk.end = End::Reached;
                    }
                    next != 0 && (remove || walk.found.len() < LOCKS_PER_NODE_MAX)
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
