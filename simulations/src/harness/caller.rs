//! [`Caller`]: a client that runs an operation of a workload, and its way to the servers of the workload.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use redfence::{Guard, Resource};
use tokio::sync::oneshot;

use super::run_context::RunContext;
use super::world::World;
use crate::workload::{Workload, panicked};

/// A client that runs an operation of a [`Workload`].
pub struct Caller {
    context: Arc<RunContext>,
    client: u8,
    resource: Resource,
    flight_ms: u32,
}

impl Caller {
    pub(super) fn new(context: &Arc<RunContext>, client: u8, resource: Resource, flight_ms: u32) -> Self {
        Self { context: Arc::clone(context), client, resource, flight_ms }
    }

    /// The number of the client in the plan.
    #[must_use]
    pub const fn client(&self) -> u8 {
        self.client
    }

    /// What the client has locked.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The time of the run, its random numbers, and its trace.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.context.world
    }

    /// Sends a request to a server of the workload, and waits for its reply. `serve` is the work of the server: it begins
    /// when the request arrives, beside all other requests, whatever becomes of the client meanwhile.
    ///
    /// Request and reply take the times of the plan's network. The request takes the `flight_ms` of the plan's write too, and
    /// waits while the plan makes stores slow. `None` means that one of them was lost, and the client cannot know which: the
    /// server may have done its work, or may not. After the faults of the plan no message is lost.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the request is on its way nevertheless.
    pub async fn call<T: Send + 'static>(&self, serve: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (sender, reply) = oneshot::channel();
        let there_ms = self.flight_ms + self.context.protected.slow_ms();
        let context = Arc::clone(&self.context);
        send(&self.context, there_ms, move || {
            tokio::spawn(async move {
                if let Some(done) = caught(&context.world, serve).await {
                    send(&context, 0, move || drop(sender.send(done)));
                }
            });
        });
        reply.await.ok()
    }

    pub(super) async fn operate(&self, workload: &dyn Workload, guard: &Guard) {
        self.world().note(|| format!("c{} operates with token {}", self.client, guard.token()));
        caught(&self.context.world, workload.operate(self, guard)).await;
    }
}

/// A message takes `more_ms` more than the network needs, or is lost on the way.
fn send(context: &RunContext, more_ms: u32, arrives: impl FnOnce() + Send + 'static) {
    let network = context.network();
    let (ms, is_lost) = context.world.random(|rng| (network.latency(rng), rng.per_mille(network.loss_per_mille)));
    context.world.after(ms + more_ms, move || if is_lost { drop(arrives) } else { arrives() });
}

/// The result of code of a workload; `None` if it panics, which is a violation.
async fn caught<T>(world: &World, code: impl Future<Output = T>) -> Option<T> {
    match AssertUnwindSafe(code).catch_unwind().await {
        Ok(done) => Some(done),
        Err(panic) => {
            world.report(panicked(&*panic, world.now_us()));
            None
        }
    }
}
