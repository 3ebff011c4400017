//! [`Footprint`]: on which nodes an attempt may have left its lock.

use super::{FaultKind, Reply};
use crate::{NodeId, NodeSet};

/// The nodes where an attempt's lock is, or may be, or may still arrive.
///
/// A request that was sent and not answered may take effect later. So the lock must be released on that node again
/// and again, until the node proves that it is gone or its time to live has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Footprint {
    present: NodeSet,
    maybe: NodeSet,
}

impl Footprint {
    /// The footprint after grants were sent to `asked`.
    #[must_use]
    pub const fn asked(asked: NodeSet) -> Self {
        Self { present: NodeSet::EMPTY, maybe: asked }
    }

    /// The footprint of an attempt whose locks are, or were, on `granted`.
    #[must_use]
    pub const fn granted(granted: NodeSet) -> Self {
        Self { present: granted, maybe: NodeSet::EMPTY }
    }

    /// Takes the reply to a grant.
    pub fn on_grant(&mut self, node: NodeId, reply: &Reply) {
        match reply {
            Reply::Granted { .. } if self.maybe.contains(node) => {
                self.forget(node);
                self.present.insert(node);
            }
            // A grant is delivered at most once, so a refusal is final.
            Reply::Refused(_) => self.forget(node),
            // A grant without a counter removes its own lock.
            Reply::Failed(fault) if fault.kind.never_sent() || fault.kind == FaultKind::Forgot => self.forget(node),
            _ => {}
        }
    }

    /// Takes the reply to a release.
    pub fn on_release(&mut self, node: NodeId, reply: &Reply) {
        match reply {
            Reply::Released => self.forget(node),
            // The lock is not there. If the node had granted it, it has expired. If no reply to the grant arrived,
            // the grant may still wait in a socket of the server, so the refusal proves nothing.
            Reply::Refused(_) if self.present.contains(node) => self.forget(node),
            _ => {}
        }
    }

    /// The nodes on which the lock must be released.
    #[must_use]
    pub fn outstanding(&self) -> NodeSet {
        self.present.iter().chain(self.maybe.iter()).collect()
    }

    /// The nodes that granted and have not released, as far as is known.
    #[must_use]
    pub const fn present(&self) -> NodeSet {
        self.present
    }

    /// The nodes whose reply to the grant has not arrived.
    #[must_use]
    pub const fn unanswered(&self) -> NodeSet {
        self.maybe
    }

    fn forget(&mut self, node: NodeId) {
        let gone = NodeSet::from_iter([node]);
        self.present = self.present.without(gone);
        self.maybe = self.maybe.without(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, LockView};
    use super::*;

    #[test]
    fn only_proof_ends_the_obligation_to_release() {
        let refused = || Reply::Refused(LockView::default());
        let failed = |kind| Reply::Failed(Fault::new(kind, ""));
        let granted = || Reply::Granted { counter: 1 };
        for (grant, release, settled, story) in [
            (Some(granted()), Some(Reply::Released), true, "granted, then released"),
            (Some(granted()), Some(refused()), true, "granted, expired before the release"),
            (Some(granted()), Some(failed(FaultKind::TimedOut)), false, "granted, release unanswered"),
            (Some(granted()), None, false, "granted"),
            (Some(refused()), None, true, "refused"),
            (Some(failed(FaultKind::Unreachable)), None, true, "never sent"),
            (Some(failed(FaultKind::TimedOut)), Some(refused()), false, "a late grant may come after the release"),
            (Some(failed(FaultKind::ConnectionLost)), Some(Reply::Released), true, "unanswered but found"),
            (Some(failed(FaultKind::Script)), Some(refused()), false, "an error may come after the SET"),
            (None, Some(refused()), false, "no word of the grant"),
        ] {
            let node = NodeId::new(0).unwrap();
            let mut footprint = Footprint::asked(NodeSet::first(1));
            if let Some(reply) = grant {
                footprint.on_grant(node, &reply);
            }
            if let Some(reply) = release {
                footprint.on_release(node, &reply);
            }
            assert_eq!(footprint.outstanding().is_empty(), settled, "{story}");
        }
    }

    #[test]
    fn a_grant_reported_after_its_release_does_not_come_back() {
        let node = NodeId::new(0).unwrap();
        let mut footprint = Footprint::asked(NodeSet::first(1));
        footprint.on_release(node, &Reply::Released);
        footprint.on_grant(node, &Reply::Granted { counter: 1 });
        assert!(footprint.outstanding().is_empty());
    }
}
