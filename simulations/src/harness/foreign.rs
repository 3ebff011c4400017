//! [`ForeignClient`]: a client of another library in a run. It locks by `SET NX PX`, on a majority of the nodes or on
//! one of them. It knows neither tokens nor rests, wakes no waiter, and waits in no queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::cluster::ForeignCommand;
use super::run_context::RunContext;
use super::world::{lock, tie};
use crate::history::Record;
use crate::plan::{Foreign, ForeignSection, Knows};

/// A client of another library.
pub(super) struct ForeignClient {
    context: Arc<RunContext>,
    /// Its number, after those of the clients.
    number: u8,
    plan: Foreign,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    attempts: u64,
    /// When the last command arrives at each node: later ones do not arrive earlier.
    arrives_ms: BTreeMap<u8, u64>,
    /// What it believes in.
    held: Option<Believed>,
}

/// A lock that it believes in.
struct Believed {
    value: String,
    resource: u8,
    from_us: u64,
}

/// The longest pause between two attempts, and between two releases of a lock that does not end by itself.
const PAUSE_MAX_MS: u32 = 20;
/// The longest delay of a message after the end of the faults.
const DELAY_AFTER_FAULTS_MAX_MS: u64 = 10;

impl ForeignClient {
    /// Starts it.
    pub(super) fn start(context: &Arc<RunContext>, number: u8, plan: Foreign) -> Arc<Self> {
        let me = Arc::new(Self { context: Arc::clone(context), number, plan, state: Mutex::default() });
        let it = Arc::clone(&me);
        tokio::spawn(async move {
            for section in &it.plan.sections {
                sleep(ms(section.think_ms)).await;
                it.take(section).await;
            }
        });
        me
    }

    /// It stops believing, if it does.
    pub(super) fn give_up(&self) {
        let held = lock(&self.state).held.take();
        let world = &self.context.world;
        if let Some(Believed { value, resource, from_us }) = held
            && let Some(resource) = self.context.resources.get(usize::from(resource))
        {
            let (at_us, resource) = (world.now_us(), resource.to_string());
            world.record(Record::ForeignHeld { at_us, from_us, resource, holder: value });
        }
    }

    /// Tries to get the lock until the time of the section is over, and holds it for a while.
    async fn take(self: &Arc<Self>, section: &ForeignSection) {
        let world = &self.context.world;
        let gives_up_ms = world.now_ms() + u64::from(section.wait_ms);
        while !self.context.have_faults_ended() {
            let attempt = {
                let mut state = lock(&self.state);
                state.attempts += 1;
                state.attempts
            };
            let value = format!("foreign c{}.{attempt}", self.number);
            let until_ms = self.ask(section.resource, &value).await;
            if let Some(until_ms) = until_ms {
                world.count(|seen| seen.foreign_held += 1);
                let held = Believed { value: value.clone(), resource: section.resource, from_us: world.now_us() };
                lock(&self.state).held = Some(held);
                let left_ms = until_ms.saturating_sub(world.now_ms()).min(u64::from(section.work_ms));
                sleep(Duration::from_millis(left_ms)).await;
                self.give_up();
            }
            self.leave(section.resource, &value).await;
            if until_ms.is_some() || world.now_ms() >= gives_up_ms {
                break;
            }
            sleep(ms(1 + world.random(|rng| rng.skewed(PAUSE_MAX_MS)))).await;
        }
    }

    /// One attempt. Returns until when it believes in the lock, in milliseconds.
    async fn ask(self: &Arc<Self>, resource: u8, value: &str) -> Option<u64> {
        let world = &self.context.world;
        let began_ms = world.now_ms();
        let ttl_ms = (!self.plan.endless).then_some(self.context.plan.terms.ttl_ms);
        let known = self.known();
        let taken = self.send(&known, resource, value, &ForeignCommand::Take { ttl_ms }).await;
        if taken.len() <= known.len() / 2 {
            world.count(|seen| seen.foreign_failed += 1);
            return None;
        }
        // The allowance of the Redlock algorithm: 1 % for clocks, and 2 ms.
        let until_ms = ttl_ms.map_or(u64::MAX, |ttl_ms| began_ms + u64::from(ttl_ms - ttl_ms / 100).saturating_sub(2));
        (world.now_ms() < until_ms).then_some(until_ms)
    }

    /// Removes its locks. One that does not end by itself must be removed everywhere, however often that takes.
    async fn leave(self: &Arc<Self>, resource: u8, value: &str) {
        let mut nodes = self.known();
        loop {
            let left = self.send(&nodes, resource, value, &ForeignCommand::Leave).await;
            nodes.retain(|node| !left.contains(node));
            if nodes.is_empty() || !self.plan.endless {
                break;
            }
            sleep(ms(PAUSE_MAX_MS)).await;
        }
    }

    fn known(&self) -> Vec<u8> {
        let nodes = match self.plan.knows {
            Knows::All => u8::try_from(self.context.plan.nodes.len()).unwrap_or(u8::MAX),
            Knows::One => 1,
        };
        (0..nodes).collect()
    }

    /// Sends a command to nodes, and waits for their answers. Returns the nodes that did it.
    async fn send(self: &Arc<Self>, nodes: &[u8], resource: u8, value: &str, command: &ForeignCommand) -> Vec<u8> {
        let answers: Vec<_> = nodes.iter().map(|node| (*node, self.post(*node, resource, value, command))).collect();
        let ends_ms = self.context.world.now_ms() + u64::from(self.context.plan.terms.node_timeout_ms);
        let mut done = Vec::new();
        for (node, answer) in answers {
            // An answer that came while others were waited for still counts.
            let left_ms = ends_ms.saturating_sub(self.context.world.now_ms());
            let answered = timeout(Duration::from_millis(left_ms), answer).await;
            done.extend(matches!(answered, Ok(Ok(true))).then_some(node));
        }
        done
    }

    /// Sends a command to one node. Its answer is dropped if a message is lost.
    fn post(
        self: &Arc<Self>,
        node: u8,
        resource: u8,
        value: &str,
        command: &ForeignCommand,
    ) -> oneshot::Receiver<bool> {
        let (answer, receiver) = oneshot::channel();
        let Some(arrives_ms) = self.passes(node) else { return receiver };
        let arrives_ms = {
            let mut state = lock(&self.state);
            let last_ms = state.arrives_ms.entry(node).or_default();
            *last_ms = arrives_ms.max(*last_ms);
            *last_ms
        };
        let (me, value, command) = (Arc::clone(self), value.to_owned(), *command);
        let connection = u64::MAX - u64::from(self.number) * 256 - u64::from(node);
        self.context.world.at(arrives_ms, tie(connection, arrives_ms), move || {
            let done = me.context.cluster.foreign(node, resource, &value, &command);
            me.context.world.note(|| format!("{value} == n{node} {command:?} {done:?}"));
            let Some((done, returns_ms)) = done.zip(me.passes(node)) else { return };
            me.context.world.at(returns_ms, tie(connection, returns_ms), move || answer.send(done).unwrap_or_default());
        });
        receiver
    }

    /// When a message that is sent now arrives; `None` if it is lost.
    fn passes(&self, node: u8) -> Option<u64> {
        let RunContext { world, plan, cluster, .. } = &*self.context;
        let (lost, takes_ms) =
            world.random(|rng| (rng.per_mille(plan.network.loss_per_mille), plan.network.latency(rng)));
        let (now_ms, takes_ms) = (world.now_ms(), u64::from(takes_ms));
        let ended = self.context.have_faults_ended();
        let latest_ms = u64::from(plan.faults_end_ms).max(now_ms + DELAY_AFTER_FAULTS_MAX_MS);
        let passes = ended || !lost && cluster.reaches(self.number, node);
        passes.then_some((now_ms + takes_ms).min(latest_ms))
    }
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
