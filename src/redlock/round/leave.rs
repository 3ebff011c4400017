//! Removes this process from the queues of nodes when it stops waiting.

use std::sync::Arc;

use crate::node::{ReplySink, Responder};
use crate::protocol::{Reply, Request, Subject, Verb, VerbKind};
use crate::redlock::env::Env;
use crate::{Holder, HolderId, Label, NodeId, NodeSet, Resource, Waiter};

/// Removes `waiter` from the queues of `nodes`. Best effort: an entry that stays delays others by its grace, once.
pub(crate) fn leave(env: &Env, resource: &Resource, (waiter, label): (Waiter, &Label), nodes: NodeSet) {
    let holder = Holder::new(HolderId::from_random(0), label.clone());
    let subject = Arc::new(Subject { resource: resource.clone(), holder, waiter });
    let unread: Arc<dyn ReplySink> = Arc::new(Unread);
    for (id, node) in env.nodes().filter(|(id, _)| nodes.contains(*id)) {
        let answer = Responder::to(Arc::clone(&unread), id, VerbKind::Leave);
        node.send(Request { subject: Arc::clone(&subject), verb: Verb::Leave }, answer);
    }
}

/// Drops replies that nothing depends on.
struct Unread;

impl ReplySink for Unread {
    fn deliver(&self, _: NodeId, _: VerbKind, _: Reply) {}
}
