//! [`Nodes`] and [`SwitchedNode`]: nodes that can be made to die.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use redfence::node::{Responder, WakeListener};
use redfence::protocol::{FaultKind, Quorum, Request};
use redfence::{Builder, EmbeddedNode, LockerId, Node, NodeId};

use crate::args::Global;
use crate::connect;
use crate::failure::Failure;

/// How many nodes run in this process if no servers were named.
const EMBEDDED: usize = 5;

/// The nodes of the demonstration, and the switches that make them die.
pub(super) struct Nodes {
    pub(super) builder: Builder,
    pub(super) names: Vec<String>,
    pub(super) embedded: bool,
    switches: Vec<Arc<AtomicBool>>,
    quorum: Quorum,
}

impl Nodes {
    /// The servers that were named, or nodes in this process.
    pub(super) async fn open(global: &Global) -> Result<Self, Failure> {
        let embedded = connect::urls(global).is_empty();
        let mut nodes: Vec<Box<dyn Node>> = Vec::new();
        if embedded {
            nodes.extend((0..EMBEDDED).map(|_| Box::new(EmbeddedNode::new()) as Box<dyn Node>));
        } else {
            // Finds contradictions. If there is no quorum, the error names the missing nodes.
            drop(connect::to_servers(global)?.connect().await?);
            nodes.extend(connect::each_node(global).await?.into_iter().map(|node| Box::new(node) as Box<dyn Node>));
        }
        let quorum = Quorum::of(nodes.len()).ok_or(redfence::ConfigError::TooManyNodes { count: nodes.len() })?;
        let (mut builder, mut names, mut switches) = (connect::settings(global), Vec::new(), Vec::new());
        for (index, node) in nodes.into_iter().enumerate() {
            let switch = Arc::new(AtomicBool::new(false));
            let name = if embedded { format!("node {}", index + 1) } else { node.address() };
            names.push(name.clone());
            switches.push(Arc::clone(&switch));
            builder = builder.node(SwitchedNode { node, name, dead: switch });
        }
        Ok(Self { builder, names, embedded, switches, quorum })
    }

    /// How many nodes must agree.
    pub(super) const fn needed(&self) -> usize {
        self.quorum.needed()
    }

    /// How many nodes may die before acquires fail.
    pub(super) const fn spare(&self) -> usize {
        self.quorum.blocking() - 1
    }

    pub(super) fn alive(&self) -> usize {
        self.switches.iter().filter(|dead| !dead.load(Ordering::Relaxed)).count()
    }

    /// Lets one more node die, and returns its name.
    pub(super) fn kill_one(&self) -> Option<&str> {
        let last = self.switches.iter().rposition(|dead| !dead.load(Ordering::Relaxed))?;
        self.switches.get(last)?.store(true, Ordering::Relaxed);
        self.names.get(last).map(String::as_str)
    }

    pub(super) fn revive_all(&self) {
        self.switches.iter().for_each(|dead| dead.store(false, Ordering::Relaxed));
    }
}

/// A node that refuses everything at once while it is dead, like a machine whose server has crashed.
struct SwitchedNode {
    node: Box<dyn Node>,
    name: String,
    dead: Arc<AtomicBool>,
}

impl Node for SwitchedNode {
    fn send(&self, request: Request, answer: Responder) {
        if self.dead.load(Ordering::Relaxed) {
            answer.fail(FaultKind::Unreachable, "dead");
        } else {
            self.node.send(request, answer);
        }
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        if self.dead.load(Ordering::Relaxed) {
            self.send(first.0, first.1);
            self.send(second.0, second.1);
        } else {
            self.node.send_both(first, second);
        }
    }

    fn admit(&self, session: u64) {
        self.node.admit(session);
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.node.listen(id, locker, listener);
    }

    fn address(&self) -> String {
        self.name.clone()
    }
}
