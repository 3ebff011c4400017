//! [`Bell`]: hears of the releases of one lock, as nodes tell of them, for the one task that waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::node::Inbox;
use crate::protocol::{FaultKind, Reply, Verb};
use crate::{HolderId, NodeId, NodeSet};

/// Hears of releases of one lock.
#[derive(Default)]
pub(super) struct Bell {
    heard: Mutex<Heard>,
    rung: Notify,
    /// The nodes do not tell of releases.
    deaf: AtomicBool,
    /// There was a time without a connection.
    missed: AtomicBool,
}

#[derive(Default)]
struct Heard {
    /// How many notices there were.
    ever: u64,
    /// The number of the last notice of which nothing is known any more.
    forgotten: u64,
    /// Who released last, each with the number of the last notice and the nodes that told.
    last: VecDeque<(u64, HolderId, NodeSet)>,
    /// Who is waited for, and the nodes that told of its release.
    awaited: Option<(HolderId, NodeSet)>,
}

/// What one waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited {
    /// Whose release; anybody's where that is not known.
    pub(super) holder: Option<HolderId>,
    /// The nodes that have its lock, as far as they were asked.
    pub(super) on: NodeSet,
    /// The node that will be asked first.
    pub(super) first: Option<NodeId>,
}

/// Why the waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The lock was released.
    Released,
    /// So many others released meanwhile that it may have been among them.
    Perhaps,
}

/// The most holders whose releases are kept: more than try within one round to the nodes, mostly.
const HOLDERS_MAX: usize = 64;

impl Bell {
    /// How many notices there were: a mark for [`Bell::tells`].
    pub(super) fn mark(&self) -> u64 {
        self.heard().ever
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::SeqCst)
    }

    /// Waits until what is awaited was released since `mark`. The releases of other contenders, who tried and gave
    /// back what they got, do not count: they would wake each other for ever.
    pub(super) async fn tells(&self, awaited: Awaited, mark: u64) -> Told {
        let _awaiting = self.awaits(awaited.holder, mark);
        // From here on nothing that is waited for is forgotten.
        let is_forgotten = self.heard().forgotten > mark;
        loop {
            // After a time without a connection.
            if self.missed.swap(false, Ordering::SeqCst) {
                return Told::Released;
            }
            {
                let heard = self.heard();
                let new = || heard.last.iter().filter(|(number, ..)| *number > mark);
                let is_told = match (awaited.holder, heard.awaited) {
                    (Some(_), Some((_, by))) => awaited.is_told(by),
                    _ => new().any(|(.., by)| awaited.is_told(*by)),
                };
                if is_told {
                    return Told::Released;
                }
                if is_forgotten || (awaited.holder.is_none() && heard.forgotten > mark) {
                    return Told::Perhaps;
                }
            }
            self.rung.notified().await;
        }
    }

    /// From now on the releases of `holder` are kept apart.
    fn awaits(&self, holder: Option<HolderId>, mark: u64) -> Awaiting<'_> {
        let mut heard = self.heard();
        let known = |holder| heard.last.iter().find(|(number, other, _)| *number > mark && *other == holder);
        heard.awaited = holder.map(|holder| (holder, known(holder).map_or(NodeSet::EMPTY, |(.., by)| *by)));
        Awaiting(self)
    }

    /// Whoever waits asks again at once, for whatever reason.
    pub(super) fn missed_some(&self) {
        self.missed.store(true, Ordering::SeqCst);
        self.rung.notify_one();
    }

    /// `holder` released on `node`.
    pub(super) fn hears(&self, node: NodeId, holder: HolderId) {
        {
            let mut heard = self.heard();
            heard.ever += 1;
            let number = heard.ever;
            if let Some((awaited, by)) = &mut heard.awaited
                && *awaited == holder
            {
                by.insert(node);
            }
            let known =
                heard.last.iter().position(|(_, other, _)| *other == holder).and_then(|at| heard.last.remove(at));
            let mut by = known.map_or(NodeSet::EMPTY, |(.., by)| by);
            by.insert(node);
            heard.last.push_back((number, holder, by));
            if heard.last.len() > HOLDERS_MAX
                && let Some((number, ..)) = heard.last.pop_front()
            {
                heard.forgotten = number;
            }
        }
        self.rung.notify_one();
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    /// Whether it is enough that these nodes told: the one that is asked first; two, where that one is silent; and the only
    /// one that has it.
    fn is_told(&self, by: NodeSet) -> bool {
        let is_all = self.on.len() == 1 && self.on.without(by).is_empty();
        self.first.is_some_and(|first| by.contains(first)) || by.len() > 1 || is_all
    }
}

/// As long as it lives somebody is waited for.
struct Awaiting<'a>(&'a Bell);

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.heard().awaited = None;
    }
}

/// Answers to being asked to tell.
impl Inbox for Bell {
    fn deliver(&self, _: NodeId, verb: Verb, reply: Reply) {
        // A server that does not tell, not one that cannot be reached just now: that one is asked again when it is.
        if let (Verb::Watch, Reply::Failed(fault)) = (verb, &reply)
            && matches!(fault.kind, FaultKind::NoPermission | FaultKind::Script | FaultKind::Unexpected)
        {
            self.deaf.store(true, Ordering::SeqCst);
        }
    }
}
