//! [`Exchange`]: collects the replies of one attempt, and releases its locks if the reader goes away.
//!
//! Requests are sent synchronously, and replies are taken here and not in a future. So a future can be dropped at any
//! point: the drop sends the releases at once, behind the grants, and later replies are still noted.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::leave::leave;
use crate::node::{Node, ReplySink, Responder};
use crate::protocol::{
    COUNTER_MAX, Continuity, Fault, FaultKind, Footprint, LockView, Next, Publish, Reply, Request, Subject, Verb,
    VerbKind, Win,
};
use crate::redlock::env::meters::Meters;
use crate::redlock::env::spans::{self, RequestSpans};
use crate::redlock::env::{Env, Leftover};
use crate::{HolderId, Moment, NodeId, NodeSet, Occupant};

/// The replies of one attempt, from its grants to its releases; or the replies of one extension.
pub(crate) struct Exchange {
    me: Weak<Self>,
    env: Arc<Env>,
    subject: Arc<Subject>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    footprint: Footprint,
    /// When it was opened, before anything was sent.
    began: Moment,
    /// When the last lock of this attempt will have expired.
    until: Moment,
    /// The nodes that granted before the attempt was won; and the nodes that refused and may have put this process
    /// into their queues.
    granted: NodeSet,
    refused: NodeSet,
    /// Set once the attempt is won: the nodes whose locks count in extensions.
    continuity: Option<Continuity>,
    /// What the reader waits for. Replies to other verbs are noted, but not queued.
    reading: Option<Phase>,
    queue: Vec<(NodeId, Reply)>,
    reader: Option<Waker>,
    wake_at: usize,
    /// How many replies are still to come.
    awaited: usize,
    /// Set once the attempt is over: which waiter is next on every node that has the lock or grants it later.
    leaving: Option<Next>,
    /// Whether nodes that have not answered get the release only after they grant.
    is_patient: bool,
    /// The present section of the lease, if it is not the first one; and whether a majority of the nodes no longer
    /// has the lease.
    section: Option<Weak<dyn Section>>,
    is_gone: bool,
    spans: RequestSpans,
}

/// One task's section of a lease that passes from task to task.
pub(crate) trait Section: Send + Sync {
    /// Reports that a majority of the nodes no longer has the lease.
    fn lease_is_gone(&self);
}

/// What the reader of an exchange waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Acquire,
    Extend,
    Release,
    Inspect,
    Operate,
    Join,
}

impl Phase {
    const fn reads(self, verb: VerbKind) -> bool {
        match verb {
            VerbKind::Grant | VerbKind::Seal => matches!(self, Self::Acquire),
            VerbKind::Extend => matches!(self, Self::Extend),
            VerbKind::Release => matches!(self, Self::Release),
            VerbKind::Leave => false,
            VerbKind::Inspect => matches!(self, Self::Inspect),
            VerbKind::Operate => matches!(self, Self::Operate),
            VerbKind::Join => matches!(self, Self::Join),
        }
    }
}

impl Exchange {
    /// An exchange in `phase`, from `began`. `footprint` says where locks of `subject` may be from the start, and `until`
    /// when the last of them will have expired.
    pub(crate) fn open(
        env: &Arc<Env>,
        subject: Arc<Subject>,
        phase: Phase,
        footprint: Footprint,
        (began, until): (Moment, Moment),
    ) -> Arc<Self> {
        let inner = Inner { footprint, began, until, reading: Some(phase), ..Inner::default() };
        Arc::new_cyclic(|me| Self { me: Weak::clone(me), env: Arc::clone(env), subject, inner: Mutex::new(inner) })
    }

    /// What the locker's parts share.
    pub(crate) const fn env(&self) -> &Arc<Env> {
        &self.env
    }

    /// The resource and the holder.
    pub(crate) const fn subject(&self) -> &Arc<Subject> {
        &self.subject
    }

    /// An extension was sent: the locks may live until `until`, so the release must be repeated until then.
    pub(crate) fn may_live_until(&self, until: Moment) {
        let mut inner = self.lock();
        inner.until = inner.until.max(until);
    }

    /// Sends to each of `nodes` the grant `verb` of this attempt. Nodes where the lock of `earlier` is `outstanding`
    /// get its release right before the grant.
    pub(crate) fn take_over(
        self: &Arc<Self>,
        (earlier, outstanding, next): (&Arc<Self>, NodeSet, Next),
        nodes: NodeSet,
        verb: &Verb,
    ) {
        let publishers = {
            let mut earlier = earlier.lock();
            earlier.awaited += outstanding.len();
            self.env.quorum_of(earlier.footprint.present(), outstanding)
        };
        self.lock().awaited += nodes.len();
        for (id, node) in self.env.nodes() {
            let release = outstanding.contains(id).then(|| earlier.request(id, &**node, release(next, publishers, id)));
            let grant = nodes.contains(id).then(|| self.request(id, &**node, verb.clone()));
            match (release, grant) {
                (Some(release), Some(grant)) => node.send_both(release, grant),
                (Some((request, answer)), None) | (None, Some((request, answer))) => node.send(request, answer),
                (None, None) => {}
            }
        }
    }

    fn request(self: &Arc<Self>, id: NodeId, node: &dyn Node, verb: Verb) -> (Request, Responder) {
        if spans::are_on()
            && let Some(span) = spans::request(id, node, verb.kind())
        {
            self.lock().spans.begin(id, verb.kind(), span);
        }
        let sink = Arc::clone(self) as Arc<dyn ReplySink>;
        let answer = Responder::to(sink, id, verb.kind());
        (Request { subject: Arc::clone(&self.subject), verb }, answer)
    }

    /// Sends `verb` to `nodes`, all at once.
    pub(crate) fn send(self: &Arc<Self>, nodes: NodeSet, verb: &Verb) {
        self.send_each(nodes, &|_| verb.clone());
    }

    /// Sends each of `nodes` its own verb, all at once.
    pub(crate) fn send_each(self: &Arc<Self>, nodes: NodeSet, verb: &(dyn Fn(NodeId) -> Verb + Sync)) {
        self.lock().awaited += nodes.len();
        for (id, node) in self.env.nodes().filter(|(id, _)| nodes.contains(*id)) {
            let (request, answer) = self.request(id, &**node, verb(id));
            node.send(request, answer);
        }
    }

    /// Waits until `at_least` replies have come in, and takes them. It does not wake the task earlier, which would be
    /// in vain.
    ///
    /// # Cancel safety
    ///
    /// No reply is lost.
    pub(crate) async fn next(&self, at_least: usize) -> Vec<(NodeId, Reply)> {
        self.filled(at_least).await;
        self.take()
    }

    /// Waits until `count` replies have come in, and leaves them for [`Exchange::take`].
    pub(crate) async fn filled(&self, count: usize) {
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

    /// Whether some node that was probed has a record of a join.
    pub(crate) fn has_seen_a_record(&self) -> bool {
        self.lock().queue.iter().any(|(_, reply)| matches!(reply, Reply::Reported(report) if report.record.is_some()))
    }

    /// The probed nodes that are awake, whatever is known of the others.
    pub(crate) fn awake(&self) -> NodeSet {
        let awake = |reply: &Reply| matches!(reply, Reply::Reported(report) if report.is_awake());
        self.lock().queue.iter().filter(|(_, reply)| awake(reply)).map(|(node, _)| *node).collect()
    }

    /// Takes the replies so far.
    pub(crate) fn take(&self) -> Vec<(NodeId, Reply)> {
        std::mem::take(&mut self.lock().queue)
    }

    /// The attempt was won: stops reading, and only notes later replies. This process leaves the queues of the nodes
    /// that refused, because it no longer waits.
    pub(crate) fn win(&self, win: &Win, late_max: Duration) {
        let mut continuity = Continuity::begin(win, self.env.clock.now(), late_max);
        let refused = {
            let mut inner = self.lock();
            continuity.granted_before(inner.granted);
            inner.continuity = Some(continuity);
            inner.queue = Vec::new();
            inner.reading = None;
            inner.reader = None;
            inner.refused
        };
        self.leave_queues(refused);
    }

    fn leave_queues(&self, nodes: NodeSet) {
        if !nodes.is_empty() {
            let Subject { resource, holder, waiter } = &*self.subject;
            leave(&self.env, resource, (*waiter, holder.label()), nodes);
        }
    }

    /// A further section of the lease begins. Returns false if the lease is gone.
    pub(crate) fn begin_section(&self, section: Weak<dyn Section>) -> bool {
        let mut inner = self.lock();
        inner.section = Some(section);
        !inner.is_gone
    }

    /// Notes that a majority of the nodes no longer has the lease. Returns the present section, if it is not the
    /// first one.
    pub(crate) fn lease_is_gone(&self) -> Option<Arc<dyn Section>> {
        let mut inner = self.lock();
        inner.is_gone = true;
        inner.section.as_ref().and_then(Weak::upgrade)
    }

    /// The nodes whose locks count when the lease of this attempt is extended.
    pub(crate) fn voters(&self) -> NodeSet {
        self.lock().continuity.map_or(NodeSet::EMPTY, |continuity| continuity.voters())
    }

    /// The lease is over: sends the release to every node that may have the lock, and returns these nodes. If a
    /// release is still unacknowledged after the last reply, it goes to the sweeper.
    pub(crate) fn leave(self: &Arc<Self>, reading: Option<Phase>) -> NodeSet {
        let next = Next::Queue(Publish::ToFirstTwo);
        let outstanding = self.prepare_to_leave(reading, next);
        let publishers = self.env.quorum_of(self.lock().footprint.present(), outstanding);
        self.send_each(outstanding, &|node| release(next, publishers, node));
        outstanding
    }

    /// From now on, unacknowledged releases go to the sweeper. Returns the nodes that must get a release.
    pub(crate) fn prepare_to_leave(&self, reading: Option<Phase>, next: Next) -> NodeSet {
        let mut inner = self.lock();
        inner.leaving = Some(next);
        inner.reading = reading;
        inner.queue.clear();
        inner.footprint.outstanding()
    }

    /// The attempt was lost: sends the release to the nodes that granted. Nodes that have not answered mostly refuse.
    /// So they get the release only after they grant, or with [`Exchange::give_up`].
    pub(crate) fn retreat(self: &Arc<Self>, next: Next) {
        let outstanding = self.prepare_to_leave(None, next);
        let granted = {
            let mut inner = self.lock();
            inner.is_patient = true;
            outstanding.iter().filter(|node| inner.granted.contains(*node)).collect()
        };
        self.send(granted, &Verb::Release { next });
    }

    /// Stops waiting for replies: sends the release to the nodes that have not answered, behind their grants.
    pub(crate) fn give_up(self: &Arc<Self>) {
        let (silent, next) = {
            let mut inner = self.lock();
            let is_patient = std::mem::replace(&mut inner.is_patient, false);
            let Some(next) = inner.leaving.filter(|_| is_patient) else { return };
            (inner.footprint.unanswered(), next)
        };
        self.send(silent, &Verb::Release { next });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplySink for Exchange {
    fn deliver(&self, node: NodeId, verb: VerbKind, mut reply: Reply) {
        if verb == VerbKind::Grant
            && let Some(fault) = impossible(&reply, self.subject.holder.id())
        {
            reply = Reply::Failed(fault);
        }
        if let Reply::Reported(report) = &mut reply {
            report.arrived = self.env.clock.now();
        }
        self.env.watermarks.observe(self.subject.resource.slot(), &reply);
        if let Reply::Failed(fault) = &reply {
            self.env.ready.on_fault(node, fault.kind);
        }
        // Few replies need the time.
        let now = || self.env.clock.now();
        let is_queued = matches!(reply, Reply::Refused(LockView { place: Some(_), .. }));
        let (woken, then, leaves, _answered) = {
            let mut inner = self.lock();
            let answered = inner.spans.end(node, verb, &reply);
            // If the attempt was won meanwhile, this process no longer waits, so it must leave the node's queue.
            let leaves = verb == VerbKind::Grant && is_queued && inner.continuity.is_some();
            if Meters::ON {
                self.env.meters.voted(node, verb, &reply, now().since(inner.began));
            }
            let then = inner.note(node, verb, &reply, now);
            if inner.is_late(verb, &reply) {
                self.env.late.note(node, inner.began, now());
            }
            if inner.reading.is_some_and(|phase| phase.reads(verb)) {
                inner.queue.push((node, reply));
            }
            (if inner.queue.len() >= inner.wake_at { inner.reader.take() } else { None }, then, leaves, answered)
        };
        if let Some(waker) = woken {
            waker.wake();
        }
        if leaves {
            self.leave_queues(NodeSet::from_iter([node]));
        }
        match then {
            Then::Nothing => {}
            Then::Release(next) => {
                if let Some(me) = self.me.upgrade() {
                    // After `give_up`, this process waits in no queue.
                    let next = if self.lock().is_patient { next } else { Next::Queue(Publish::ToFirst) };
                    me.send(NodeSet::from_iter([node]), &Verb::Release { next });
                }
            }
            Then::Sweep(footprint, until) => {
                let (env, subject) = (Arc::clone(&self.env), Arc::clone(&self.subject));
                self.env.leftovers.push(Leftover { env, subject, footprint, until });
            }
        }
    }
}

/// What to do after a reply, when no lock is held.
enum Then {
    Nothing,
    Release(Next),
    Sweep(Footprint, Moment),
}

impl Inner {
    /// Whether this is a reply to a grant that came too late to count.
    fn is_late(&self, verb: VerbKind, reply: &Reply) -> bool {
        let answers = matches!(reply, Reply::Granted { .. } | Reply::Refused(_));
        verb == VerbKind::Grant && answers && self.leaving.is_some()
    }

    /// Notes what a reply says about where the lock is.
    fn note(&mut self, node: NodeId, verb: VerbKind, reply: &Reply, now: impl FnOnce() -> Moment) -> Then {
        self.awaited = self.awaited.saturating_sub(1);
        match verb {
            VerbKind::Grant => {
                self.footprint.on_grant(node, reply);
                let is_queued = matches!(reply, Reply::Refused(LockView { place: Some(_), .. }));
                match (&mut self.continuity, reply) {
                    (Some(continuity), _) => continuity.late_grant(node, reply, now),
                    (None, Reply::Granted { .. }) => self.granted.insert(node),
                    (None, _) if is_queued => self.refused.insert(node),
                    _ => {}
                }
                if let (Some(next), true, Reply::Granted { .. }) = (self.leaving, self.is_patient, reply) {
                    return Then::Release(next);
                }
            }
            VerbKind::Release => self.footprint.on_release(node, reply),
            _ => {}
        }
        match self.leaving {
            Some(_) if self.awaited == 0 && !self.footprint.outstanding().is_empty() => {
                Then::Sweep(self.footprint, self.until)
            }
            _ => Then::Nothing,
        }
    }
}

/// The release for one node. Only the nodes in `publishers`, a quorum, wake the next waiter: more messages would be a
/// waste. The first of them also wakes the second waiter.
fn release(next: Next, publishers: NodeSet, node: NodeId) -> Verb {
    let publish = match next {
        Next::Queue(_) if !publishers.contains(node) => Publish::Nothing,
        Next::Queue(Publish::ToFirstTwo) if publishers.iter().next() != Some(node) => Publish::ToFirst,
        _ => return Verb::Release { next },
    };
    Verb::Release { next: Next::Queue(publish) }
}

/// Why a reply to a grant of `holder` is impossible. No clock leads to a counter above the maximum, so another program
/// wrote it. If a node was asked once and already has the lock for this attempt, the server was also asked under
/// another name.
fn impossible(reply: &Reply, holder: HolderId) -> Option<Fault> {
    let is_own = |view: &LockView| view.lock.held_by().and_then(Occupant::holder).is_some_and(|own| own.id() == holder);
    match reply {
        Reply::Granted { counter } if *counter > COUNTER_MAX => {
            let story = format!("its counter {counter} is too high to come from a clock: was a key written by hand?");
            Some(Fault::new(FaultKind::Unexpected, story))
        }
        Reply::Refused(view) if is_own(view) => {
            Some(Fault::new(FaultKind::Duplicate, "it was already asked for this attempt under another name"))
        }
        _ => None,
    }
}
