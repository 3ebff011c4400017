//! [`Bell`]: hears of the releases of one lock, as nodes tell of them, for the one task that waits for it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::node::Inbox;
use crate::protocol::{FaultKind, Reply, Verb};
use crate::{HolderId, NodeId, NodeSet};

/// Hears of releases of one lock.
pub(super) struct Bell {
    quorum: usize,
    heard: Mutex<Heard>,
    rung: Notify,
}

#[derive(Default)]
struct Heard {
    /// How many notices there were.
    ever: u64,
    /// How many of them were not of what this process released itself.
    others: u64,
    own: Option<HolderId>,
    /// How many releases by other processes a quorum told of.
    releases: u64,
    /// The number of the last notice of which nothing is known any more.
    forgotten: u64,
    /// Who released last.
    last: VecDeque<Released>,
    vigil: Option<Vigil>,
    /// There was a time without a connection.
    missed: bool,
    /// The nodes that do not tell of releases.
    deaf: NodeSet,
}

/// What is known of one holder's release.
#[derive(Debug, Clone, Copy)]
struct Released {
    holder: HolderId,
    /// The numbers of the first and the last notice of it.
    first: u64,
    last: u64,
    /// The nodes that told.
    by: NodeSet,
}

/// Somebody waits.
#[derive(Debug, Clone, Copy)]
struct Vigil {
    awaited: Awaited,
    mark: u64,
    /// The nodes that told of the release that is awaited.
    by: NodeSet,
    /// A quorum that told of one release.
    quorum: Option<NodeSet>,
    is_over: bool,
}

/// What one waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited {
    /// Whose release; anybody's where that is not known.
    pub(super) holder: Option<HolderId>,
    /// The nodes that have its lock, as far as they were asked.
    pub(super) on: NodeSet,
    /// The node that was asked first, or would have been.
    pub(super) first: Option<NodeId>,
}

/// Why the waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The lock was released. If a quorum told, these nodes did.
    Released(Option<NodeSet>),
    /// So many others released meanwhile that it may have been among them.
    Perhaps,
}

/// The most holders whose releases are kept: more than try within one round to the nodes, mostly.
const HOLDERS_MAX: usize = 64;

impl Bell {
    pub(super) fn new(quorum: usize) -> Self {
        Self { quorum, heard: Mutex::default(), rung: Notify::new() }
    }

    /// How many notices there were: a mark for [`Bell::tells`].
    pub(super) fn mark(&self) -> u64 {
        self.heard().ever
    }

    /// How many notices of releases by other processes there were.
    pub(super) fn others(&self) -> u64 {
        self.heard().others
    }

    /// How many releases by other processes a quorum told of.
    pub(super) fn releases(&self) -> u64 {
        self.heard().releases
    }

    /// This process releases the lock of `holder`, and is told of it like everybody.
    pub(super) fn is_own(&self, holder: HolderId) {
        self.heard().own = Some(holder);
    }

    /// Whether it cannot be relied on to hear of the release of a lock that is `on` these nodes. Where all nodes tell it can;
    /// else where the node tells that was asked `first` and has the lock.
    pub(super) fn is_deaf(&self, first: Option<NodeId>, on: NodeSet) -> bool {
        let deaf = self.heard().deaf;
        !deaf.is_empty() && first.is_none_or(|first| deaf.contains(first) || !on.contains(first))
    }

    /// Waits until what is awaited was released since `mark`, or somebody else's lease was: inside a process a lease passes
    /// from holder to holder, and only the release of the last is told. Of other contenders, who tried and gave back what
    /// they got, nobody wants to hear: they would wake each other for ever.
    pub(super) async fn tells(&self, awaited: Awaited, mark: u64) -> Told {
        let _keeping = self.keep_vigil(awaited, mark);
        // From here on nothing that is waited for is forgotten.
        let is_forgotten = self.heard().forgotten > mark;
        loop {
            {
                let mut heard = self.heard();
                let missed = std::mem::take(&mut heard.missed);
                match heard.vigil {
                    Some(vigil) if vigil.is_over || missed => return Told::Released(vigil.quorum),
                    _ => {}
                }
            }
            if is_forgotten {
                return Told::Perhaps;
            }
            self.rung.notified().await;
        }
    }

    fn keep_vigil(&self, awaited: Awaited, mark: u64) -> Keeping<'_> {
        let mut heard = self.heard();
        let mut vigil = Vigil { awaited, mark, by: NodeSet::EMPTY, quorum: None, is_over: false };
        heard.last.iter().for_each(|released| vigil.hears(*released, self.quorum));
        heard.vigil = Some(vigil);
        Keeping(self)
    }

    /// Whoever waits asks again at once, for whatever reason.
    pub(super) fn missed_some(&self) {
        self.heard().missed = true;
        self.rung.notify_one();
    }

    /// `holder` released on `node`.
    pub(super) fn hears(&self, node: NodeId, holder: HolderId) {
        if self.heard().hears(node, holder, self.quorum) {
            self.rung.notify_one();
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    /// Whether that ends the waiting.
    fn hears(&mut self, node: NodeId, holder: HolderId, quorum: usize) -> bool {
        self.ever += 1;
        let is_own = self.own == Some(holder);
        self.others += u64::from(!is_own);
        let known = self.last.iter().position(|released| released.holder == holder).and_then(|at| self.last.remove(at));
        let mut released = known.unwrap_or(Released { holder, first: self.ever, last: 0, by: NodeSet::EMPTY });
        released.last = self.ever;
        let told = released.by.len();
        released.by.insert(node);
        self.releases += u64::from(!is_own && told < quorum && released.by.len() >= quorum);
        self.last.push_back(released);
        if self.last.len() > HOLDERS_MAX
            && let Some(oldest) = self.last.pop_front()
        {
            self.forgotten = oldest.last;
        }
        let Some(vigil) = &mut self.vigil else { return false };
        if !is_own || vigil.awaited.holder == self.own {
            vigil.hears(released, quorum);
        }
        vigil.is_over
    }
}

impl Vigil {
    fn hears(&mut self, released: Released, quorum: usize) {
        if released.last <= self.mark {
            return;
        }
        let Awaited { holder, on, first } = self.awaited;
        let mut by = released.by;
        if holder == Some(released.holder) {
            // Also those that told before the release was forgotten.
            by.iter().for_each(|node| self.by.insert(node));
            by = self.by;
        }
        let is_it = holder.is_none_or(|holder| holder == released.holder);
        // Of one that began before the mark the last notices come late; it may be why this one asked.
        let is_new = released.first > self.mark;
        let (is_quorum, by_first) = (by.len() >= quorum, first.is_some_and(|first| by.contains(first)));
        // Of the awaited one it is enough that these told: the node that was asked first; two, where that one is silent; and
        // the only one that has it. Of others it is that node, if it had the lock for somebody else when it was asked.
        self.is_over |= is_it && (by_first || by.len() > 1 || (on.len() == 1 && on.without(by).is_empty()));
        self.is_over |= is_new && (is_quorum || (by_first && first.is_some_and(|first| on.contains(first))));
        if is_quorum && (is_it || is_new) {
            self.quorum = Some(by);
        }
    }
}

/// As long as it lives somebody waits.
struct Keeping<'a>(&'a Bell);

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        self.0.heard().vigil = None;
    }
}

/// Answers to being asked to tell.
impl Inbox for Bell {
    fn deliver(&self, node: NodeId, verb: Verb, reply: Reply) {
        let mut heard = self.heard();
        match (verb, &reply) {
            (Verb::Watch, Reply::Watching) => heard.deaf = heard.deaf.without(NodeSet::from_iter([node])),
            // A server that does not tell, not one that cannot be reached just now: that one is asked again when it is.
            (Verb::Watch, Reply::Failed(fault))
                if matches!(fault.kind, FaultKind::NoPermission | FaultKind::Script | FaultKind::Unexpected) =>
            {
                heard.deaf.insert(node);
            }
            _ => {}
        }
    }
}
