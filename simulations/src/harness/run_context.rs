//! [`RunContext`]: what all clients of a run share, and when the run is over.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use redfence::Resource;
use redfence::node::Node;
use tokio::sync::Notify;

use super::cluster::Cluster;
use super::process::Process;
use super::protected_resources::ProtectedResources;
use super::world::{World, lock};
use crate::mutant::Mutant;
use crate::plan::{End, NetworkProfile, Operation, Plan, Section};
use crate::workload::Workload;

/// What all clients of a run share.
pub(super) struct RunContext {
    pub(super) world: Arc<World>,
    pub(super) plan: Plan,
    pub(super) mutant: Option<Mutant>,
    pub(super) workload: Option<Arc<dyn Workload>>,
    pub(super) resources: Vec<Resource>,
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) protected: Arc<ProtectedResources>,
    have_ended: AtomicBool,
    /// Wakes tasks in the order in which they wait; a watch channel would wake them in random order.
    faults_ended: Notify,
    busy: Mutex<BTreeSet<u8>>,
}

/// How many clients acquire once more after the end of the faults.
const LAST_SECTIONS: u8 = 2;
/// Releases are repeated at least this often. After this time without faults no lock without a living owner is left.
const SWEPT_AFTER_MS: u32 = 4_000;

impl RunContext {
    pub(super) fn new(
        world: Arc<World>,
        plan: Plan,
        mutant: Option<Mutant>,
        workload: Option<Arc<dyn Workload>>,
        resources: Vec<Resource>,
        cluster: Arc<dyn Cluster>,
    ) -> Arc<Self> {
        let protected = ProtectedResources::new(&world, resources.clone(), mutant);
        let busy = (0..).zip(&plan.clients).map(|(number, _)| number).collect();
        Arc::new(Self {
            world,
            plan,
            mutant,
            workload,
            resources,
            cluster,
            protected,
            have_ended: AtomicBool::new(false),
            faults_ended: Notify::new(),
            busy: Mutex::new(busy),
        })
    }

    /// All faults have ended.
    pub(super) fn end_faults(&self) {
        self.world.note(|| "all faults have ended".to_owned());
        self.cluster.end_faults();
        self.have_ended.store(true, Ordering::Relaxed);
        self.faults_ended.notify_waiters();
    }

    pub(super) fn have_faults_ended(&self) -> bool {
        self.have_ended.load(Ordering::Relaxed)
    }

    /// The network between clients and what a workload serves.
    pub(super) fn network(&self) -> NetworkProfile {
        let usual = self.plan.network;
        match self.have_faults_ended() {
            true => NetworkProfile { tail_per_mille: 0, loss_per_mille: 0, ..usual },
            false => usual,
        }
    }

    /// The time until all faults have ended. No process is paused for longer.
    pub(super) fn left_ms(&self) -> u32 {
        let left_ms = u64::from(self.plan.faults_end_ms).saturating_sub(self.world.now_ms());
        u32::try_from(left_ms).unwrap_or_default()
    }

    pub(super) async fn until_faults_end(&self) {
        while !self.have_faults_ended() {
            self.faults_ended.notified().await;
        }
    }

    /// The section that a client runs after the end of the faults, if any.
    pub(super) fn last_section(&self, client: u8) -> Option<Section> {
        let operations = vec![Operation::Write { stall_ms: 0, flight_ms: 0 }];
        let (end, wait_ms) = (End::Release { cancel_ms: None }, self.plan.recovers_within_ms());
        (client < LAST_SECTIONS).then_some(Section {
            think_ms: 0,
            resource: 0,
            wait_ms,
            cancel_ms: None,
            operations,
            end,
        })
    }

    /// The nodes as a new locker of `process` sees them.
    pub(super) fn reachable(&self, process: &Arc<Process>) -> Vec<Arc<dyn Node>> {
        let nodes = self.cluster.open(process);
        if self.mutant != Some(Mutant::ReachableQuorum) {
            return nodes;
        }
        let reachable: Vec<_> = (0..)
            .zip(&nodes)
            .filter(|(node, _)| self.cluster.reaches(process.client, *node))
            .map(|(_, node)| Arc::clone(node))
            .collect();
        if reachable.is_empty() { nodes } else { reachable }
    }

    /// A client is done.
    pub(super) fn done(self: &Arc<Self>, client: u8) {
        let mut busy = lock(&self.busy);
        if busy.remove(&client) && busy.is_empty() {
            let world = Arc::clone(&self.world);
            // If locks expire soon anyway, waiting proves nothing.
            let wait_ms = if self.plan.terms.ttl_ms > SWEPT_AFTER_MS { SWEPT_AFTER_MS } else { 0 };
            self.world.after(wait_ms, move || world.stop());
        }
    }

    pub(super) fn is_busy(&self, client: u8) -> bool {
        lock(&self.busy).contains(&client)
    }

    /// Whether there was enough time to repeat every release.
    pub(super) fn was_swept(&self) -> bool {
        self.plan.terms.ttl_ms > SWEPT_AFTER_MS && lock(&self.busy).is_empty()
    }
}
