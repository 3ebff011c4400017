//! One extension of a lease, and the answers to its release.

use std::sync::Arc;
use std::time::Duration;

use super::drive::drive;
use super::exchange::{Exchange, Phase};
use crate::protocol::{
    Extend, ExtendDefeat, Footprint, LockView, Release, ReleaseOutcome, Reply, Subject, Terms, Verb,
};
use crate::redlock::env::Env;
use crate::{Moment, NodeSet};

/// Lets the locks of `subject` live on. `send` is called to put the requests on their way; `None` if it did not.
///
/// # Cancel safety
///
/// Dropping the future does not withdraw the requests.
pub(crate) async fn extend(
    env: &Arc<Env>,
    terms: Terms,
    subject: Arc<Subject>,
    voters: NodeSet,
    round_max: Duration,
    send: impl FnOnce(&dyn Fn()) -> bool,
) -> Option<Result<Moment, ExtendDefeat>> {
    let began = env.clock.now();
    let exchange = Exchange::open(env, subject, Phase::Extend, Footprint::default(), began);
    if !send(&|| exchange.send(env.everybody(), &Verb::Extend { ttl: terms.ttl })) {
        return None;
    }
    let mut machine = Extend::new(env.quorum, terms, began, voters);
    Some(drive(&exchange, &mut machine, round_max).await)
}

/// Waits for the answers to the release of an exchange, which was sent to `asked`, and tells what was found.
///
/// # Cancel safety
///
/// Dropping the future loses only the outcome.
pub(crate) async fn released(exchange: Arc<Exchange>, asked: NodeSet, round_max: Duration) -> ReleaseOutcome {
    let env = exchange.env();
    let mut machine = Release::new(env.quorum);
    // Where the lock certainly never was there is no node to ask.
    for node in env.everybody().without(asked).iter() {
        if let Some(outcome) = machine.reply(node, Reply::Refused(LockView::default())) {
            return outcome;
        }
    }
    drive(&exchange, &mut machine, round_max).await
}
