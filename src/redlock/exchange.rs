//! [`Exchange`]: where the replies of one attempt arrive, and who cleans up when nobody reads them any more.
//!
//! Sending is synchronous and replies are taken in here, not in a future. So dropping a future at any point loses
//! nothing: whoever leaves sends the releases behind the grants, on the spot, and what comes in later is still noted.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::core::Core;
use super::sweeper::Leftover;
use crate::node::{Answer, Inbox};
use crate::protocol::{COUNTER_MAX, Continuity, Fault, FaultKind, Footprint, Reply, Request, Subject, Verb, View, Win};
use crate::{Moment, NodeId, NodeSet};

/// The replies of one attempt, from its grants to its releases; or of one extension.
pub(super) struct Exchange {
    core: Arc<Core>,
    subject: Arc<Subject>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    footprint: Footprint,
    /// When the last lock of this attempt has expired at the latest.
    until: Moment,
    /// The nodes that granted before the attempt was won.
    granted: NodeSet,
    /// Once the attempt is won: the nodes whose locks count in extensions.
    continuity: Option<Continuity>,
    /// What a reader waits for; replies to other verbs are noted and not queued.
    reading: Option<Phase>,
    queue: Vec<(NodeId, Reply)>,
    reader: Option<Waker>,
    wake_at: usize,
    /// Answers that are still to come.
    awaited: usize,
    leaving: bool,
}

/// What the reader of an exchange is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Acquire,
    Extend,
    Release,
    Inspect,
    Operate,
    Join,
}

impl Phase {
    const fn reads(self, verb: &Verb) -> bool {
        match verb {
            Verb::Grant { .. } | Verb::Seal { .. } => matches!(self, Self::Acquire),
            Verb::Extend { .. } => matches!(self, Self::Extend),
            Verb::Release => matches!(self, Self::Release),
            Verb::Inspect => matches!(self, Self::Inspect),
            Verb::Watch | Verb::Unwatch => false,
            Verb::Force | Verb::Scan { .. } => matches!(self, Self::Operate),
            Verb::Look { .. } | Verb::Settle(_) | Verb::Wake { .. } => matches!(self, Self::Join),
        }
    }
}

impl Exchange {
    /// An exchange in `phase`; `footprint` is where locks of `subject` may be from the start.
    pub(super) fn open(
        core: &Arc<Core>,
        subject: Arc<Subject>,
        phase: Phase,
        footprint: Footprint,
        until: Moment,
    ) -> Arc<Self> {
        let inner = Inner { footprint, until, reading: Some(phase), ..Inner::default() };
        Arc::new(Self { core: Arc::clone(core), subject, inner: Mutex::new(inner) })
    }

    /// Whom it is about.
    pub(super) const fn subject(&self) -> &Arc<Subject> {
        &self.subject
    }

    /// An extension is on its way: the locks may live until then, so a release is worth repeating until then.
    pub(super) fn may_live_until(&self, until: Moment) {
        let mut inner = self.lock();
        inner.until = inner.until.max(until);
    }

    /// Further nodes are asked for grants.
    pub(super) fn ask(self: &Arc<Self>, nodes: NodeSet, verb: &Verb) {
        self.lock().footprint.ask(nodes);
        self.send(nodes, verb);
    }

    /// Sends the release of `earlier` to the nodes where its lock is `outstanding`, and to each of `nodes` the grant `verb` of this attempt,
    /// right behind it.
    pub(super) fn take_over(self: &Arc<Self>, earlier: &Arc<Self>, outstanding: NodeSet, nodes: NodeSet, verb: &Verb) {
        earlier.lock().awaited += outstanding.len();
        self.lock().awaited += nodes.len();
        for (id, node) in self.core.nodes() {
            let release = outstanding.contains(id).then(|| earlier.parcel(id, Verb::Release));
            let grant = nodes.contains(id).then(|| self.parcel(id, verb.clone()));
            match (release, grant) {
                (Some(release), Some(grant)) => node.send_both(release, grant),
                (Some((request, answer)), None) | (None, Some((request, answer))) => node.send(request, answer),
                (None, None) => {}
            }
        }
    }

    fn parcel(self: &Arc<Self>, node: NodeId, verb: Verb) -> (Request, Answer) {
        let inbox = Arc::clone(self) as Arc<dyn Inbox>;
        let answer = Answer::to(inbox, node, verb.clone());
        (Request { subject: Arc::clone(&self.subject), verb }, answer)
    }

    /// Sends `verb` to `nodes`, all at once.
    pub(super) fn send(self: &Arc<Self>, nodes: NodeSet, verb: &Verb) {
        self.send_each(nodes, &|_| verb.clone());
    }

    /// Sends each of `nodes` a verb of its own, all at once.
    pub(super) fn send_each(self: &Arc<Self>, nodes: NodeSet, verb: &dyn Fn(NodeId) -> Verb) {
        self.lock().awaited += nodes.len();
        for (id, node) in self.core.nodes().filter(|(id, _)| nodes.contains(*id)) {
            let (request, answer) = self.parcel(id, verb(id));
            node.send(request, answer);
        }
    }

    /// Waits until `at_least` replies have come in and takes them. Waking earlier would be in vain.
    ///
    /// # Cancel safety
    ///
    /// No reply is lost.
    pub(super) async fn next(&self, at_least: usize) -> Vec<(NodeId, Reply)> {
        self.filled(at_least).await;
        self.take()
    }

    /// Waits until `count` replies are in, and leaves them there for [`Exchange::take`].
    pub(super) async fn filled(&self, count: usize) {
        poll_fn(|context| {
            let mut inner = self.lock();
            if inner.queue.len() >= count {
                return Poll::Ready(());
            }
            inner.wake_at = count;
            inner.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Whether some node that was looked at remembers having been joined.
    pub(super) fn has_seen_a_record(&self) -> bool {
        self.lock().queue.iter().any(|(_, reply)| matches!(reply, Reply::Sighted(sight) if sight.record.is_some()))
    }

    /// How many nodes that were looked at take part, whatever is known of the others.
    pub(super) fn awake(&self) -> usize {
        let awake = |reply: &Reply| matches!(reply, Reply::Sighted(sight) if sight.is_awake());
        self.lock().queue.iter().filter(|(_, reply)| awake(reply)).count()
    }

    /// Takes what has come in, however little.
    pub(super) fn take(&self) -> Vec<(NodeId, Reply)> {
        std::mem::take(&mut self.lock().queue)
    }

    /// The attempt was won: stops reading. Replies that come later are noted.
    pub(super) fn win(&self, win: &Win, grace: Duration) {
        let mut continuity = Continuity::begin(win, self.core.clock.now(), grace);
        let mut inner = self.lock();
        continuity.heard_before(inner.granted);
        inner.continuity = Some(continuity);
        inner.queue = Vec::new();
        inner.reading = None;
        inner.reader = None;
    }

    /// The nodes whose locks count in an extension of the lease that this attempt won.
    pub(super) fn voters(&self) -> NodeSet {
        self.lock().continuity.map_or(NodeSet::EMPTY, |continuity| continuity.voters())
    }

    /// Sends the release to every node where the lock may be, and returns these nodes. From now on whatever stays
    /// unproved when the last answer is in goes to the sweeper.
    pub(super) fn leave(self: &Arc<Self>, reading: Option<Phase>) -> NodeSet {
        let outstanding = self.prepare_to_leave(reading);
        self.send(outstanding, &Verb::Release);
        outstanding
    }

    /// From now on what stays unproved goes to the sweeper; returns where the release has to be sent.
    pub(super) fn prepare_to_leave(&self, reading: Option<Phase>) -> NodeSet {
        let mut inner = self.lock();
        inner.leaving = true;
        inner.reading = reading;
        inner.queue.clear();
        inner.footprint.outstanding()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for Exchange {
    fn deliver(&self, node: NodeId, verb: Verb, reply: Reply) {
        let mut reply = plausible(reply);
        if let Reply::Sighted(sight) = &mut reply {
            sight.arrived = self.core.clock.now();
        }
        self.core.levels.observe(self.subject.resource.slot(), &reply);
        if let Reply::Failed(fault) = &reply {
            self.core.roster.met(node, fault.kind);
        }
        let (woken, leftover) = {
            let mut inner = self.lock();
            inner.awaited = inner.awaited.saturating_sub(1);
            match verb {
                Verb::Grant { .. } => {
                    inner.footprint.on_grant(node, &reply);
                    match &mut inner.continuity {
                        Some(continuity) => continuity.late_grant(node, &reply, self.core.clock.now()),
                        None if matches!(reply, Reply::Granted { .. }) => inner.granted.insert(node),
                        None => {}
                    }
                }
                Verb::Release => inner.footprint.on_release(node, &reply),
                _ => {}
            }
            if inner.reading.is_some_and(|phase| phase.reads(&verb)) {
                inner.queue.push((node, reply));
            }
            let woken = if inner.queue.len() >= inner.wake_at { inner.reader.take() } else { None };
            let unproved = inner.leaving && inner.awaited == 0 && !inner.footprint.outstanding().is_empty();
            (woken, unproved.then_some((inner.footprint, inner.until)))
        };
        if let Some(waker) = woken {
            waker.wake();
        }
        if let Some((footprint, until)) = leftover {
            let (core, subject) = (Arc::clone(&self.core), Arc::clone(&self.subject));
            self.core.sweeper.push(Leftover { core, subject, footprint, until });
        }
    }
}

/// The reply, unless its counter is above what any clock leads to: then it is a fault. Such a counter would be carried to
/// all other nodes by the floor of the next grant, and in the end no token would be left.
fn plausible(reply: Reply) -> Reply {
    match reply {
        Reply::Granted { counter } if counter > COUNTER_MAX => {
            let story = format!("its counter {counter} is none that a clock leads to: was a key written by hand?");
            Reply::Failed(Fault::new(FaultKind::Unexpected, story))
        }
        Reply::Refused(view) if view.counter > COUNTER_MAX => Reply::Refused(View { counter: 0, ..view }),
        other => other,
    }
}
