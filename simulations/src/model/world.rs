//! [`World`]: what does not change while a world is searched.

use std::sync::Arc;
use std::time::Duration;

use redfence::protocol::{Quorum, Subject, Terms};
use redfence::{Holder, HolderId, Label, NodeId, Resource};

use super::Mutant;
use super::setup::{Setup, Time};

/// What every attempt asks for.
pub(super) const TERMS: Terms = Terms { ttl: Duration::from_secs(1), drift_ppm: 10_000, min_validity: Duration::ZERO };
/// The time that passes in one tick: half a TTL.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// The most attempts of one world: attempts are kept as the bits of a `u64`.
const ATTEMPTS_MAX: usize = 64;

/// What does not change: the setup and the names.
#[derive(Debug, Clone)]
pub struct World {
    pub(super) setup: Setup,
    pub(super) quorum: Quorum,
    pub(super) resource: Resource,
    pub(super) subjects: Vec<Arc<Subject>>,
}

impl World {
    /// A world of this setup; `None` for an impossible number of nodes or attempts.
    #[must_use]
    pub fn new(setup: Setup) -> Option<Self> {
        let resource = Resource::new("modelled").ok()?;
        let label = Label::new("").ok()?;
        let subject = |id: usize| {
            let holder = Holder::new(HolderId::from_random(id as u128 + 1), label.clone());
            Arc::new(Subject::new(resource.clone(), holder))
        };
        let subjects: Vec<_> = (0..setup.attempts).map(subject).collect();
        let quorum = Quorum::of(setup.nodes).filter(|_| setup.attempts <= ATTEMPTS_MAX)?;
        let is_anchored = setup.anchor && setup.mutant != Some(Mutant::NoAnchor);
        let anchor = NodeId::new(0).filter(|_| is_anchored);
        let quorum = anchor.map_or(Some(quorum), |anchor| quorum.with_anchor(anchor))?;
        Some(Self { setup, quorum, resource, subjects })
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        NodeId::all(self.setup.nodes)
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.setup.mutant == Some(mutant)
    }

    pub(super) fn locks_last(&self) -> bool {
        self.setup.time != Time::Still
    }
}
