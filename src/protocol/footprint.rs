//! [`Footprint`]: on which nodes an attempt may have left its lock.

use super::{FaultKind, Reply};
use crate::{NodeId, NodeSet};

/// Where an attempt's lock is, or may be, or may still arrive.
///
/// Every request that was sent and not answered may take effect later. Until the node proves otherwise the lock
/// has to be released there, again and again, up to the end of its time to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Footprint {
    present: NodeSet,
    maybe: NodeSet,
}

impl Footprint {
    /// Grants are on their way to `asked`.
    #[must_use]
    pub const fn asked(asked: NodeSet) -> Self {
        Self { present: NodeSet::EMPTY, maybe: asked }
    }

    /// The locks are, or were, at `granted`.
    #[must_use]
    pub const fn granted(granted: NodeSet) -> Self {
        Self { present: granted, maybe: NodeSet::EMPTY }
    }

    /// Takes in the reply to the grant.
    pub fn on_grant(&mut self, node: NodeId, reply: &Reply) {
        match reply {
            Reply::Granted { .. } if self.maybe.contains(node) => {
                self.forget(node);
                self.present.insert(node);
            }
            // A grant is delivered at most once: refused once is refused for good.
            Reply::Refused(_) => self.forget(node),
            // A grant without a counter undoes itself.
            Reply::Failed(fault) if fault.kind.never_sent() || fault.kind == FaultKind::Forgot => self.forget(node),
            _ => {}
        }
    }

    /// Takes in the reply to a release.
    pub fn on_release(&mut self, node: NodeId, reply: &Reply) {
        match reply {
            Reply::Released => self.forget(node),
            // Not there although it was granted: expired. Not there although nothing was heard of the grant: it may
            // still sit in a socket of the server, so this proves nothing.
            Reply::Refused(_) if self.present.contains(node) => self.forget(node),
            _ => {}
        }
    }

    /// The nodes that have to be released.
    #[must_use]
    pub fn outstanding(&self) -> NodeSet {
        self.present.iter().chain(self.maybe.iter()).collect()
    }

    /// The nodes that are known to have granted, and not to have released.
    #[must_use]
    pub const fn present(&self) -> NodeSet {
        self.present
    }

    /// The nodes of whose grants nothing was heard.
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
