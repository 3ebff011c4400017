//! [`Mutant`]: the short cuts that look harmless.

use redfence::node::NodeState;
use redfence::protocol::{Reply, Request, Verb};
use redfence::{NodeId, NodeSet, WallTime};

/// A wrong protocol. Each differs from the right one in a single place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutant {
    /// token = max over the quorum, and no seal.
    NoSeal,
    /// A seal raises the counter without looking whose the lock is.
    SealWithoutHolder,
    /// A node that lost its counters votes, and its counters start anew from the lowest number that counts.
    ForgottenCounterVotes,
    /// A quorum of the nodes that can be reached, in place of the configured ones.
    ReachableQuorum,
    /// An extension takes a lost lock again and counts that as a vote.
    ExtendReseeds,
    /// A node delivers a grant twice.
    GrantTwice,
}

impl Mutant {
    /// What a node does with a request under this mutant.
    pub(crate) fn apply(mutant: Option<Self>, node: &mut NodeState, now: WallTime, request: &Request) -> Reply {
        match (mutant, request.verb) {
            (Some(Self::SealWithoutHolder), Verb::Seal { token }) => {
                let slot = request.subject.resource.slot();
                node.set_counter(slot, node.counter(slot).max(token));
                Reply::Sealed
            }
            (Some(Self::ExtendReseeds), Verb::Extend { ttl }) => match node.apply(now, request) {
                Reply::Refused(view) if view.occupant.is_none() => {
                    let verb = Verb::Grant { ttl, floor: 0, block: 1, polite: false };
                    node.apply(now, &Request { verb, ..request.clone() });
                    Reply::Extended
                }
                reply => reply,
            },
            _ => node.apply(now, request),
        }
    }

    /// As which node an attempt that can reach `reachable` counts `node`.
    pub(crate) fn counted_as(mutant: Option<Self>, reachable: NodeSet, node: NodeId) -> NodeId {
        match mutant {
            Some(Self::ReachableQuorum) => {
                NodeId::new(reachable.iter().take_while(|other| *other < node).count()).unwrap_or(node)
            }
            _ => node,
        }
    }

    /// When the counters of a node that forgot everything at `now` start.
    pub(crate) const fn counters_start(mutant: Option<Self>, now: WallTime) -> WallTime {
        match mutant {
            Some(Self::ForgottenCounterVotes) => WallTime::from_unix_us(redfence::protocol::COUNTER_MIN),
            _ => now,
        }
    }

    /// How many nodes an attempt that can reach `reachable` of `nodes` counts.
    pub(crate) fn counted(mutant: Option<Self>, nodes: usize, reachable: NodeSet) -> usize {
        match mutant {
            Some(Self::ReachableQuorum) => reachable.len().max(1),
            _ => nodes,
        }
    }
}
