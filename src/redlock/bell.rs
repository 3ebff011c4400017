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
    me: HolderId,
    heard: Mutex<Heard>,
    rung: Notify,
}

#[derive(Default)]
struct Heard {
    /// How many notices there were.
    ever: u64,
    /// How many of them were not of what this process released itself: as soon as one node tells.
    others: u64,
    /// How many turns of other processes are over, and who released last: as far as a quorum told. What fewer tell of
    /// is mostly what a contender gave back.
    turns: u64,
    last: Option<HolderId>,
    /// How many listen and never ask, and until which turn that is believed.
    absent: (u64, u64),
    /// The number of the last notice of which nothing is known any more.
    forgotten: u64,
    recent: VecDeque<Released>,
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
    pub(super) whose: Whose,
    /// The nodes that have its lock, as far as they were asked.
    pub(super) on: NodeSet,
    /// The node that was asked first, or would have been.
    pub(super) first: Option<NodeId>,
}

/// Whose release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This holder's, or one of a quorum's word.
    Holder(HolderId),
    /// It is not known who stands in the way.
    Anybody,
    /// Another process has had the lock, by a quorum's word.
    Others,
}

/// Why the waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The lock was released. If a quorum told, these nodes did.
    Released(Option<NodeSet>),
    /// So many others released meanwhile that it may have been among them.
    Perhaps,
}

/// For so many turns of others it is believed that somebody never asks.
const ABSENT_FOR: u64 = 64;
/// The most holders whose releases are kept: more than try within one round to the nodes, mostly.
const HOLDERS_MAX: usize = 64;

impl Bell {
    pub(super) fn new(quorum: usize, me: HolderId) -> Self {
        Self { quorum, me, heard: Mutex::default(), rung: Notify::new() }
    }

    /// How many notices there were: a mark for [`Bell::tells`].
    pub(super) fn mark(&self) -> u64 {
        self.heard().ever
    }

    /// How many notices of releases by other processes there were.
    pub(super) fn others(&self) -> u64 {
        self.heard().others
    }

    /// How many turns of other processes are over, as far as a quorum told: releases of the same process one after another
    /// are one turn.
    pub(super) fn turns(&self) -> u64 {
        self.heard().turns
    }

    /// How many listen and never ask when it is their turn: they stand still, or have gone.
    pub(super) fn absent(&self) -> u64 {
        let heard = self.heard();
        let (absent, until) = heard.absent;
        if heard.turns < until { absent } else { 0 }
    }

    /// The lock was free, and nobody of those who come first asked for it.
    pub(super) fn misses_one(&self) {
        let absent = self.absent() + 1;
        let mut heard = self.heard();
        heard.absent = (absent, heard.turns + ABSENT_FOR);
    }

    /// Somebody else asked where it was this one's turn.
    pub(super) fn meets_one(&self) {
        let mut heard = self.heard();
        heard.absent.0 = heard.absent.0.saturating_sub(1);
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
        heard.recent.iter().for_each(|released| vigil.hears(*released, self.quorum));
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
        if self.heard().hears(node, holder, (self.quorum, self.me)) {
            self.rung.notify_one();
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    /// Whether that ends the waiting.
    fn hears(&mut self, node: NodeId, holder: HolderId, (quorum, me): (usize, HolderId)) -> bool {
        self.ever += 1;
        let is_own = holder.is_kin(me);
        self.others += u64::from(!is_own);
        let known =
            self.recent.iter().position(|released| released.holder == holder).and_then(|at| self.recent.remove(at));
        let mut released = known.unwrap_or(Released { holder, first: self.ever, last: 0, by: NodeSet::EMPTY });
        released.last = self.ever;
        let told = released.by.len();
        released.by.insert(node);
        if told < quorum && released.by.len() >= quorum {
            let goes_on = self.last.replace(holder).is_some_and(|last| last.is_kin(holder));
            self.turns += u64::from(!is_own && !goes_on);
        }
        self.recent.push_back(released);
        if self.recent.len() > HOLDERS_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.forgotten = oldest.last;
        }
        let Some(vigil) = &mut self.vigil else { return false };
        if !is_own || vigil.awaited.whose != Whose::Others {
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
        let Awaited { whose, on, first } = self.awaited;
        let mut by = released.by;
        if whose == Whose::Holder(released.holder) {
            // Also those that told before the release was forgotten.
            by.iter().for_each(|node| self.by.insert(node));
            by = self.by;
        }
        let is_it = matches!(whose, Whose::Anybody) || whose == Whose::Holder(released.holder);
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
