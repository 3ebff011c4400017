//! One extension of a lease, and the replies to its release.

use std::sync::Arc;
use std::time::Duration;

use super::drive::drive;
use super::exchange::{Exchange, Phase};
use crate::protocol::{
    Extend, ExtendDefeat, Footprint, LockView, Release, ReleaseOutcome, Reply, Subject, Terms, Verb,
};
use crate::redlock::env::Env;
use crate::{Moment, NodeSet};

/// Extends the locks of `subject`. `send` must send the requests that it gets; the result is `None` if it did not.
///
/// # Cancel safety
///
/// If the future is dropped, the requests are not withdrawn.
pub(crate) async fn extend(
    env: &Arc<Env>,
    terms: Terms,
    subject: Arc<Subject>,
    voters: NodeSet,
    round_max: Duration,
    send: impl FnOnce(&dyn Fn()) -> bool,
) -> Option<Result<Moment, ExtendDefeat>> {
    let began = env.clock.now();
    let exchange = Exchange::open(env, subject, Phase::Extend, Footprint::default(), (began, began));
    if !send(&|| exchange.send(env.all_nodes(), &Verb::Extend { ttl: terms.ttl })) {
        return None;
    }
    let mut machine = Extend::new(env.quorum, terms, began, voters);
    let outcome = drive(&exchange, &mut machine, round_max).await;
    if let Err(defeat) = &outcome {
        let Subject { resource, holder, .. } = &**exchange.subject();
        tracing::debug!(%resource, ?holder, ?defeat, "not extended");
    }
    Some(outcome)
}

/// Waits for the replies to the release of `exchange`, which was sent to `asked`. Returns what the release found.
///
/// # Cancel safety
///
/// If the future is dropped, only the outcome is lost.
pub(crate) async fn released(exchange: Arc<Exchange>, asked: NodeSet, round_max: Duration) -> ReleaseOutcome {
    let env = exchange.env();
    let mut machine = Release::new(env.quorum);
    // Nodes that certainly never had the lock were not asked.
    for node in env.all_nodes().without(asked).iter() {
        if let Some(outcome) = machine.reply(node, Reply::Refused(LockView::default())) {
            return outcome;
        }
    }
    drive(&exchange, &mut machine, round_max).await
}
