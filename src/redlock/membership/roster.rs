//! [`Roster`]: which nodes may be asked for grants, and who has to rest.
//!
//! One background task looks at every node now and then, and at once when there is a new connection or a grant met a
//! missing counter. The pure judgement is in `protocol::join`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::node::Task;
use crate::protocol::{
    Census, Fault, FaultKind, Footprint, Reason, Reply, RunId, Settlement, Sight, Standing, Subject, Verb, judge, rest,
};
use crate::redlock::env::Core;
use crate::redlock::membership::node_health::Station;
use crate::redlock::round::exchange::{Exchange, Phase};
use crate::{Holder, HolderId, Label, Moment, NodeId, NodeSet, Resource, WallTime};

/// How nodes are judged, as configured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) max_ttl: Duration,
    pub(crate) drift_ppm: u32,
    pub(crate) declared_new: bool,
    pub(crate) durable: bool,
    pub(crate) node_timeout: Duration,
}

/// For whom a look waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For every node that may answer.
    All,
    /// For a quorum that is known to take part, and a little longer.
    Quorum,
}

/// Which nodes may be asked for grants.
pub(crate) struct Roster {
    policy: Policy,
    ready: AtomicU32,
    /// How long a round trip to a quorum takes, in microseconds, as of the last look.
    round_trip_us: AtomicU32,
    stations: Mutex<Vec<Station>>,
    /// Only one round at a time; whoever waits for one finds its work done.
    round: tokio::sync::Mutex<()>,
    poked: Arc<Notify>,
    tasks: Mutex<Vec<Task>>,
}

/// How long the first look waits for nodes that neither answer nor fail, where a new installation may be at stake.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long a look in haste waits for the rest of the nodes, at least, when a quorum is known to take part.
const STRAGGLERS: Duration = Duration::from_millis(10);
/// How often, and how long apart, a founding by another locker is looked at before what it left is judged.
const FOUNDING_LOOKS: usize = 5;
const FOUNDING_PAUSE: Duration = Duration::from_millis(50);
/// The longest time between two looks at a node.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(3);
/// The time between two looks while some node is out of reach or rests.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The same after a while in which nothing changed.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

impl Roster {
    pub(crate) fn new(nodes: usize, policy: Policy) -> Self {
        Self {
            policy,
            ready: AtomicU32::new(0),
            round_trip_us: AtomicU32::new(0),
            stations: Mutex::new((0..nodes).map(|_| Station::unknown()).collect()),
            round: tokio::sync::Mutex::new(()),
            poked: Arc::default(),
            tasks: Mutex::default(),
        }
    }

    /// The nodes that may be asked for grants.
    pub(crate) fn ready(&self) -> NodeSet {
        NodeSet::from_bits(self.ready.load(Ordering::Relaxed))
    }

    /// How long a round trip to a quorum takes, as of the last look.
    pub(crate) fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_us.load(Ordering::Relaxed).into())
    }

    /// Why a node is not asked.
    pub(crate) fn excuse(&self, node: NodeId, now: Moment) -> Fault {
        let stations = self.stations();
        stations.get(node.index()).map_or_else(|| Fault::new(FaultKind::NotJoined, ""), |s| s.excuse(now))
    }

    /// All that is known of all nodes.
    pub(crate) fn all(&self) -> Vec<Station> {
        self.stations().clone()
    }

    /// A grant met this fault: a node that may not be what it was is not asked again before it was looked at.
    pub(crate) fn met(&self, node: NodeId, fault: FaultKind) {
        match fault {
            FaultKind::Forgot => {
                if let Some(station) = self.stations().get_mut(node.index()) {
                    station.met_no_counter();
                }
            }
            // A server that follows another, or loads what it knows, may know something else afterwards.
            FaultKind::NotJoined | FaultKind::ReadOnly | FaultKind::Loading => {}
            _ => return,
        }
        let mut ready = self.ready();
        ready = ready.without(NodeSet::from_iter([node]));
        self.ready.store(ready.bits(), Ordering::Relaxed);
        self.poked.notify_one();
    }

    /// Starts the background task on the current runtime, unless it runs; looks at once where no quorum is ready, and no
    /// longer than it takes to find one.
    pub(crate) async fn prepare(&self, core: &Arc<Core>) {
        self.start(core);
        if self.ready().len() < core.quorum.needed() {
            self.look(core, Patience::Quorum).await;
        }
    }

    pub(crate) fn start(&self, core: &Arc<Core>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !tasks.is_empty() && !tasks.iter().any(Task::is_finished) {
            return;
        }
        tasks.clear();
        for (id, node) in core.nodes() {
            let (Some(mut sessions), poked) = (node.sessions(), Arc::clone(&self.poked)) else { continue };
            let weak = Arc::downgrade(core);
            tasks.push(Task::start(&*core.spawner, async move {
                while sessions.changed().await.is_ok() {
                    poked.notify_one();
                    if let Some(core) = weak.upgrade() {
                        for queue in core.queues.all() {
                            let (now, chance) = (core.clock.now(), core.entropy.u32());
                            queue.update(|contender| contender.reconnected(id, now, chance));
                        }
                    }
                }
                // The node is gone, and so is the locker; this task must not be the first to end.
                std::future::pending::<()>().await;
            }));
        }
        let (weak, poked) = (Arc::downgrade(core), Arc::clone(&self.poked));
        tasks.push(Task::start(&*core.spawner, async move {
            let mut again = LOOK_AGAIN;
            loop {
                let Some(core) = weak.upgrade() else { return };
                core.roster.look(&core, Patience::All).await;
                let pause = core.roster.pause(again, core.clock.now());
                drop(core);
                // What does not change is looked at less and less often; a new connection and the end of a rest are not waited for.
                let is_news = tokio::time::timeout(pause, poked.notified()).await.is_ok();
                again = if is_news { LOOK_AGAIN } else { (again * 2).min(LOOK_AGAIN_MAX) };
            }
        }));
    }

    fn pause(&self, again: Duration, now: Moment) -> Duration {
        let calm = LOOK_EVERY_MAX.min(self.policy.max_ttl / 10).max(Duration::from_millis(100));
        let stations = self.stations();
        let restless = stations.iter().any(|station| !station.is_ready());
        let rest_ends = stations.iter().filter_map(|station| station.rests_until()).min();
        let pause = if restless { again.min(calm) } else { calm };
        rest_ends.map_or(pause, |at| at.since(now).min(pause)).max(Duration::from_millis(5))
    }

    /// How long a node that forgot rests.
    pub(crate) fn rest(&self) -> Duration {
        rest(self.longest_ttl(), self.policy.drift_ppm)
    }

    /// One round: looks at every node and does what has to be done. A call during a round waits for it and that is all.
    pub(crate) async fn look(&self, core: &Arc<Core>, patience: Patience) {
        let Ok(round) = self.round.try_lock() else {
            drop(self.round.lock().await);
            return;
        };
        self.look_as(core, self.policy.declared_new, patience).await;
        drop(round);
    }

    /// One round in which nodes that remember nothing, while none remembers having been awake, are founded at once.
    pub(crate) async fn found(&self, core: &Arc<Core>) {
        let round = self.round.lock().await;
        self.look_as(core, true, Patience::All).await;
        drop(round);
    }

    /// Founds every node that is seen, whatever it remembers: all counters are raised to the clock, and nobody rests.
    pub(crate) async fn begin_anew(&self, core: &Arc<Core>) {
        let round = self.round.lock().await;
        let max_ttl = self.longest_ttl();
        let everybody = NodeSet::first(core.quorum.nodes());
        // A settlement may lose against that of another locker, who saw what was there before.
        for _ in 0..3 {
            self.exchange(core, everybody, Patience::All, |_| Verb::Look { max_ttl }).await;
            let wall = core.clock.wall().max(WallTime::from_unix_us(core.levels.highest() + 1));
            let seen: Vec<Option<Sight>> = {
                let mut stations = self.stations();
                stations.iter_mut().for_each(Station::begin_anew);
                stations.iter().map(|station| station.sight().copied()).collect()
            };
            self.exchange(core, everybody, Patience::All, |node| {
                let sight = seen.get(node.index()).copied().flatten();
                let (seen, mark) = (sight.and_then(|sight| sight.record), sight.and_then(|sight| sight.mark));
                Settlement { seen, mark, rest: Duration::ZERO, new: true, max_ttl, wall }.into()
            })
            .await;
            self.judge_all(core.clock.now(), false);
            if self.stations().iter().all(Station::is_ready) {
                break;
            }
        }
        self.publish(core);
        drop(round);
    }

    async fn look_as(&self, core: &Arc<Core>, declared_new: bool, patience: Patience) {
        let max_ttl = self.longest_ttl();
        let everybody = NodeSet::first(core.quorum.nodes());
        for _ in 0..FOUNDING_LOOKS {
            self.exchange(core, everybody, patience, |_| Verb::Look { max_ttl }).await;
            if !self.is_being_founded() {
                break;
            }
            tokio::time::sleep(FOUNDING_PAUSE).await;
        }
        #[cfg(feature = "redis")]
        if self.policy.durable {
            self.examine_logs(core).await;
        }
        // A settlement may lose against another locker's, and a rest of no length may be followed by waking: then what is
        // seen is judged anew. More than a few turns mean that somebody else is at it.
        for _ in 0..3 {
            let due = self.judge_all(core.clock.now(), declared_new);
            let max_ttl = self.longest_ttl();
            if due.is_empty() {
                break;
            }
            // Tokens that this process has seen are behind counters that start anew, also where clocks are wrong.
            let wall = core.clock.wall().max(WallTime::from_unix_us(core.levels.highest() + 1));
            let nodes = due.iter().map(|(node, _)| *node).collect();
            self.exchange(core, nodes, Patience::All, |node| {
                let standing = due.iter().find(|(id, _)| *id == node).map(|(_, standing)| *standing);
                match standing {
                    Some((Standing::Settle { rest, reason }, Sight { record: seen, mark, .. })) => {
                        Settlement { seen, mark, rest, new: reason == Reason::New, max_ttl, wall }.into()
                    }
                    _ => Verb::Wake { max_ttl, wall },
                }
            })
            .await;
        }
        self.publish(core);
    }

    /// Whether some nodes are founded and others have no record yet: another locker may be at it just now.
    fn is_being_founded(&self) -> bool {
        let stations = self.stations();
        let sights = || stations.iter().filter_map(Station::sight);
        sights().any(|sight| sight.record.is_none()) && sights().any(Sight::is_being_founded)
    }

    /// Sends one verb to each of `nodes` and notes what comes back in time.
    async fn exchange(&self, core: &Arc<Core>, nodes: NodeSet, patience: Patience, verb: impl Fn(NodeId) -> Verb) {
        let Some(subject) = nobody() else { return };
        let exchange = Exchange::open(core, subject, Phase::Join, Footprint::default(), Moment::default());
        let sent = core.clock.now();
        exchange.send_each(nodes, &verb);
        let mut limit = self.policy.node_timeout;
        let in_haste = tokio::time::timeout(limit, async {
            if patience == Patience::Quorum && a_quorum_is_awake(core, &exchange, nodes.len()).await {
                let taken = core.clock.now().since(sent);
                let _ = tokio::time::timeout(STRAGGLERS.max(taken * 4), exchange.filled(nodes.len())).await;
                return true;
            }
            exchange.filled(nodes.len()).await;
            false
        });
        let in_haste = in_haste.await.unwrap_or(false);
        // Only where nobody remembers anything does it matter what the silent ones have to say.
        if self.stations().iter().all(Station::is_unknown) && !exchange.has_seen_a_record() {
            let _ = tokio::time::timeout(PATIENCE, exchange.filled(nodes.len())).await;
            limit += PATIENCE;
        }
        let now = core.clock.now();
        let mut replies = exchange.take();
        let mut stations = self.stations();
        for (id, station) in NodeId::all(core.quorum.nodes()).zip(stations.iter_mut()) {
            if !nodes.contains(id) {
                continue;
            }
            let reply = replies.iter().position(|(node, _)| *node == id).map(|at| replies.swap_remove(at).1);
            match reply {
                Some(Reply::Sighted(sight)) => {
                    if sight.run_id.is_none() && station.is_unknown() {
                        tracing::warn!(node = %id, "INFO is not permitted: a restored snapshot, or one server under two names, is not noticed");
                    }
                    if let Some(step) = station.sighted(*sight, sent, self.policy.drift_ppm) {
                        let rest = rest(self.policy.max_ttl.max(station.max_ttl()), self.policy.drift_ppm);
                        tracing::warn!(node = %id, ?step, ?rest, "the node's clock stepped, so locks may have ended early; it rests");
                        station.keep_out_until(now.after(rest));
                    }
                }
                Some(Reply::Failed(fault)) => station.failed(fault, now),
                Some(other) => station.failed(Fault::new(FaultKind::Unexpected, format!("{other:?}")), now),
                // Nobody waited for it: the background task looks again, with patience.
                None if in_haste => self.poked.notify_one(),
                None => station.failed(Fault::new(FaultKind::TimedOut, format!("no answer within {limit:?}")), now),
            }
        }
    }

    /// Judges every node that was seen; returns what has to be done.
    fn judge_all(&self, now: Moment, declared_new: bool) -> Vec<(NodeId, (Standing, Sight))> {
        let rest = self.rest();
        let mut stations = self.stations();
        let known_elsewhere = stations.iter().any(Station::was_recorded);
        let all_seen = stations.iter().all(|station| station.sight().is_some());
        let mut due = Vec::new();
        for (id, station) in NodeId::all(stations.len()).zip(stations.iter_mut()) {
            let Some(sight) = station.sight().copied() else { continue };
            let durable = self.policy.durable && station.is_synced() != Some(false);
            let census =
                Census { known_elsewhere, all_seen, declared_new, durable, forgot: station.misses_a_counter(), rest };
            let standing = judge(&sight, &census);
            if let Standing::Settle { reason, rest } = standing {
                station.settling(reason);
                match reason {
                    Reason::New => tracing::info!(node = %id, %reason, ?rest, "founding the node"),
                    _ => tracing::warn!(node = %id, %reason, ?rest, "the node may have forgotten locks; it rests"),
                }
            }
            station.stands(standing, now);
            // A node whose clock stepped is not woken by whoever knows it: the end of its rest was read on that clock.
            let is_due = match standing {
                Standing::Settle { .. } => true,
                Standing::Wake => !station.is_kept_out(),
                Standing::Ready | Standing::Resting(_) => false,
            };
            if is_due {
                due.push((id, (standing, sight)));
            }
        }
        due
    }

    /// Tells everybody which nodes are ready, and lets grants through to them.
    fn publish(&self, core: &Arc<Core>) {
        let mut stations = self.stations();
        let mut seen: Vec<RunId> = Vec::new();
        let mut ready = NodeSet::EMPTY;
        for ((id, node), station) in core.nodes().zip(stations.iter_mut()) {
            if let Some(run_id) = station.run_id() {
                if seen.contains(&run_id) {
                    station.duplicate();
                }
                seen.push(run_id);
            }
            if station.is_ready() {
                if let Some(sight) = station.sight() {
                    node.admit(sight.session);
                }
                ready.insert(id);
            }
        }
        self.ready.store(ready.bits(), Ordering::Relaxed);
        let mut round_trips: Vec<_> = stations.iter().filter_map(Station::round_trip).collect();
        round_trips.sort_unstable();
        if let Some(round_trip) = round_trips.get(core.quorum.needed() - 1) {
            let us = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
            self.round_trip_us.store(us, Ordering::Relaxed);
        }
    }

    /// The longest time to live that anybody is known to ask for.
    fn longest_ttl(&self) -> Duration {
        self.stations().iter().map(Station::max_ttl).max().unwrap_or_default().max(self.policy.max_ttl)
    }

    pub(crate) fn stations(&self) -> MutexGuard<'_, Vec<Station>> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a quorum says that it takes part, or all nodes have answered; tells which.
async fn a_quorum_is_awake(core: &Core, exchange: &Exchange, asked: usize) -> bool {
    for answers in core.quorum.needed()..=asked {
        exchange.filled(answers).await;
        if exchange.awake() >= core.quorum.needed() {
            return true;
        }
    }
    false
}

/// The subject of requests that are about the node itself.
pub(crate) fn nobody() -> Option<Arc<Subject>> {
    let resource = Resource::new("node").ok()?;
    let holder = Holder::new(HolderId::from_random(0), Label::new("").ok()?);
    Some(Arc::new(Subject::new(resource, holder)))
}
