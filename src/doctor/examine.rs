//! [`Redlock::doctor`]: gathers the facts that the checks need.

use std::time::Duration;

use futures::future::join_all;

use super::Report;
use super::case::{CanaryFailure, Case, Cause, Expected};
use super::facts::{CANARY, Facts};
use crate::protocol::{Fault, FaultKind, Vote};
use crate::{AcquireError, ExtendError, Redlock};

impl Redlock {
    /// Examines the nodes, to find faults before they hurt. Takes about two seconds, because it watches the clocks.
    /// It changes nothing but a lock of its own.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the doctor's lock is released in the background.
    pub async fn doctor(&self) -> Report {
        let clock = self.clock();
        let facts = join_all(self.each_node().iter().map(|node| async move {
            match node.as_server() {
                Some(server) => Facts::of(server, clock).await,
                None => Err(Fault::new(FaultKind::Unreachable, "an embedded node has nothing to examine")),
            }
        }))
        .await;
        self.look().await;
        let canary = canary(self).await;
        let counters = match self.admin().inspect(CANARY).await {
            Ok(seen) => seen.rows.into_iter().map(|row| row.view.ok().map(|view| view.counter)).collect(),
            Err(_) => Vec::new(),
        };
        let (node_timeout, drift_ppm, durable) = self.expectations();
        let expected = Expected { node_timeout, drift_ppm, durable, needed: self.needed() };
        Case { expected, nodes: self.nodes(), facts, counters, canary }.examine()
    }
}

/// Acquires, extends and releases; returns how long that took.
async fn canary(redlock: &Redlock) -> Result<Duration, CanaryFailure> {
    let began = redlock.clock().now();
    let not_acquired = |error: AcquireError| {
        let cause = match &error {
            // Other checks report what is wrong with each node.
            AcquireError::NoQuorum { votes, .. } if votes.dominant().is_some_and(|(_, vote)| rests(vote)) => {
                return CanaryFailure { what: "too few nodes take part".to_owned(), cause: Cause::NoQuorum };
            }
            AcquireError::NoQuorum { .. } | AcquireError::Overloaded { .. } => Cause::NoQuorum,
            AcquireError::Contended { .. } | AcquireError::HeldWithoutTtl { .. } => Cause::Contended,
            _ => Cause::Other,
        };
        CanaryFailure { what: error.to_string(), cause }
    };
    let not_extended = |error: ExtendError| {
        let cause = if matches!(error, ExtendError::NoQuorum { .. }) { Cause::NoQuorum } else { Cause::Other };
        CanaryFailure { what: error.to_string(), cause }
    };
    let guard = redlock.try_acquire(CANARY).await.map_err(not_acquired)?;
    guard.extend().await.map_err(not_extended)?;
    drop(guard.release().await);
    Ok(redlock.clock().now().since(began))
}

fn rests(vote: &Vote) -> bool {
    matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Resting)
}
