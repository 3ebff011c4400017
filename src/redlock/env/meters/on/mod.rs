//! Measures by the facade crate `metrics`. Counters are asked for once; afterwards nothing is allocated to count.

mod call;
mod lease;
mod node;
mod resource;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

pub(crate) use call::CallMeter;
pub(crate) use lease::LeaseMeter;

use super::NodeState;

use self::node::NodeMeters;
use self::resource::ResourceMeters;
use crate::protocol::{Reply, VerbKind};
use crate::{Clock, Moment, NodeId, NodeSet, Resource};

/// What the label of a resource is. It cannot be the name itself, which does not live as long.
pub(crate) type LabelOf = dyn Fn(&Resource) -> &'static str + Send + Sync;

/// The label of all resources if there is no function for it.
const ALL: &str = "all";
/// The label of those whose own would be one too many.
const OTHER: &str = "other";
/// The most labels of one locker: each costs a recorder some dozens of series.
const LABELS_MAX: usize = 128;

/// What a locker measures.
pub(crate) struct Meters {
    nodes: Box<[NodeMeters]>,
    /// The meters of all resources for which there is no function, or no room.
    rest: Arc<ResourceMeters>,
    label_of: Option<Arc<LabelOf>>,
    labels: RwLock<HashMap<&'static str, Arc<ResourceMeters>>>,
}

impl Meters {
    /// Whether anything is measured: else the clock need not be read for it.
    pub(crate) const ON: bool = true;

    /// Asks the recorder for what is measured of each node, and of the resources that share a label.
    pub(crate) fn new(addresses: impl IntoIterator<Item = String>, label_of: Option<Arc<LabelOf>>) -> Self {
        crate::metrics::describe();
        let nodes = (1..).zip(addresses).map(|(number, address)| NodeMeters::new(number, address)).collect();
        let rest = Arc::new(ResourceMeters::new(if label_of.is_some() { OTHER } else { ALL }));
        Self { nodes, rest, label_of, labels: RwLock::default() }
    }

    /// A call that wants a lease begins.
    pub(crate) fn call<'a>(&self, resource: &Resource, clock: &'a dyn Clock, began: Moment) -> CallMeter<'a> {
        CallMeter::new(self.of(resource), clock, began)
    }

    /// A lease of `resource`.
    pub(crate) fn lease(&self, resource: &Resource) -> LeaseMeter {
        LeaseMeter::new(self.of(resource))
    }

    /// A node replied, so long after the attempt began.
    pub(crate) fn voted(&self, node: NodeId, verb: VerbKind, reply: &Reply, took: Duration) {
        if let (VerbKind::Grant, Some(meters)) = (verb, self.nodes.get(node.index())) {
            meters.voted(reply, took);
        }
    }

    /// An attempt does without these nodes, which rest or have not been joined.
    pub(crate) fn not_asked(&self, nodes: NodeSet) {
        for meters in nodes.iter().filter_map(|node| self.nodes.get(node.index())) {
            meters.not_asked();
        }
    }

    /// A look at a node is over: how the node stands, and by how many seconds its clock is ahead.
    pub(crate) fn looked(&self, node: NodeId, state: NodeState, clock_offset: Option<f64>) {
        if let Some(meters) = self.nodes.get(node.index()) {
            meters.looked(state, clock_offset);
        }
    }

    fn of(&self, resource: &Resource) -> Arc<ResourceMeters> {
        let Some(label_of) = &self.label_of else { return Arc::clone(&self.rest) };
        let label = label_of(resource);
        if let Some(known) = self.labels.read().unwrap_or_else(PoisonError::into_inner).get(label) {
            return Arc::clone(known);
        }
        let mut labels = self.labels.write().unwrap_or_else(PoisonError::into_inner);
        if labels.len() >= LABELS_MAX && !labels.contains_key(label) {
            return Arc::clone(&self.rest);
        }
        Arc::clone(labels.entry(label).or_insert_with(|| Arc::new(ResourceMeters::new(label))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Extended;
    use super::*;
    use crate::SystemClock;
    use crate::protocol::LossCause;

    #[test]
    fn nothing_is_allocated_to_count() {
        let label_of = |resource: &Resource| if resource.as_str() == "order/1" { "order/{id}" } else { "else" };
        let meters = Meters::new(["a:6379".to_owned()], Some(Arc::new(label_of)));
        let (order, clock, node) = (Resource::new("order/1").unwrap(), SystemClock, NodeId::new(0).unwrap());
        let life = || {
            let now = clock.now();
            let ends_at = now.after(Duration::from_secs(1));
            let mut call = meters.call(&order, &clock, now);
            meters.voted(node, VerbKind::Grant, &Reply::Granted { counter: 1 }, Duration::ZERO);
            call.won(false, now);
            let mut lease = meters.lease(&order);
            lease.begins(now, ends_at);
            call.over(None);
            lease.extended(Extended::Yes);
            lease.ended(&LossCause::Released, now, ends_at);
        };
        life(); // the first use of a label asks for its counters
        assert_eq!(allocation_counter::measure(life).count_total, 0);
    }

    #[test]
    fn labels_have_a_bound() {
        let leaked = |resource: &Resource| -> &'static str { Box::leak(resource.as_str().into()) };
        let meters = Meters::new([], Some(Arc::new(leaked)));
        for n in 0..2 * LABELS_MAX {
            let of_it = meters.of(&Resource::new(format!("job-{n}")).unwrap());
            assert_eq!(Arc::ptr_eq(&of_it, &meters.rest), n >= LABELS_MAX);
        }
        assert!(!Arc::ptr_eq(&meters.of(&Resource::new("job-0").unwrap()), &meters.rest), "known ones keep theirs");
    }
}
