//! Mutants in the requests of a client, and in how it reads replies.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use redfence::node::{Node, ReplySink, Responder, WakeListener};
use redfence::protocol::{Reply, Request, Verb, VerbKind};
use redfence::{HolderId, LockerId, NodeId, Resource};

use super::Mutant;
use crate::harness::{World, lock};
use crate::plan::Terms;

/// A node as a process uses it, wrapped if the mutant is one of these.
#[must_use]
pub(crate) fn mutated(mutant: Option<Mutant>, world: &Arc<World>, terms: Terms, node: Arc<dyn Node>) -> Arc<dyn Node> {
    match mutant {
        Some(
            mutant @ (Mutant::NoSeal
            | Mutant::GrantTwice
            | Mutant::UnknownIsGranted
            | Mutant::UnknownNotReleased
            | Mutant::ExtendAfterRelease
            | Mutant::WakeIsGrant),
        ) => {
            let world = Arc::clone(world);
            Arc::new(MutantNode { mutant, world, terms, node, known: Arc::default(), listeners: Mutex::default() })
        }
        _ => node,
    }
}

struct MutantNode {
    mutant: Mutant,
    world: Arc<World>,
    terms: Terms,
    node: Arc<dyn Node>,
    known: Arc<Mutex<Known>>,
    /// Listeners that record wakes. Nodes keep only weak references to them.
    listeners: Mutex<Vec<Arc<dyn WakeListener>>>,
}

/// What the client has learned from this node.
#[derive(Default)]
struct Known {
    /// The greatest counter.
    counter: u64,
    /// Holders whose grant it confirmed.
    granted: HashMap<HolderId, bool>,
    /// Resources for which it was woken and has not asked since.
    woken: BTreeSet<Resource>,
}

impl Node for MutantNode {
    fn send(&self, request: Request, answer: Responder) {
        let holder = request.subject.holder.id();
        // The wrapped answer carries the real id; this one is not read.
        let Some(id) = NodeId::new(0) else { return };
        match (self.mutant, request.verb.clone()) {
            (Mutant::NoSeal, Verb::Seal { .. }) => answer.reply(Reply::Sealed),
            (Mutant::GrantTwice, Verb::Grant { ttl, block, .. }) => {
                let late_ms = self.world.random(|rng| rng.skewed(2 * self.terms.ttl_ms));
                self.node.send(request.clone(), answer);
                let (node, again) = (
                    Arc::clone(&self.node),
                    Request { verb: Verb::Grant { ttl, floor: 0, block, waits: None }, ..request },
                );
                self.world.after(late_ms, move || node.send(again, discarded(id)));
            }
            (Mutant::UnknownIsGranted, verb @ Verb::Grant { .. }) => {
                let sink = Arc::new(Hopeful { known: Arc::clone(&self.known), answer: Mutex::new(Some(answer)) });
                // Shortly before the round is over.
                let wait_ms = self.terms.node_timeout_ms * 3 / 4;
                let hopeful = Arc::clone(&sink);
                self.world.after(wait_ms, move || hopeful.assume());
                self.node.send(request, Responder::to(sink, id, verb.kind()));
            }
            (Mutant::UnknownNotReleased, verb @ Verb::Grant { .. }) => {
                let sink =
                    Arc::new(Confirmed { holder, known: Arc::clone(&self.known), answer: Mutex::new(Some(answer)) });
                self.node.send(request, Responder::to(sink, id, verb.kind()));
            }
            (Mutant::WakeIsGrant, verb @ Verb::Grant { .. })
                if lock(&self.known).woken.remove(&request.subject.resource) =>
            {
                let sink = Arc::new(Presumed(Mutex::new(Some(answer))));
                self.node.send(request, Responder::to(sink, id, verb.kind()));
            }
            (Mutant::UnknownNotReleased, Verb::Release { .. }) if !lock(&self.known).granted.contains_key(&holder) => {
                answer.reply(Reply::Released);
            }
            (Mutant::ExtendAfterRelease, Verb::Release { .. }) => {
                self.node.send(request.clone(), answer);
                let ttl = std::time::Duration::from_millis(u64::from(self.terms.ttl_ms));
                self.node.send(Request { verb: Verb::Extend { ttl }, ..request }, discarded(id));
            }
            _ => self.node.send(request, answer),
        }
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        if self.mutant != Mutant::WakeIsGrant {
            return self.node.listen(id, locker, listener);
        }
        let mine: Arc<dyn WakeListener> = Arc::new(Eager { known: Arc::clone(&self.known), listener });
        self.node.listen(id, locker, Arc::downgrade(&mine));
        lock(&self.listeners).push(mine);
    }

    fn admit(&self, session: u64) {
        self.node.admit(session);
    }

    fn sessions(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        self.node.sessions()
    }

    fn address(&self) -> String {
        self.node.address()
    }
}

/// An answer that no task waits for.
fn discarded(id: NodeId) -> Responder {
    struct Discard;
    impl ReplySink for Discard {
        fn deliver(&self, _: NodeId, _: VerbKind, _: Reply) {}
    }
    Responder::to(Arc::new(Discard), id, VerbKind::Release)
}

/// Reads a missing answer as a grant.
struct Hopeful {
    known: Arc<Mutex<Known>>,
    answer: Mutex<Option<Responder>>,
}

impl Hopeful {
    fn assume(&self) {
        let (answer, counter) = (lock(&self.answer).take(), lock(&self.known).counter);
        if let (Some(answer), 1..) = (answer, counter) {
            answer.reply(Reply::Granted { counter: counter + 1 });
        }
    }
}

impl ReplySink for Hopeful {
    fn deliver(&self, _: NodeId, _: VerbKind, reply: Reply) {
        if let Reply::Granted { counter } = &reply {
            let mut known = lock(&self.known);
            known.counter = known.counter.max(*counter);
        }
        if matches!(&reply, Reply::Failed(fault) if !fault.kind.never_sent()) {
            return self.assume();
        }
        let answer = lock(&self.answer).take();
        if let Some(answer) = answer {
            answer.reply(reply);
        }
    }
}

/// Records which grants were confirmed.
struct Confirmed {
    holder: HolderId,
    known: Arc<Mutex<Known>>,
    answer: Mutex<Option<Responder>>,
}

impl ReplySink for Confirmed {
    fn deliver(&self, _: NodeId, _: VerbKind, reply: Reply) {
        if matches!(reply, Reply::Granted { .. }) {
            lock(&self.known).granted.insert(self.holder, true);
        }
        let answer = lock(&self.answer).take();
        if let Some(answer) = answer {
            answer.reply(reply);
        }
    }
}

/// Records for which resources it was woken.
struct Eager {
    known: Arc<Mutex<Known>>,
    listener: Weak<dyn WakeListener>,
}

impl WakeListener for Eager {
    fn woken(&self, node: NodeId, resource: &Resource, after: Duration) {
        lock(&self.known).woken.insert(resource.clone());
        if let Some(listener) = self.listener.upgrade() {
            listener.woken(node, resource, after);
        }
    }

    fn receives_wakes(&self, node: NodeId, receives: bool) {
        if let Some(listener) = self.listener.upgrade() {
            listener.receives_wakes(node, receives);
        }
    }
}

/// Reads a refusal as a grant.
struct Presumed(Mutex<Option<Responder>>);

impl ReplySink for Presumed {
    fn deliver(&self, _: NodeId, _: VerbKind, reply: Reply) {
        let Some(answer) = lock(&self.0).take() else { return };
        match reply {
            Reply::Refused(view) => answer.reply(Reply::Granted { counter: view.counter + 1 }),
            reply => answer.reply(reply),
        }
    }
}
