//! [`Unsent`]: the requests to one server that wait to be sent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::encode::EncodedRequest;
use crate::node::Responder;
use crate::protocol::{Fault, FaultKind, Reply, Request, Verb};
use crate::{HolderId, LockerId, Resource};

/// A request that is queued or sent, and not answered.
pub(super) struct PendingRequest {
    pub(super) request: Request,
    pub(super) encoded: Arc<EncodedRequest>,
    pub(super) answer: Responder,
}

impl PendingRequest {
    const fn is_grant(&self) -> bool {
        matches!(self.request.verb, Verb::Grant { .. })
    }

    fn holder(&self) -> HolderId {
        self.request.subject.holder.id()
    }
}

/// What to deliver after the lock of the send queue is released.
#[derive(Default)]
pub(super) struct Completions {
    pub(super) answers: Vec<(Responder, Reply)>,
    /// The wakes: which locker, for which lock, and in what time the lock is free.
    pub(super) wakes: Vec<(LockerId, Resource, Duration)>,
    /// Whether wakes arrive over this connection from now on.
    pub(super) receives: bool,
    /// Whether it cannot receive wakes, or not yet.
    pub(super) is_deaf: bool,
}

impl Completions {
    pub(super) fn fail(&mut self, answer: Responder, kind: FaultKind) {
        self.answers.push((answer, Reply::Failed(Fault::new(kind, ""))));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.wakes.is_empty() && !self.receives && !self.is_deaf
    }
}

/// The requests that wait to be sent, the oldest first.
#[derive(Default)]
pub(super) struct Unsent {
    requests: VecDeque<PendingRequest>,
    grants: Holders,
}

/// The most requests of one pipeline. A server handles them in about a millisecond.
pub(super) const PIPELINE_MAX: usize = 128;

impl Unsent {
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn push(&mut self, pending: PendingRequest) {
        self.note(&pending);
        self.requests.push_back(pending);
    }

    /// Puts a request back that the server did not run.
    pub(super) fn push_front(&mut self, pending: PendingRequest) {
        self.note(&pending);
        self.requests.push_front(pending);
    }

    fn note(&mut self, pending: &PendingRequest) {
        if pending.is_grant() {
            self.grants.insert(pending.holder());
        }
    }

    /// Removes the grant of `holder`, because its release comes, so its caller no longer waits. Mostly the grant is one
    /// of the last. Returns whether it found it.
    pub(super) fn withdraw(&mut self, holder: HolderId, completions: &mut Completions) -> bool {
        if !self.grants.may_contain(holder) {
            return false;
        }
        let is_its = |pending: &PendingRequest| pending.is_grant() && pending.holder() == holder;
        let Some(back) = self.requests.iter().rev().take(Holders::LAST).position(is_its) else { return false };
        if let Some(grant) = self.requests.remove(self.requests.len() - 1 - back) {
            completions.fail(grant.answer, FaultKind::Withdrawn);
        }
        true
    }

    /// Removes and returns the requests of the next pipeline. Releases go first, so the same pipeline can take a lock again
    /// that it releases. A grant whose release is among them is withdrawn: its caller has given up.
    pub(super) fn next_pipeline(&mut self, completions: &mut Completions) -> Vec<PendingRequest> {
        let share = self.requests.len().min(PIPELINE_MAX);
        let requests = self.requests.drain(..share);
        let (mut pipeline, others): (Vec<_>, Vec<_>) = requests.partition(|pending| pending.request.verb.is_release());
        if pipeline.is_empty() {
            return others;
        }
        let released: Vec<_> = pipeline.iter().map(PendingRequest::holder).collect();
        let mut marks = Marks::default();
        released.iter().for_each(|holder| marks.insert(*holder));
        let is_released = |holder| marks.may_contain(holder) && released.contains(&holder);
        pipeline.reserve_exact(others.len());
        for pending in others {
            if pending.is_grant() && is_released(pending.holder()) {
                completions.fail(pending.answer, FaultKind::Withdrawn);
            } else {
                pipeline.push(pending);
            }
        }
        pipeline
    }

    /// Removes and returns all requests.
    pub(super) fn take(&mut self) -> VecDeque<PendingRequest> {
        std::mem::take(self).requests
    }
}

/// The holders of the last grants that were queued: at least [`Holders::LAST`] of them.
#[derive(Default)]
struct Holders {
    newer: Marks,
    older: Marks,
    /// How many holders `newer` has.
    count: usize,
}

impl Holders {
    const LAST: usize = 64;

    fn insert(&mut self, holder: HolderId) {
        if self.count == Self::LAST {
            *self = Self { older: std::mem::take(&mut self.newer), ..Self::default() };
        }
        self.count += 1;
        self.newer.insert(holder);
    }

    fn may_contain(&self, holder: HolderId) -> bool {
        self.newer.may_contain(holder) || self.older.may_contain(holder)
    }
}

/// A set of holders that answers "perhaps" or "certainly not": one bit for some bits of each id, which is random.
#[derive(Default)]
struct Marks([u64; 8]);

impl Marks {
    fn insert(&mut self, holder: HolderId) {
        let (word, bit) = Self::place(holder);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_contain(&self, holder: HolderId) -> bool {
        let (word, bit) = Self::place(holder);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    const fn place(holder: HolderId) -> (usize, u64) {
        let bits = holder.low_bits();
        ((bits >> 6) as usize % 8, 1 << (bits % 64))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::keys::Prefix;
    use super::*;
    use crate::node::ReplySink;
    use crate::protocol::{Subject, VerbKind};
    use crate::{Holder, Label, NodeId};

    /// Notes which requests are answered before they were sent.
    #[derive(Default)]
    struct Answers(Mutex<Vec<(VerbKind, Reply)>>);

    impl ReplySink for Answers {
        fn deliver(&self, _: NodeId, verb: VerbKind, reply: Reply) {
            self.0.lock().unwrap().push((verb, reply));
        }
    }

    fn grant() -> Verb {
        Verb::Grant { ttl: Duration::from_secs(1), floor: 0, block: 1, waits: None }
    }

    fn request(answers: &Arc<Answers>, holder: u128, verb: Verb) -> PendingRequest {
        let holder = Holder::new(HolderId::from_random(holder), Label::default());
        let subject = Arc::new(Subject::new(Resource::new("r").unwrap(), holder));
        let encoded = EncodedRequest::of(&Prefix::default(), &subject);
        let answer = Responder::to(Arc::clone(answers) as Arc<dyn ReplySink>, NodeId::new(0).unwrap(), verb.kind());
        PendingRequest { request: Request { subject, verb }, encoded, answer }
    }

    fn verbs(pipeline: &[PendingRequest]) -> Vec<(VerbKind, HolderId)> {
        pipeline.iter().map(|pending| (pending.request.verb.kind(), pending.holder())).collect()
    }

    #[test]
    fn a_release_withdraws_the_unsent_grant_of_its_holder_and_no_other() {
        let (answers, mut unsent) = (Arc::new(Answers::default()), Unsent::default());
        // Ids with the same low bits: the set of holders cannot tell them apart.
        for holder in [1, 1 << 100 | 1, 2] {
            unsent.push(request(&answers, holder, grant()));
        }
        let mut completions = Completions::default();
        assert!(!unsent.withdraw(HolderId::from_random(3), &mut completions));
        assert!(!unsent.withdraw(HolderId::from_random(2 << 100 | 1), &mut completions));
        assert!(completions.is_empty());
        assert!(unsent.withdraw(HolderId::from_random(1), &mut completions));
        assert!(matches!(&completions.answers[..], [(_, Reply::Failed(fault))] if fault.kind == FaultKind::Withdrawn));
        assert_eq!(unsent.len(), 2);
        // Sent grants are not withdrawn.
        assert_eq!(unsent.next_pipeline(&mut completions).len(), 2);
        assert!(!unsent.withdraw(HolderId::from_random(2), &mut completions));
    }

    #[test]
    fn a_grant_that_comes_back_is_withdrawn_by_the_release_that_waits_and_releases_go_first() {
        let (answers, mut unsent) = (Arc::new(Answers::default()), Unsent::default());
        for holder in [5, 6] {
            unsent.push(request(&answers, holder, grant()));
        }
        let mut completions = Completions::default();
        let mut sent = unsent.next_pipeline(&mut completions);
        for holder in [6, 7] {
            assert!(!unsent.withdraw(HolderId::from_random(holder), &mut completions), "the grants were sent");
            unsent.push(request(&answers, holder, Verb::RELEASE));
        }
        while let Some(back) = sent.pop() {
            unsent.push_front(back);
        }
        let pipeline = unsent.next_pipeline(&mut completions);
        let id = HolderId::from_random;
        let expected = [(VerbKind::Release, id(6)), (VerbKind::Release, id(7)), (VerbKind::Grant, id(5))];
        assert_eq!(verbs(&pipeline), expected, "the grant of 6 is withdrawn");
        assert_eq!(completions.answers.len(), 1);
    }

    #[test]
    fn a_pipeline_has_a_bound_and_the_rest_keeps_its_grants() {
        let (answers, mut unsent) = (Arc::new(Answers::default()), Unsent::default());
        let count = PIPELINE_MAX as u128 + 2;
        for holder in 0..count {
            unsent.push(request(&answers, holder << 32 | holder, grant()));
        }
        let mut completions = Completions::default();
        assert_eq!(unsent.next_pipeline(&mut completions).len(), PIPELINE_MAX);
        assert!(unsent.withdraw(HolderId::from_random((count - 1) << 32 | (count - 1)), &mut completions));
        assert_eq!(unsent.len(), 1);
    }
}
