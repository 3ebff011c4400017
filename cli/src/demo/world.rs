//! [`World`]: the nodes, the ledger and the timeline of one run.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redfence::{AcquireError, FencingToken, Guard, Redlock};

use super::ledger::Ledger;
use super::nodes::Nodes;
use super::timeline::Chapter;
use crate::failure::Failure;

/// The time to live of locks here. It is short, so that the story is short.
pub(super) const TTL: Duration = Duration::from_millis(600);
/// The length of a pause that is too long.
pub(super) const OVERLONG: Duration = Duration::from_millis(800);

/// Everything that one run needs.
pub(super) struct World<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) ledger: Ledger,
    pub(super) chapter: Chapter<'a>,
    tokens: Mutex<Vec<FencingToken>>,
}

impl<'a> World<'a> {
    pub(super) const fn new(nodes: &'a Nodes, ledger: Ledger, chapter: Chapter<'a>) -> Self {
        Self { nodes, ledger, chapter, tokens: Mutex::new(Vec::new()) }
    }

    /// A locker for one actor. It does not renew, because a paused process would not renew either.
    pub(super) fn locker(&self, label: &str) -> Result<Redlock, Failure> {
        Ok(self.nodes.builder.clone().ttl(TTL).renewed(false).label(label).build()?)
    }

    /// Acquires a lease on the ledger, and counts it as a section.
    pub(super) async fn acquire(&self, redlock: &Redlock, wait_max: Duration) -> Result<Guard, AcquireError> {
        let guard = redlock.acquire_within(&self.ledger.resource, wait_max).await?;
        self.tokens().push(guard.token());
        self.chapter.count_lease();
        Ok(guard)
    }

    /// The token of every lease, in the order in which the leases were acquired.
    pub(super) fn tokens(&self) -> std::sync::MutexGuard<'_, Vec<FencingToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sections(&self) -> usize {
        self.tokens().len()
    }
}
