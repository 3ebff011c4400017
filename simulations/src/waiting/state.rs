//! [`State`]: everything that is, at one moment; [`World`]: what does not change.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::node::NodeState;
use redfence::protocol::{COUNTER_MIN, Quorum, Reply, Request, RunId, Subject, Terms, Verb};
use redfence::{Holder, HolderId, Label, LockerId, Moment, NodeId, Resource, Waiter, WallTime};

use super::process::{Line, Process};
use super::{Broken, Setup};

/// What every attempt asks for. The time to live is far above every short alarm.
pub(super) const TERMS: Terms = Terms { ttl: Duration::from_secs(20), drift_ppm: 0, min_validity: Duration::ZERO };
/// Alarms from here on end with a time to live.
pub(super) const LONG: Duration = Duration::from_secs(10);
/// What clocks show.
pub(super) const NOW: Moment = Moment::from_origin(Duration::from_secs(1));
pub(super) const WALL: WallTime = WallTime::from_unix_us(2 * COUNTER_MIN);
/// No pause depends on chance here.
pub(super) const CHANCE: u32 = u32::MAX;
/// So many names the attempts of one process have, one after the other and again from the first: more than can be met at one time.
pub(super) const NAMES: usize = 8;

/// What does not change: the setup and the names.
#[derive(Debug, Clone)]
pub struct World {
    pub(super) setup: Setup,
    pub(super) quorum: Quorum,
    pub(super) resource: Resource,
    /// The names of each process's attempts.
    pub(super) subjects: Vec<Vec<Arc<Subject>>>,
    /// States from which everybody is served.
    pub(super) good: Arc<Mutex<HashSet<u64>>>,
}

/// Everything that is, at one moment. Copies share what did not change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) processes: Vec<Arc<Process>>,
    pub(super) spent: Spent,
    /// Who has to be next: the longest waiting one when the lock was given back and nothing was on the way.
    pub(super) expected: Option<usize>,
    pub(super) broken: Option<Broken>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) state: NodeState,
    pub(super) up: bool,
}

/// How often what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Spent {
    pub(super) wakes: u8,
    pub(super) deaths: u8,
    pub(super) stills: u8,
    pub(super) leaves: u8,
    pub(super) nodes: u8,
    /// A process was woken, and gave up when its reservation was over.
    pub(super) late: bool,
}

impl Spent {
    /// Whether nothing was lost; a process that gives up loses nothing.
    pub(super) const fn is_well(self) -> bool {
        self.wakes == 0 && self.deaths == 0 && self.stills == 0 && self.nodes == 0 && !self.late
    }
}

impl World {
    /// A world of this setup; `None` for a number of nodes or processes that cannot be.
    #[must_use]
    pub fn new(setup: Setup) -> Option<Self> {
        let resource = Resource::new("waited-for").ok()?;
        let quorum = Quorum::of(setup.nodes).filter(|_| setup.processes * NAMES <= 32)?;
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
        Some(Self { setup, quorum, resource, subjects, good: Arc::default() })
    }

    /// Nobody has begun yet; or the first process has the lock, and nothing is on the way.
    #[must_use]
    pub fn first(&self) -> State {
        let mut state = self.beginning();
        while self.setup.held
            && let Some(next) = self.choices(&state).first().and_then(|action| self.step(&state, *action))
            && !state.processes.iter().any(|process| process.holds() && Self::is_quiet(&state))
        {
            state = next;
        }
        state
    }

    fn beginning(&self) -> State {
        let state = NodeState::founded(RunId::from_bytes([0; 20]), WALL);
        let process = Process::idle(vec![Line::default(); self.setup.nodes]);
        State {
            nodes: std::iter::repeat_n(Arc::new(Node { state, up: true }), self.setup.nodes).collect(),
            processes: std::iter::repeat_n(Arc::new(process), self.setup.processes).collect(),
            spent: Spent::default(),
            expected: None,
            broken: None,
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        NodeId::all(self.setup.nodes)
    }

    pub(super) fn subject(&self, process: usize, name: usize) -> Option<&Arc<Subject>> {
        self.subjects.get(process)?.get(name)
    }

    /// What the lock of a node holds.
    pub(super) fn occupant(&self, state: &State, node: NodeId) -> Option<Box<str>> {
        let request = Request { subject: Arc::clone(self.subject(0, 0)?), verb: Verb::Inspect };
        match state.nodes.get(node.index())?.state.clone().apply(WALL, &request) {
            Reply::Seen(view) => view.occupant,
            _ => None,
        }
    }

    /// The process for whom the lock of a node is reserved.
    pub(super) fn reserved_for(&self, state: &State, node: NodeId) -> Option<usize> {
        let occupant = self.occupant(state, node)?;
        let (waiter, _) = Waiter::reserved(&occupant)?;
        self.process_of(waiter.locker)
    }

    /// The process that has the lock of a node, and the name of its attempt.
    pub(super) fn taken_by(&self, state: &State, node: NodeId) -> Option<(usize, usize)> {
        self.named(&self.occupant(state, node)?)
    }

    /// The attempt that a value of a lock names.
    pub(super) fn named(&self, value: &str) -> Option<(usize, usize)> {
        let holder: Holder = value.parse().ok()?;
        let mut names = self.subjects.iter().enumerate();
        names.find_map(|(process, names)| Some((process, names.iter().position(|one| one.holder == holder)?)))
    }

    pub(super) fn process_of(&self, locker: LockerId) -> Option<usize> {
        self.subjects.iter().position(|names| names.first().is_some_and(|subject| subject.waiter.locker == locker))
    }
}

impl State {
    /// What was broken on the way here.
    #[must_use]
    pub const fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }
}
