//! [`Roster`]: probes the nodes, and publishes which of them may be asked for grants.
//!
//! One background task probes every node from time to time. It does so at once after a new connection, or when a
//! grant met a missing counter. The pure decision is in `protocol::join`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::healths::{Healths, nodes_of};
use super::node_health::NodeHealth;
use crate::node::Task;
use crate::protocol::{Fault, FaultKind, JoinDecision, NodeReport, Reason, RecordUpdate, Reply, Verb, is_unset};
use crate::redlock::env::Env;
use crate::redlock::round::ask::{ask, collect, no_subject};
use crate::redlock::round::exchange::{Exchange, Phase};
use crate::redlock::settings::Policy;
use crate::{Moment, NodeId, NodeSet, WallTime};

/// Which replies a look waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// Those of all nodes that may answer.
    All,
    /// Those of a quorum that is known to take part, and a little longer.
    Quorum,
}

/// Probes the nodes.
pub(crate) struct Roster {
    env: Arc<Env>,
    policy: Policy,
    healths: Mutex<Healths>,
    /// Held during a look, so that only one runs at a time. A call that waits for it finds the work done.
    round: tokio::sync::Mutex<()>,
    tasks: Mutex<Vec<Task>>,
    /// Called when a node has a new connection.
    on_reconnect: Box<dyn Fn(NodeId) + Send + Sync>,
}

/// How long the first look waits for nodes that neither answer nor fail, if the installation may be new.
const FIRST_LOOK_WAIT: Duration = Duration::from_millis(1_500);
/// How long a look in haste waits for the other nodes, at least, after a quorum is known to take part.
const STRAGGLERS: Duration = Duration::from_millis(10);
/// If another locker is initializing the nodes, how often and how long apart to probe before a decision.
const BOOTSTRAP_LOOKS: usize = 5;
const BOOTSTRAP_PAUSE: Duration = Duration::from_millis(50);
/// The longest time between two probes of a node.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(3);
/// The time between two probes while some node is unreachable or rests.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The same after a time without changes.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

impl Roster {
    pub(crate) fn new(env: Arc<Env>, policy: Policy, on_reconnect: impl Fn(NodeId) + Send + Sync + 'static) -> Self {
        Self {
            healths: Mutex::new(Healths::new(env.quorum.nodes(), policy)),
            env,
            policy,
            round: tokio::sync::Mutex::new(()),
            tasks: Mutex::default(),
            on_reconnect: Box::new(on_reconnect),
        }
    }

    /// What is known about each node, in their order.
    pub(crate) fn all(&self) -> Vec<NodeHealth> {
        self.healths().each().map(|(_, health)| health.clone()).collect()
    }

    /// How long a node that forgot rests.
    pub(crate) fn rest(&self) -> Duration {
        self.healths().rest()
    }

    /// Starts the background task on the current runtime unless it runs. If no quorum is ready, probes the nodes at
    /// once, until a quorum is found.
    pub(crate) async fn prepare(self: &Arc<Self>) {
        self.start();
        if !self.env.quorum.is_met_by(self.env.ready.nodes()) {
            self.look(WaitFor::Quorum).await;
        }
    }

    /// Starts the background tasks unless they run.
    pub(crate) fn start(self: &Arc<Self>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !tasks.is_empty() && !tasks.iter().any(Task::is_finished) {
            return;
        }
        tasks.clear();
        let (env, probe_due) = (&self.env, &self.env.ready.probe_due);
        for (id, node) in env.nodes() {
            let (Some(mut sessions), probe_due) = (node.sessions(), Arc::clone(probe_due)) else { continue };
            let weak = Arc::downgrade(self);
            tasks.push(Task::start(&*env.spawner, async move {
                while sessions.changed().await.is_ok() {
                    probe_due.notify_one();
                    if let Some(roster) = weak.upgrade() {
                        (roster.on_reconnect)(id);
                    }
                }
                // The node was dropped, so the locker was too. This task must not end before the others.
                std::future::pending::<()>().await;
            }));
        }
        let (weak, probe_due) = (Arc::downgrade(self), Arc::clone(probe_due));
        tasks.push(Task::start(&*env.spawner, async move {
            let mut again = LOOK_AGAIN;
            loop {
                let Some(roster) = weak.upgrade() else { return };
                roster.look(WaitFor::All).await;
                let pause = roster.pause(again, roster.env.clock.now());
                drop(roster);
                // Without changes, the probes become less frequent. A new connection and the end of a rest cause a
                // probe at once.
                let is_news = tokio::time::timeout(pause, probe_due.notified()).await.is_ok();
                again = if is_news { LOOK_AGAIN } else { (again * 2).min(LOOK_AGAIN_MAX) };
            }
        }));
    }

    fn pause(&self, again: Duration, now: Moment) -> Duration {
        let calm = LOOK_EVERY_MAX.min(self.policy.max_ttl / 10).max(Duration::from_millis(100));
        let healths = self.healths();
        let pause = if healths.are_all(NodeHealth::is_ready) { calm } else { again.min(calm) };
        healths.first_rest_ends().map_or(pause, |at| at.since(now).min(pause)).max(Duration::from_millis(5))
    }

    /// One look: probes every node and does what must be done. If a look is running, it waits for that one and starts
    /// none of its own.
    pub(crate) async fn look(&self, wait_for: WaitFor) {
        let Ok(round) = self.round.try_lock() else {
            drop(self.round.lock().await);
            return;
        };
        self.look_as(self.policy.declared_new, wait_for).await;
        drop(round);
    }

    /// One look in a new installation: if no node has ever been awake, nodes without a record take part at once.
    pub(crate) async fn bootstrap(&self) {
        let round = self.round.lock().await;
        self.look_as(true, WaitFor::All).await;
        drop(round);
    }

    /// Initializes every node that answers, whatever its record: all counters are raised to the clock, and no node
    /// rests.
    pub(crate) async fn begin_anew(&self) {
        let round = self.round.lock().await;
        let max_ttl = self.healths().longest_ttl();
        // The initialization by another locker may come first. Then the record has changed, and this one is repeated.
        for _ in 0..3 {
            self.env.ready.look_begins();
            self.exchange(self.env.all_nodes(), WaitFor::All, &|_| Verb::Probe { max_ttl }).await;
            let (wall, seen) = (self.wall(), self.healths().begin_anew());
            let report_of = |node: NodeId| seen.get(node.index()).copied().flatten();
            // Counters that start at an unset clock would look like missing ones.
            let can_start = |node: &NodeId| report_of(*node).is_none_or(|report| !is_unset(report.now, wall));
            let nodes = self.env.all_nodes().iter().filter(can_start).collect();
            self.exchange(nodes, WaitFor::All, &|node| {
                let report = report_of(node);
                let (seen, mark) = (report.and_then(|report| report.record), report.and_then(|report| report.mark));
                RecordUpdate { seen, mark, rest: Duration::ZERO, new: true, max_ttl, wall }.into()
            })
            .await;
            self.decide(false);
            if self.healths().are_all(NodeHealth::is_ready) {
                break;
            }
        }
        self.publish();
        drop(round);
    }

    async fn look_as(&self, declared_new: bool, wait_for: WaitFor) {
        self.env.ready.look_begins();
        let max_ttl = self.healths().longest_ttl();
        for _ in 0..BOOTSTRAP_LOOKS {
            self.exchange(self.env.all_nodes(), wait_for, &|_| Verb::Probe { max_ttl }).await;
            if !self.healths().is_being_bootstrapped() {
                break;
            }
            tokio::time::sleep(BOOTSTRAP_PAUSE).await;
        }
        #[cfg(feature = "redis")]
        if self.policy.durable {
            let unexamined = self.healths().unexamined();
            for (node, synced) in super::durability::sync_every_write(&self.env, unexamined).await {
                self.healths().examined(node, synced);
            }
        }
        // An initialization by another locker may come first, and a rest of zero may need an activation. Then the new
        // reports are decided about again. More than a few rounds mean that another locker is doing the work.
        for _ in 0..3 {
            let due = self.decide(declared_new);
            if due.is_empty() {
                break;
            }
            let (max_ttl, wall) = (self.healths().longest_ttl(), self.wall());
            self.exchange(nodes_of(&due), WaitFor::All, &|node| {
                let decision = due.iter().find(|(id, _)| *id == node).map(|(_, decision)| *decision);
                match decision {
                    Some((JoinDecision::Initialize { rest, reason }, NodeReport { record: seen, mark, .. })) => {
                        RecordUpdate { seen, mark, rest, new: reason == Reason::New, max_ttl, wall }.into()
                    }
                    _ => Verb::Activate { max_ttl, wall },
                }
            })
            .await;
        }
        self.publish();
    }

    /// The clock for new counters. It is above every token that this process has seen, even if clocks are wrong.
    fn wall(&self) -> WallTime {
        self.env.clock.wall().max(WallTime::from_unix_us(self.env.watermarks.highest() + 1))
    }

    fn decide(&self, declared_new: bool) -> Vec<(NodeId, (JoinDecision, NodeReport))> {
        let mut healths = self.healths();
        for (node, awake_since) in self.env.ready.take_forgot() {
            if let Some(health) = healths.get_mut(node) {
                health.note_forgot(awake_since);
            }
        }
        let due = healths.decide((self.env.clock.now(), self.wall()), declared_new);
        self.explain(&healths);
        due
    }

    /// Sends one verb to each of `nodes`, and notes the replies that come in time.
    async fn exchange(&self, nodes: NodeSet, wait_for: WaitFor, verb: &(dyn Fn(NodeId) -> Verb + Sync)) {
        let Some(subject) = no_subject() else { return };
        let sent = self.env.clock.now();
        let exchange = ask(&self.env, subject, Phase::Join, nodes, verb);
        let mut limit = self.policy.node_timeout;
        let in_haste = tokio::time::timeout(limit, async {
            if wait_for == WaitFor::Quorum && a_quorum_is_awake(&exchange, nodes.len()).await {
                let taken = self.env.clock.now().since(sent);
                let _ = tokio::time::timeout(STRAGGLERS.max(taken * 4), exchange.filled(nodes.len())).await;
                return true;
            }
            exchange.filled(nodes.len()).await;
            false
        });
        let in_haste = in_haste.await.unwrap_or(false);
        // The silent nodes matter only if no node has a record.
        let nothing_known = self.healths().are_all(NodeHealth::is_unknown);
        if nothing_known && !exchange.has_seen_a_record() {
            let _ = tokio::time::timeout(FIRST_LOOK_WAIT, exchange.filled(nodes.len())).await;
            limit += FIRST_LOOK_WAIT;
        }
        let now = self.env.clock.now();
        let mut healths = self.healths();
        for (node, reply) in collect(&exchange, nodes) {
            let silent = || Reply::Failed(Fault::new(FaultKind::TimedOut, format!("no answer within {limit:?}")));
            match reply {
                // This look did not wait for the node. The background task probes it again, and waits longer.
                None if in_haste => self.env.ready.probe_due.notify_one(),
                reply => healths.note(node, reply.unwrap_or_else(silent), sent, now),
            }
        }
        self.explain(&healths);
    }

    fn explain(&self, healths: &Healths) {
        self.env.ready.explain(healths.each().map(|(_, health)| (health.unavailable(), health.awake_since())));
    }

    /// Publishes which nodes are ready, and lets grants through to them.
    fn publish(&self) {
        let mut healths = self.healths();
        let ready = healths.ready();
        for (id, node) in self.env.nodes() {
            if let Some((_, Some(session))) = ready.iter().find(|(ready, _)| *ready == id) {
                node.admit(*session);
            }
        }
        self.explain(&healths);
        let (now, wall) = (self.env.clock.now(), self.env.clock.wall());
        for (id, health) in healths.each() {
            self.env.meters.looked(id, health.measured_state(), health.clock_offset(now, wall));
        }
        let nodes = ready.into_iter().map(|(id, _)| id).collect();
        self.env.ready.publish(nodes, healths.round_trip(self.env.quorum.needed()));
    }

    fn healths(&self) -> MutexGuard<'_, Healths> {
        self.healths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a quorum reports that it is awake, or all nodes have answered. Returns whether a quorum did.
async fn a_quorum_is_awake(exchange: &Exchange, asked: usize) -> bool {
    let quorum = exchange.env().quorum;
    for answers in quorum.needed()..=asked {
        exchange.filled(answers).await;
        if quorum.is_met_by(exchange.awake()) {
            return true;
        }
    }
    false
}
