//! One attempt of one client: the shipped machine, its mail, and what its holder believes.

use std::sync::Arc;

use redfence::protocol::{Acquire, Continuity, Extend, Quorum, Reply, Subject, Terms, Verb};
use redfence::{Moment, NodeId, NodeSet};

use crate::oracle::Oracle;

/// One attempt and, once it is won, its lease.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) subject: Arc<Subject>,
    pub(crate) began: u64,
    pub(crate) reachable: NodeSet,
    pub(crate) phase: Phase,
    /// The nodes whose locks count in extensions, once the attempt is won.
    pub(crate) continuity: Option<Continuity>,
    pub(crate) oracle: Oracle,
}

/// How far an attempt is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Waits for replies to its grants and seals.
    Acquiring(Box<Acquire>),
    /// Believes in its lease; the index of it in the history.
    Holding(usize),
    /// Believes in its lease and waits for replies to its extension, which began at that step.
    Extending(usize, Extend, u64),
    /// Over: released, lost, cancelled or never won.
    Over,
}

/// A request or a reply on its way.
#[derive(Debug, Clone)]
pub(crate) struct Mail<T> {
    pub(crate) attempt: usize,
    pub(crate) node: NodeId,
    pub(crate) body: T,
}

/// A reply and what it replies to.
pub(crate) type Answer = (Verb, Reply);

impl Attempt {
    pub(crate) fn new(
        subject: Arc<Subject>,
        counted: usize,
        reachable: NodeSet,
        terms: Terms,
        began: u64,
        now: Moment,
    ) -> Option<Self> {
        let quorum = Quorum::of(counted)?;
        let phase = Phase::Acquiring(Box::new(Acquire::new(quorum, terms, now)));
        Some(Self { subject, began, reachable, phase, continuity: None, oracle: Oracle::new(quorum) })
    }
}
