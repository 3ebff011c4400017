//! Asks several nodes at once, and collects the replies that come in time.

use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Exchange, Phase};
use crate::protocol::{Fault, FaultKind, Footprint, Reply, Subject, Verb};
use crate::redlock::env::Env;
use crate::{Holder, HolderId, Label, Moment, NodeId, NodeSet, Resource};

/// Sends a verb to each of `nodes`. [`collect`] then returns the replies.
pub(crate) fn ask(
    env: &Arc<Env>,
    subject: Arc<Subject>,
    phase: Phase,
    nodes: NodeSet,
    verb: &(dyn Fn(NodeId) -> Verb + Sync),
) -> Arc<Exchange> {
    let exchange = Exchange::open(env, subject, phase, Footprint::default(), (env.clock.now(), Moment::default()));
    exchange.send_each(nodes, verb);
    exchange
}

/// The same, and waits for all replies, for `within` at most. A node that does not answer in time counts as timed
/// out.
///
/// # Cancel safety
///
/// If the future is dropped, the requests are not withdrawn.
pub(crate) async fn ask_all(
    env: &Arc<Env>,
    subject: Arc<Subject>,
    phase: Phase,
    nodes: NodeSet,
    verb: &(dyn Fn(NodeId) -> Verb + Sync),
    within: Duration,
) -> Vec<(NodeId, Reply)> {
    let exchange = ask(env, subject, phase, nodes, verb);
    let _ = tokio::time::timeout(within, exchange.filled(nodes.len())).await;
    let silent = || Reply::Failed(Fault::new(FaultKind::TimedOut, format!("no answer within {within:?}")));
    collect(&exchange, nodes).into_iter().map(|(node, reply)| (node, reply.unwrap_or_else(silent))).collect()
}

/// The replies so far of each of `nodes`, in their order.
pub(crate) fn collect(exchange: &Exchange, nodes: NodeSet) -> Vec<(NodeId, Option<Reply>)> {
    let mut replies = exchange.take();
    let mut reply_of = |node| replies.iter().position(|(from, _)| *from == node).map(|at| replies.swap_remove(at).1);
    nodes.iter().map(|node| (node, reply_of(node))).collect()
}

/// Waits until every node has replied to a request that is sent behind all others. It waits only a moment longer for
/// nodes that are much slower than a quorum, or hang.
///
/// # Cancel safety
///
/// If the future is dropped, nothing changes.
pub(crate) async fn drain(env: &Arc<Env>, subject: Arc<Subject>, within: Duration) {
    /// That moment, and the least factor over the time that the quorum took.
    const STRAGGLERS: (Duration, u32) = (Duration::from_millis(20), 4);
    let began = env.clock.now();
    let exchange = ask(env, subject, Phase::Inspect, env.all_nodes(), &|_| Verb::Inspect);
    let answers = async {
        exchange.filled(env.quorum.needed()).await;
        let moment = STRAGGLERS.0.max(env.clock.now().since(began) * STRAGGLERS.1);
        let _ = tokio::time::timeout(moment, exchange.filled(env.quorum.nodes())).await;
    };
    let _ = tokio::time::timeout(within, answers).await;
}

/// The subject of requests about the node itself, or about all resources.
pub(crate) fn no_subject() -> Option<Arc<Subject>> {
    let resource = Resource::new("node").ok()?;
    let holder = Holder::new(HolderId::from_random(0), Label::new("").ok()?);
    Some(Arc::new(Subject::new(resource, holder)))
}
