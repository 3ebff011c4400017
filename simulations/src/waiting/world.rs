//! [`World`]: what does not change while a world is searched.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::protocol::{COUNTER_MIN, Quorum, Subject, Terms};
use redfence::{Holder, HolderId, Label, LockState, LockerId, Moment, NodeId, Resource, Waiter, WallTime};

use super::setup::Setup;

/// What every attempt asks for. The TTL is far above every short timer.
pub(super) const TERMS: Terms = Terms { ttl: Duration::from_secs(20), drift_ppm: 0, min_validity: Duration::ZERO };
/// Timers from this length on end with a TTL.
pub(super) const LONG: Duration = Duration::from_secs(10);
/// The time that clocks show.
pub(super) const NOW: Moment = Moment::from_origin(Duration::from_secs(1));
pub(super) const WALL: WallTime = WallTime::from_unix_us(2 * COUNTER_MIN);
/// Pauses are not random here.
pub(super) const CHANCE: u32 = u32::MAX;
/// The number of names for attempts of one process. Names are used again: at most this many attempts are referred to at
/// one time.
pub(super) const NAMES: usize = 8;

/// What does not change: the setup and the names.
#[derive(Debug, Clone)]
pub struct World {
    pub(super) setup: Setup,
    pub(super) quorum: Quorum,
    pub(super) resource: Resource,
    /// The names of each process's attempts.
    pub(super) subjects: Vec<Vec<Arc<Subject>>>,
    /// States from which every process is served.
    pub(super) served_from: Arc<Mutex<HashSet<u64>>>,
}

impl World {
    /// A world of this setup; `None` for an impossible number of nodes or processes.
    #[must_use]
    pub fn new(setup: Setup) -> Option<Self> {
        let resource = Resource::new("waited-for").ok()?;
        let quorum = Quorum::of(setup.nodes).filter(|_| setup.processes * NAMES <= 32)?;
        let quorum = if setup.anchor { quorum.with_anchor(NodeId::new(0)?)? } else { quorum };
        let mut subjects = Vec::new();
        for process in 0..setup.processes {
            let waiter = Waiter::new(LockerId::from_random(process as u64 + 1), 0, Duration::ZERO);
            let subject = |name: usize| {
                let id = HolderId::from_random((process * NAMES + name + 1) as u128);
                let holder = Holder::new(id, Label::new(format!("p{process}")).ok()?);
                Some(Arc::new(Subject { resource: resource.clone(), holder, waiter }))
            };
            subjects.push((0..NAMES).map(subject).collect::<Option<Vec<_>>>()?);
        }
        Some(Self { setup, quorum, resource, subjects, served_from: Arc::default() })
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        NodeId::all(self.setup.nodes)
    }

    pub(super) fn subject(&self, process: usize, name: usize) -> Option<&Arc<Subject>> {
        self.subjects.get(process)?.get(name)
    }

    /// The attempt that has the lock.
    pub(super) fn named(&self, lock: &LockState) -> Option<(usize, usize)> {
        let holder = lock.held_by()?.holder()?;
        let mut names = self.subjects.iter().enumerate();
        names.find_map(|(process, names)| Some((process, names.iter().position(|one| one.holder == *holder)?)))
    }

    pub(super) fn process_of(&self, locker: LockerId) -> Option<usize> {
        self.subjects.iter().position(|names| names.first().is_some_and(|subject| subject.waiter.locker == locker))
    }
}
