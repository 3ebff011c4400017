//! [`Oracle`]: what an attempt should decide, counted separately and simply from the replies that it received.

use redfence::protocol::{Defeat, Quorum, Reply, Step};
use redfence::{NodeId, NodeSet};

use super::kind::RequestKind;

/// The replies to one attempt, and the right decision.
#[derive(Debug, Clone)]
pub(super) struct Oracle {
    quorum: Quorum,
    drawn: Vec<(NodeId, u64)>,
    against: NodeSet,
    sealed: NodeSet,
}

impl Oracle {
    pub(super) const fn new(quorum: Quorum) -> Self {
        Self { quorum, drawn: Vec::new(), against: NodeSet::EMPTY, sealed: NodeSet::EMPTY }
    }

    /// Takes in a reply and compares the machine's step with the right one. Describes a difference.
    pub(super) fn judge(&mut self, node: NodeId, kind: RequestKind, reply: &Reply, step: &Step) -> Option<String> {
        match reply {
            Reply::Granted { counter } => self.drawn.push((node, *counter)),
            Reply::Sealed => self.sealed.insert(node),
            _ => self.against.insert(node),
        }
        let is_enough = |nodes: NodeSet| {
            nodes.len() >= self.quorum.needed() && self.quorum.anchor().is_none_or(|anchor| nodes.contains(anchor))
        };
        let first =
            |count| self.drawn.get(..count).filter(|first| is_enough(first.iter().map(|(node, _)| *node).collect()));
        let first = (0..=self.drawn.len()).find_map(first);
        let token = first.and_then(|first| first.iter().map(|(_, counter)| *counter).max());
        let counts = |(node, drawn): &(NodeId, u64)| {
            !self.against.contains(*node) && token.is_some_and(|token| *drawn == token || self.sealed.contains(*node))
        };
        let yes: NodeSet = self.drawn.iter().filter(|draw| counts(draw)).map(|(node, _)| *node).collect();
        let above = self.drawn.iter().filter(|(_, drawn)| token.is_some_and(|token| *drawn > token));
        let never: NodeSet = above.map(|(node, _)| *node).chain(self.against.iter()).collect();
        let can_win = is_enough(NodeSet::first(self.quorum.nodes()).without(never));
        let right = match step {
            Step::Won(win) => is_enough(yes) && token == Some(win.tokens.last.get()),
            Step::Lost(Defeat::TooSlow { .. }) => is_enough(yes),
            Step::Lost(_) => !can_win,
            Step::Wait | Step::Seal(..) => !is_enough(yes) && can_win,
        };
        (!right).then(|| format!("{kind:?} from {node}: {reply:?} made {step:?} with {yes:?} sealed, {never:?} lost"))
    }
}
