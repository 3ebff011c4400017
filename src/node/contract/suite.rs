//! [`Suite`]: what every rule of the contract is checked with.

use std::sync::Arc;
use std::time::Duration;

use crate::node::{Node, ReplySink, ask};
use crate::protocol::{FaultKind, LockView, NodeReport, Reply, Request, Subject, Verb, VerbKind};
use crate::{Holder, HolderId, Label, NodeId, Resource};

/// The rule that a node broke.
#[derive(Debug, thiserror::Error)]
#[error("the node breaks its contract: {rule}: {detail}")]
pub struct Broken {
    /// The rule.
    pub rule: &'static str,
    /// What happened instead.
    pub detail: String,
}

pub(super) const TTL: Duration = Duration::from_secs(10);
pub(super) const SHORT: Duration = Duration::from_millis(30);

pub(super) struct Suite<'a> {
    pub(super) node: &'a dyn Node,
    pub(super) fresh: &'a str,
}

/// One holder of one resource, as the suite uses it.
pub(super) struct Party<'a> {
    pub(super) node: &'a dyn Node,
    pub(super) subject: Arc<Subject>,
}

impl Suite<'_> {
    pub(super) fn party(&self, resource: &str, holder: u128) -> Result<Party<'_>, Broken> {
        let unusable = |detail: String| Broken { rule: "names", detail };
        let resource =
            Resource::new(format!("{}:{resource}", self.fresh)).map_err(|error| unusable(error.to_string()))?;
        let label = Label::new("contract suite").map_err(|error| unusable(error.to_string()))?;
        let holder = Holder::new(HolderId::from_random(holder), label);
        Ok(Party { node: self.node, subject: Arc::new(Subject::new(resource, holder)) })
    }
}

impl Party<'_> {
    pub(super) async fn ask(&self, verb: Verb) -> Reply {
        ask(self.node, Request { subject: Arc::clone(&self.subject), verb }).await
    }

    pub(super) async fn granted(&self, rule: &'static str, ttl: Duration, floor: u64) -> Result<u64, Broken> {
        match self.ask(Verb::Grant { ttl, floor, block: 1, waits: None }).await {
            Reply::Granted { counter } => Ok(counter),
            other => Err(Broken { rule, detail: format!("{other:?} instead of a grant") }),
        }
    }

    pub(super) async fn reported(&self, rule: &'static str, verb: Verb) -> Result<NodeReport, Broken> {
        match self.ask(verb).await {
            Reply::Reported(report) => Ok(*report),
            other => Err(Broken { rule, detail: format!("{other:?} instead of a report") }),
        }
    }

    pub(super) async fn refused(&self, rule: &'static str, verb: Verb) -> Result<LockView, Broken> {
        match self.ask(verb.clone()).await {
            Reply::Refused(view) => Ok(view),
            other => Err(Broken { rule, detail: format!("{verb:?}: {other:?} instead of a refusal") }),
        }
    }

    pub(super) async fn expect(&self, rule: &'static str, verb: Verb, expected: &Reply) -> Result<(), Broken> {
        let reply = self.ask(verb.clone()).await;
        ensure(rule, reply == *expected, &(verb, reply))
    }

    /// Scans to the end; returns the resources that have this suite's prefix.
    pub(super) async fn scanned(&self, rule: &'static str, count: u32, remove: bool) -> Result<Vec<Resource>, Broken> {
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            match self.ask(Verb::Scan { cursor, count, remove }).await {
                Reply::Scanned { cursor: next, locks } => {
                    seen.extend(locks.into_iter().map(|lock| lock.resource));
                    cursor = next;
                }
                other => return Err(Broken { rule, detail: format!("{other:?} instead of locks") }),
            }
            if cursor == 0 {
                return Ok(seen);
            }
        }
    }

    pub(super) async fn view(&self, rule: &'static str) -> Result<LockView, Broken> {
        match self.ask(Verb::Inspect).await {
            Reply::Inspected(view) => Ok(view),
            Reply::Failed(fault) if fault.kind == FaultKind::Unreachable => {
                Err(Broken { rule, detail: format!("the node does not answer: {fault}") })
            }
            other => Err(Broken { rule, detail: format!("{other:?} instead of a view") }),
        }
    }

    pub(super) async fn expect_free(&self, rule: &'static str) -> Result<(), Broken> {
        let view = self.view(rule).await?;
        ensure(rule, view.lock.is_free() && view.ttl_left.is_none(), &view)
    }

    pub(super) async fn wait_until_free(&self, rule: &'static str) -> Result<(), Broken> {
        for _ in 0..200 {
            if self.view(rule).await?.lock.is_free() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Broken { rule, detail: format!("a lock of {SHORT:?} was still there after a second") })
    }
}

pub(super) fn ensure(rule: &'static str, holds: bool, seen: &dyn std::fmt::Debug) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { rule, detail: format!("{seen:?}") }) }
}

/// Drops all replies.
pub(super) struct Ignored;

impl ReplySink for Ignored {
    fn deliver(&self, _: NodeId, _: VerbKind, _: Reply) {}
}
