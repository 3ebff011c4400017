//! [`Locker`]: puts the parts together. Only this file knows them all.

use std::sync::Arc;
use std::time::Duration;

use super::env::Env;
use super::lease::active::{ActiveLease, Wakeup};
use super::lease::renewer;
use super::lease::schedule::Renewals;
use super::membership::roster::Roster;
use super::round::sweeper;
use super::settings::Policy;
use super::wait::local_queue::LocalQueues;
use crate::node::WakeListener;
use crate::{LockerId, NodeId, Resource};

/// What all clones of a [`Redlock`](super::Redlock) share.
pub(crate) struct Locker {
    pub(crate) env: Arc<Env>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) queues: Arc<LocalQueues<Wakeup>>,
    pub(crate) renewals: Arc<Renewals<ActiveLease>>,
}

impl Locker {
    /// A locker over the nodes of `env`, which wake it from now on.
    pub(crate) fn new(env: Env, policy: Policy, id: LockerId) -> Arc<Self> {
        let env = Arc::new(env);
        let queues = Arc::new(LocalQueues::new(Arc::clone(&env), id));
        let reconnecting = Arc::clone(&queues);
        let roster = Roster::new(Arc::clone(&env), policy, move |node| {
            for queue in reconnecting.all() {
                let (now, chance) = (reconnecting.env.clock.now(), reconnecting.env.entropy.u32());
                queue.update(|contender| contender.reconnected(node, now, chance));
            }
        });
        let locker = Arc::new(Self { env, roster: Arc::new(roster), queues, renewals: Arc::new(Renewals::new()) });
        for (node_id, node) in locker.env.nodes() {
            let listener = Arc::downgrade(&locker);
            node.listen(node_id, id, listener);
        }
        locker
    }

    /// Starts the background tasks for leases unless they run. Returns whether they run. They do not if their runtime
    /// has ended.
    pub(crate) fn start(&self) -> bool {
        sweeper::start(&self.env);
        renewer::start(&self.renewals, &self.env)
    }
}

/// The wakes that nodes publish to this locker.
impl WakeListener for Locker {
    fn woken(&self, node: NodeId, resource: &Resource, after: Duration) {
        // If no task waits any more, this process is leaving the queues of the nodes already.
        if let Some(queue) = self.queues.get(resource) {
            let Env { clock, entropy, .. } = &*self.env;
            queue.update(|contender| contender.woken(node, after, clock.now(), entropy.u32()));
        }
    }

    fn receives_wakes(&self, node: NodeId, receives: bool) {
        for queue in self.queues.all() {
            let Env { clock, entropy, .. } = &*self.env;
            queue.update(|contender| contender.receives_wakes(node, receives, clock.now(), entropy.u32()));
        }
    }
}
