//! [`Attempt`]: one attempt of one client: its machine, its messages, and the lease that it won.

use redfence::protocol::{Acquire, Continuity, Extend, Footprint, LockView, Reply, TokenBlock, Verb};
use redfence::{FencingToken, Moment, NodeId, NodeSet};

use super::derived::Derived;
use super::kind::RequestKind;
use super::oracle::Oracle;
use super::world::World;

/// One attempt and, once it is won, its lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    /// The attempts whose leases had been returned when this one began, as bits.
    pub(super) earlier: u64,
    /// The nodes that it can reach: all, except under a mutant.
    pub(super) reach: NodeSet,
    /// One channel per node.
    pub(super) channels: Vec<Channel>,
    /// The nodes on which it must release.
    pub(super) footprint: Footprint,
    /// The nodes whose grants arrived before it won.
    pub(super) heard: NodeSet,
    pub(super) phase: Phase,
}

/// The phase of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Waits for replies to its grants and seals.
    Acquiring(Box<Acquire>, Derived<Oracle>),
    /// Believes in its lease.
    Holding(Lease),
    /// Believes in its lease and waits for replies to its extension, with the greatest token when the extension began.
    Extending(Lease, Box<Extend>, Option<FencingToken>),
    /// Over; with the tokens of its lease if it won one.
    Over(Option<TokenBlock>),
}

/// The lease that was won.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    pub(super) tokens: TokenBlock,
    pub(super) continuity: Continuity,
    pub(super) valid_until: Moment,
    /// How many extensions have begun.
    pub(super) extensions: u8,
    /// Whether it was handed over to a waiting task.
    pub(super) handed_over: bool,
}

/// Messages on their way between an attempt and a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Channel {
    pub(super) requests: Vec<InFlightRequest>,
    pub(super) replies: Vec<InFlightReply>,
    /// Under a mutant: its grant was delivered once, and will be delivered again.
    pub(super) repeated: bool,
}

/// A request on its way. Rounds distinguish the extensions of one lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct InFlightRequest {
    pub(super) round: u8,
    pub(super) verb: Verb,
    /// Its connection is lost, so the node's reply will be lost too.
    pub(super) orphan: bool,
}

/// A reply on its way, and its request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct InFlightReply {
    pub(super) round: u8,
    pub(super) kind: RequestKind,
    pub(super) reply: Reply,
}

impl Attempt {
    /// Sends `verb` to the nodes of `to` that it can reach.
    pub(super) fn send(&mut self, to: NodeSet, round: u8, verb: &Verb) {
        for node in self.reach.iter().filter(|node| to.contains(*node)) {
            if let Some(channel) = self.channels.get_mut(node.index()) {
                channel.requests.push(InFlightRequest { round, verb: verb.clone(), orphan: false });
            }
        }
    }

    /// Sends the releases and is over.
    pub(super) fn leave(&mut self, world: &World) {
        self.phase = Phase::Over(self.phase.tokens());
        if world.setup.releases {
            self.send(self.footprint.outstanding(), 0, &Verb::RELEASE);
        }
    }

    /// Removes messages that no receiver will read and that change nothing where they arrive, because states that
    /// differ only by such messages are equal.
    pub(super) fn tidy(&mut self, world: &World) {
        let extends_again = |lease: &Lease| lease.extensions < world.setup.extensions;
        let (grants, seals, round) = match &self.phase {
            Phase::Acquiring(..) => (true, true, None),
            Phase::Holding(lease) => (world.setup.releases || extends_again(lease), false, None),
            // The extension that is under way has its voters already.
            Phase::Extending(lease, ..) => {
                (world.setup.releases || extends_again(lease), false, Some(lease.extensions))
            }
            Phase::Over(_) => (false, false, None),
        };
        for channel in &mut self.channels {
            channel.replies.retain(|in_flight| match in_flight.kind {
                RequestKind::Grant => grants,
                RequestKind::Seal => seals,
                RequestKind::Extend => round == Some(in_flight.round),
                RequestKind::Release => false,
            });
            // If locks do not expire, an extension that no attempt waits for changes nothing.
            if !world.locks_last() {
                channel
                    .requests
                    .retain(|in_flight| in_flight.kind() != RequestKind::Extend || round == Some(in_flight.round));
            }
        }
    }
}

impl Phase {
    /// The tokens of the lease that was won.
    pub(super) fn tokens(&self) -> Option<TokenBlock> {
        match self {
            Self::Acquiring(..) => None,
            Self::Holding(lease) | Self::Extending(lease, ..) => Some(lease.tokens),
            Self::Over(tokens) => *tokens,
        }
    }

    /// The lease that is believed in.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Holding(lease) | Self::Extending(lease, ..) => Some(lease),
            Self::Acquiring(..) | Self::Over(_) => None,
        }
    }

    pub(super) fn lease_mut(&mut self) -> Option<&mut Lease> {
        match self {
            Self::Holding(lease) | Self::Extending(lease, ..) => Some(lease),
            Self::Acquiring(..) | Self::Over(_) => None,
        }
    }
}

impl Channel {
    /// Sends a reply. Replies are sorted, so their order does not show which request was faster.
    pub(super) fn in_flight(&mut self, in_flight: InFlightRequest, reply: Reply) {
        if in_flight.orphan {
            return;
        }
        self.replies.push(InFlightReply { round: in_flight.round, kind: in_flight.kind(), reply: plain(reply) });
        self.replies.sort_by_key(|in_flight| (in_flight.kind, in_flight.round));
    }
}

impl InFlightRequest {
    pub(super) const fn kind(&self) -> RequestKind {
        RequestKind::of(&self.verb)
    }
}

/// A reply without the parts for humans: the occupant and its time left decide nothing.
fn plain(reply: Reply) -> Reply {
    match reply {
        Reply::Refused(_) => Reply::Refused(LockView::default()),
        Reply::Failed(mut fault) => {
            fault.detail = "".into();
            Reply::Failed(fault)
        }
        other => other,
    }
}

/// The id under which an attempt that reaches `reach` counts `node`.
pub(super) fn counted_as(reach: NodeSet, node: NodeId) -> NodeId {
    NodeId::new(reach.iter().take_while(|other| *other < node).count()).unwrap_or(node)
}
