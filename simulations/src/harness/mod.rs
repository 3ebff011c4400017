//! The harness: runs a plan with the real locker, guards, renewal, sweeper, roster and verifier.
//!
//! ```text
//!  Plan ──▶ RunContext ── clients (Process: pauses, dies)   ── Redlock ── Cluster: network, nodes
//!             │                                                            │
//!           World: time, what is due, rng ◀────────────────────────────────┘ ──▶ History ──▶ invariants
//! ```
//!
//! Everything lives on one paused current-thread runtime, so time passes only when no task has anything to do. The same
//! plan gives the same run, byte for byte.

mod belief;
mod caller;
mod client;
mod clocks;
mod cluster;
mod foreign;
mod link;
mod network_conditions;
mod node_level;
mod process;
mod protected_resources;
mod run_context;
mod run_id;
mod server;
mod timeline_event;
mod world;

use std::sync::Arc;

use redfence::Resource;

use self::client::ClientState;
use self::foreign::ForeignClient;
use self::run_context::RunContext;
use crate::history::History;
use crate::invariant::{Coverage, Leftover, Violation, clean, in_turn, judge, live, overlaps, served, woken};
use crate::mutant::Mutant;
use crate::plan::{Fault, Plan, ScheduledFault};
use crate::workload::{Workload, verdict};

pub use caller::Caller;
pub use clocks::MachineClock;
pub use cluster::{Cluster, ForeignCommand, SharedNode};
pub use network_conditions::NetworkConditions;
pub use node_level::NodeLevel;
pub use process::{Process, ProcessSpawner};
pub use run_id::run_id;
pub use timeline_event::TimelineEvent;
pub use world::{WALL_AT_START, World};

pub(crate) use world::{lock, tie};

impl Outcome {
    /// The strongest promise that was broken.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violations.first()
    }
}

/// Makes the nodes of a run, at some level.
pub type Build = dyn Fn(&Arc<World>, &Plan, &[Resource], Option<Mutant>) -> Arc<dyn Cluster> + Send + Sync;

/// The result of a run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Leases and writes.
    pub history: History,
    /// How often each thing happened.
    pub seen: Coverage,
    /// The promises that were broken, the strongest first.
    pub violations: Vec<Violation>,
    /// Every event, line by line, if the trace was asked for.
    pub trace: String,
    /// The events for a picture, if the trace was asked for.
    pub timeline_events: Vec<TimelineEvent>,
    /// When the run ended.
    pub ended_us: u64,
}

/// Runs a plan at the level of the `Node` trait.
#[must_use]
pub fn run(plan: &Plan, mutant: Option<Mutant>, traced: bool) -> Outcome {
    run_on(&|world, plan, resources, mutant| NodeLevel::new(world, plan, resources, mutant), plan, mutant, traced)
}

/// Runs a plan on the nodes of some level.
#[must_use]
pub fn run_on(build: &Build, plan: &Plan, mutant: Option<Mutant>, traced: bool) -> Outcome {
    run_workload_on(build, plan, None, mutant, traced)
}

/// As [`run_on`]; with a workload, writes of the plan are operations of the workload.
#[must_use]
pub fn run_workload_on(
    build: &Build,
    plan: &Plan,
    workload: Option<Arc<dyn Workload>>,
    mutant: Option<Mutant>,
    traced: bool,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { return Outcome::default() };
    let ScenarioRun { context, clients, leftovers, ended_us } =
        runtime.block_on(play(build, plan, workload.clone(), mutant, traced));
    // Guards and lockers are dropped first; they cannot send any more.
    drop(clients);
    drop(runtime);
    context.cluster.close();
    let world = &context.world;
    let log = world.take_log();
    let mut seen = log.seen;
    let stays = log.history.stays();
    seen.runs = 1;
    seen.overlaps = overlaps(&log.history, &stays).len() as u64;
    let faults_end_us = u64::from(plan.faults_end_ms) * 1_000;
    let mut violations = judge(&log.history);
    violations.extend(log.violation);
    violations.extend(clean(&leftovers, ended_us));
    violations.extend(woken(plan, &log.waits, &stays));
    violations.extend(served(plan, &log.waits, &stays, &log.disturbances));
    violations.extend(in_turn(plan, &log.waits));
    violations.extend(live(&log.history, faults_end_us, faults_end_us + u64::from(plan.recovers_within_ms()) * 1_000));
    violations.extend(workload.and_then(|workload| verdict(&*workload, ended_us)));
    Outcome { history: log.history, seen, violations, trace: log.trace, timeline_events: log.timeline_events, ended_us }
}

async fn play(
    build: &Build,
    plan: &Plan,
    workload: Option<Arc<dyn Workload>>,
    mutant: Option<Mutant>,
    traced: bool,
) -> ScenarioRun {
    let world = World::new(plan.seed, traced);
    let resources: Vec<Resource> =
        (0..plan.resources).filter_map(|number| Resource::new(format!("r{number}")).ok()).collect();
    let cluster = build(&world, plan, &resources, mutant);
    let context = RunContext::new(Arc::clone(&world), plan.clone(), mutant, workload, resources, cluster);
    let clients: Vec<_> =
        (0..).zip(&plan.clients).map(|(number, client)| ClientState::new(&context, number, client.clone())).collect();
    for client in &clients {
        client.start(&context);
    }
    let foreign: Vec<_> = (u8::try_from(clients.len()).unwrap_or(u8::MAX)..)
        .zip(&plan.foreign)
        .map(|(number, plan)| ForeignClient::start(&context, number, plan.clone()))
        .collect();
    for ScheduledFault { at_ms, fault } in plan.faults.iter().copied() {
        let (context, clients) = (Arc::clone(&context), clients.clone());
        world.at(u64::from(at_ms), 0, move || strike(&context, &clients, fault));
    }
    let ending = Arc::clone(&context);
    world.at(u64::from(plan.faults_end_ms), 1, move || ending.end_faults());
    // A client that is not done by then will never be done, so the run ends.
    let over = Arc::clone(&world);
    let ends_ms = u64::from(plan.faults_end_ms) + 2 * u64::from(plan.recovers_within_ms());
    world.at(ends_ms, 0, move || over.stop());
    world.run().await;
    // Still inside the runtime: outside of it there is no tokio time.
    let ended_us = world.now_us();
    for client in &clients {
        client.give_up("the run ended");
    }
    foreign.iter().for_each(|client| client.give_up());
    let leftovers = if context.was_swept() { of_the_living(context.cluster.locks(), &clients) } else { Vec::new() };
    ScenarioRun { context, clients, leftovers, ended_us }
}

/// A run that is over.
struct ScenarioRun {
    context: Arc<RunContext>,
    clients: Vec<Arc<ClientState>>,
    leftovers: Vec<Leftover>,
    ended_us: u64,
}

/// In how many of a thousand deaths only the process dies. Then its machine stays up and ends its connections.
const DIES_ALONE_PER_MILLE: u32 = 700;

/// Injects a fault. None lasts beyond the end of all faults.
fn strike(context: &Arc<RunContext>, clients: &[Arc<ClientState>], fault: Fault) {
    context.world.note(|| format!("** {fault:?}"));
    let left_ms = context.left_ms();
    let client = |number: u8| clients.get(usize::from(number));
    match fault {
        Fault::Pause { client: number, for_ms } => {
            if let Some(client) = client(number) {
                client.pause(for_ms.min(left_ms));
            }
        }
        Fault::ClientClock { client: number, by_ms } => {
            if let Some(client) = client(number) {
                client.step_clock(by_ms);
            }
        }
        Fault::Reboot { client: number, down_ms } => {
            let client = client(number).filter(|_| context.is_busy(number));
            if let Some((client, process)) = client.and_then(|client| Some((client, client.kill()?))) {
                // If the machine died too, no node ever notices.
                if context.world.random(|rng| rng.per_mille(DIES_ALONE_PER_MILLE)) {
                    context.cluster.died(&process);
                }
                let (context, client) = (Arc::clone(context), Arc::clone(client));
                Arc::clone(&context.world).after(down_ms.min(left_ms), move || client.start(&context));
            }
        }
        Fault::SlowStore { by_ms, for_ms } => {
            context.protected.slow_down(by_ms);
            let protected = Arc::clone(&context.protected);
            context.world.after(for_ms.min(left_ms), move || protected.speed_up(by_ms));
        }
        _ => context.cluster.strike(&fault),
    }
}

/// Without the locks of processes that died: only their TTL ends them.
fn of_the_living(locks: Vec<Leftover>, clients: &[Arc<ClientState>]) -> Vec<Leftover> {
    let living: Vec<String> = clients.iter().filter_map(|client| client.label()).collect();
    locks.into_iter().filter(|lock| living.iter().any(|label| lock.holder.ends_with(label.as_str()))).collect()
}
