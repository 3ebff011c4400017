//! [`World`]: nodes, attempts and the mail between them, moved one step at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use redfence::node::NodeState;
use redfence::protocol::{Continuity, Extend, ExtendStep, Quorum, Reply, Request, RunId, Step, Subject, Terms, Verb};
use redfence::{Holder, HolderId, Label, Moment, NodeId, NodeSet, Resource, WallTime};

use crate::attempt::{Answer, Attempt, Mail, Phase};
use crate::history::{History, Issued, Violation};
use crate::mutant::Mutant;

/// What a world is made of.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How many nodes.
    pub nodes: usize,
    /// The most attempts that run or hold at one time.
    pub clients: usize,
    /// The wrong protocol to run, if any.
    pub mutant: Option<Mutant>,
    /// Whether locks vanish and nodes forget. Without, X must hold as well.
    pub locks_vanish: bool,
}

/// Nodes, attempts and the mail between them.
#[derive(Debug)]
pub struct World {
    setup: Setup,
    resource: Resource,
    label: Label,
    nodes: Vec<NodeState>,
    step: u64,
    now_us: u64,
    attempts: Vec<Attempt>,
    requests: Vec<Mail<Verb>>,
    replies: Vec<Mail<Answer>>,
    /// The grants that a mutant has delivered once already.
    echoed: BTreeSet<(usize, NodeId)>,
    history: History,
    violation: Option<Violation>,
}

const TERMS: Terms = Terms { ttl: Duration::from_secs(1), drift_ppm: 10_000, min_validity: Duration::ZERO };
/// What passes at every step.
const MOMENT: Duration = Duration::from_micros(50);
/// The world begins in the year 2023.
const WALL_START_US: u64 = 1_700_000_000_000_000;

impl World {
    /// A world in which nothing has happened. `None` for a number of nodes that cannot be.
    #[must_use]
    pub fn new(setup: Setup) -> Option<Self> {
        Quorum::of(setup.nodes)?;
        Some(Self {
            resource: Resource::new("simulated").ok()?,
            label: Label::new("").ok()?,
            nodes: vec![founded(WallTime::from_unix_us(WALL_START_US)); setup.nodes],
            setup,
            step: 0,
            now_us: 0,
            attempts: Vec::new(),
            requests: Vec::new(),
            replies: Vec::new(),
            echoed: BTreeSet::new(),
            history: History::default(),
            violation: None,
        })
    }

    /// The node's state, to set a scene.
    pub fn node(&mut self, node: usize) -> Option<&mut NodeState> {
        self.nodes.get_mut(node)
    }

    /// The counter slot of the one resource.
    #[must_use]
    pub fn slot(&self) -> u16 {
        self.resource.slot()
    }

    /// What was issued so far.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// How many attempts were made.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// The first promise that was broken.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        let exclusive = || if self.setup.locks_vanish { None } else { self.history.overlap() };
        self.violation.clone().or_else(|| self.history.violation()).or_else(exclusive)
    }

    /// One step: the low byte chooses what happens, the rest to whom. What cannot happen now lets a little time pass.
    pub fn choose(&mut self, choice: u32) {
        let (what, whom) = (choice & 0xff, (choice >> 8) as usize);
        self.advance(MOMENT);
        match what {
            0..105 => self.deliver_request(whom),
            105..200 => self.deliver_reply(whom),
            200..203 => drop(take(&mut self.requests, whom)),
            203..206 => drop(take(&mut self.replies, whom)),
            206..209 => self.time_out(whom),
            209..214 => {
                self.begin(whom);
            }
            214..218 => self.leave(whom),
            218..236 => self.extend(whom),
            236..242 => self.advance(Duration::from_millis((whom % 400) as u64)),
            242..251 if self.setup.locks_vanish => self.lock_vanishes(whom),
            251.. if self.setup.locks_vanish => self.node_forgets(whom),
            _ => {}
        }
    }

    /// Lets everything that is on its way arrive, and times out what waits for more: every attempt ends.
    pub fn settle(&mut self) {
        while !self.requests.is_empty() || !self.replies.is_empty() {
            self.advance(MOMENT);
            self.deliver_request(0);
            self.deliver_reply(0);
        }
        for attempt in 0..self.attempts.len() {
            self.time_out_attempt(attempt);
        }
        let undecided = self.attempts.iter().any(|a| matches!(a.phase, Phase::Acquiring(_)));
        if undecided && self.requests.is_empty() {
            self.violation = Some(Violation::Untimely("an attempt did not end after its time-out".to_owned()));
        }
    }

    /// Begins an attempt, unless all clients are busy. A mutant may be unable to reach some nodes, as `whom` decides.
    pub fn begin(&mut self, whom: usize) -> Option<usize> {
        let busy = self.attempts.iter().filter(|attempt| !matches!(attempt.phase, Phase::Over)).count();
        if busy >= self.setup.clients {
            return None;
        }
        let reachable = match self.setup.mutant {
            Some(Mutant::ReachableQuorum) => self.ids().filter(|node| whom >> node.index() & 1 == 1).collect(),
            _ => NodeSet::first(self.setup.nodes),
        };
        // Some processes know the counters, some do not.
        let known = self.history.leases.last().map_or(0, |lease| lease.token.get() + 1);
        self.begin_reaching(reachable, if whom & 1 == 1 { known } else { 0 })
    }

    /// Begins an attempt that reaches only these nodes and asks counters to be at least `floor`.
    pub fn begin_reaching(&mut self, reachable: NodeSet, floor: u64) -> Option<usize> {
        self.advance(MOMENT);
        let id = self.attempts.len();
        let holder = Holder::new(HolderId::from_random(id as u128 + 1), self.label.clone());
        let subject = Arc::new(Subject { resource: self.resource.clone(), holder });
        let counted = Mutant::counted(self.setup.mutant, self.setup.nodes, reachable);
        self.attempts.push(Attempt::new(subject, counted, reachable, TERMS, self.step, self.now())?);
        self.send(id, reachable, Verb::Grant { ttl: TERMS.ttl, floor, block: 1, polite: false });
        Some(id)
    }

    /// Delivers the first request of `attempt` to `node` that is on its way.
    pub fn deliver(&mut self, attempt: usize, node: usize) {
        self.advance(MOMENT);
        let is_it = |mail: &Mail<Verb>| mail.attempt == attempt && mail.node.index() == node;
        if let Some(at) = self.requests.iter().position(is_it) {
            self.deliver_request(at);
        }
    }

    /// Delivers the first reply of `node` to `attempt` that is on its way.
    pub fn answer(&mut self, attempt: usize, node: usize) {
        self.advance(MOMENT);
        let is_it = |mail: &Mail<Answer>| mail.attempt == attempt && mail.node.index() == node;
        if let Some(at) = self.replies.iter().position(is_it) {
            self.deliver_reply(at);
        }
    }

    /// Lets time pass on every clock alike.
    pub fn advance(&mut self, by: Duration) {
        self.step += 1;
        self.now_us += u64::try_from(by.as_micros()).unwrap_or(0);
        let (now, step) = (self.now(), self.step);
        for (id, attempt) in self.attempts.iter_mut().enumerate() {
            let (Phase::Holding(lease) | Phase::Extending(lease, ..)) = attempt.phase else { continue };
            let Some(lease) = self.history.leases.get_mut(lease) else { continue };
            if now >= lease.valid_until {
                lease.ended = Some(step);
                debug_assert_eq!(lease.attempt, id);
                attempt.phase = Phase::Over;
            }
        }
    }

    /// The lock of one node vanishes, as by eviction or a hand.
    pub fn lock_vanishes(&mut self, whom: usize) {
        let (resource, nodes) = (self.resource.clone(), self.setup.nodes);
        if let Some(node) = self.nodes.get_mut(whom % nodes) {
            node.drop_lock(&resource);
        }
    }

    /// One node comes back without its memory, and votes at once: tokens must bear even a locker that lets it.
    pub fn node_forgets(&mut self, whom: usize) {
        let (nodes, now) = (self.setup.nodes, self.wall());
        if let Some(node) = self.nodes.get_mut(whom % nodes) {
            *node = founded(Mutant::counters_start(self.setup.mutant, now));
        }
    }

    /// The holder or the caller gives up: what may be locked is released.
    pub fn leave(&mut self, whom: usize) {
        let Some(id) = self.live(whom) else { return };
        let step = self.step;
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        if let Phase::Holding(lease) | Phase::Extending(lease, ..) = attempt.phase
            && let Some(lease) = self.history.leases.get_mut(lease)
        {
            lease.ended = Some(step);
        }
        attempt.phase = Phase::Over;
        let reachable = attempt.reachable;
        self.send(id, reachable, Verb::Release);
    }

    /// A holder begins to extend its lease.
    pub fn extend(&mut self, whom: usize) {
        let now = self.now();
        let Some(id) = self.live(whom) else { return };
        let counted = self.attempts.get(id).map(|a| Mutant::counted(self.setup.mutant, self.setup.nodes, a.reachable));
        let Some(quorum) = counted.and_then(Quorum::of) else { return };
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        if let Phase::Holding(lease) = attempt.phase {
            let voters = attempt.continuity.map_or(NodeSet::EMPTY, |continuity| continuity.voters());
            attempt.phase = Phase::Extending(lease, Extend::new(quorum, TERMS, now, voters), self.step);
            let reachable = attempt.reachable;
            self.send(id, reachable, Verb::Extend { ttl: TERMS.ttl });
        }
    }

    fn deliver_request(&mut self, whom: usize) {
        let Some(mail) = take(&mut self.requests, whom) else { return };
        let (now, Some(attempt)) = (self.wall(), self.attempts.get(mail.attempt)) else { return };
        let request = Request { subject: Arc::clone(&attempt.subject), verb: mail.body };
        let Some(node) = self.nodes.get_mut(mail.node.index()) else { return };
        let reply = Mutant::apply(self.setup.mutant, node, now, &request);
        let echoes = self.setup.mutant == Some(Mutant::GrantTwice) && matches!(mail.body, Verb::Grant { .. });
        if echoes && !self.echoed.insert((mail.attempt, mail.node)) {
            return; // the second delivery: whoever repeated the grant keeps its answer
        }
        self.replies.push(Mail { body: (mail.body, reply), attempt: mail.attempt, node: mail.node });
        if echoes {
            self.requests.push(mail);
        }
    }

    fn deliver_reply(&mut self, whom: usize) {
        let Some(Mail { attempt: id, node, body: (verb, reply) }) = take(&mut self.replies, whom) else { return };
        let now = self.now();
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        if let (Some(continuity), Verb::Grant { .. }) = (&mut attempt.continuity, verb) {
            continuity.late_grant(node, &reply, now);
        }
        match (&mut attempt.phase, verb) {
            (Phase::Acquiring(machine), Verb::Grant { .. } | Verb::Seal { .. }) => {
                let counted_as = Mutant::counted_as(self.setup.mutant, attempt.reachable, node);
                let mut step = machine.reply(counted_as, reply.clone(), now);
                if self.setup.mutant.is_none()
                    && let Some(story) = attempt.oracle.judge(node, verb, &reply, &step)
                {
                    self.violation = Some(Violation::Untimely(story));
                }
                if let (Some(Mutant::NoSeal), Step::Seal(nodes, _)) = (self.setup.mutant, &step) {
                    step = nodes.iter().fold(Step::Wait, |step, node| match machine.reply(node, Reply::Sealed, now) {
                        Step::Wait => step,
                        end => end,
                    });
                }
                self.obey(id, step);
            }
            (Phase::Extending(lease, machine, began), Verb::Extend { .. }) => {
                let (lease, began) = (*lease, *began);
                match machine.reply(node, reply, now) {
                    ExtendStep::Wait => {}
                    ExtendStep::Extended { valid_until } => {
                        attempt.phase = Phase::Holding(lease);
                        if let Some(lease) = self.history.leases.get_mut(lease) {
                            lease.valid_until = lease.valid_until.max(valid_until);
                        }
                        self.check_extended(lease, began);
                    }
                    ExtendStep::Lost(_) => attempt.phase = Phase::Holding(lease),
                }
            }
            _ => {}
        }
    }

    fn obey(&mut self, id: usize, step: Step) {
        match step {
            Step::Wait => {}
            Step::Seal(counted, token) => {
                let reachable = self.attempts.get(id).map_or(NodeSet::EMPTY, |attempt| attempt.reachable);
                let is_meant =
                    |node: &NodeId| counted.contains(Mutant::counted_as(self.setup.mutant, reachable, *node));
                let nodes = reachable.iter().filter(is_meant).collect();
                self.send(id, nodes, Verb::Seal { token: token.get() });
            }
            Step::Won(win) => {
                let (now, returned) = (self.now(), self.step);
                let Some(attempt) = self.attempts.get_mut(id) else { return };
                attempt.phase = Phase::Holding(self.history.leases.len());
                attempt.continuity = Some(Continuity::begin(&win, now, Duration::ZERO));
                let began = attempt.began;
                let (token, valid_until) = (win.token, win.valid_until);
                let issued = Issued { attempt: id, began, returned, ended: None, valid_until, token };
                self.history.leases.push(issued);
                self.check_validity(id, issued);
            }
            Step::Lost(_) => {
                if let Some(attempt) = self.attempts.get_mut(id) {
                    attempt.phase = Phase::Over;
                    let reachable = attempt.reachable;
                    self.send(id, reachable, Verb::Release);
                }
            }
        }
    }

    /// No extension succeeds that began after a lease with a greater token was returned.
    fn check_extended(&mut self, lease: usize, began: u64) {
        let Some(extended) = self.history.leases.get(lease).copied() else { return };
        let is_newer = |other: &&Issued| other.token > extended.token && other.returned < began;
        if let Some(newer) = self.history.leases.iter().find(is_newer) {
            self.violation = Some(Violation::Bridged(extended, *newer));
        }
    }

    /// Where no lock vanishes, a quorum must have the lock at least for as long as the holder was told.
    fn check_validity(&mut self, id: usize, issued: Issued) {
        if self.setup.locks_vanish || self.setup.mutant.is_some() {
            return;
        }
        let Some(subject) = self.attempts.get(id).map(|attempt| Arc::clone(&attempt.subject)) else { return };
        let at_the_end = self.wall().after(issued.valid_until.since(self.now()));
        let request = Request { subject: Arc::clone(&subject), verb: Verb::Inspect };
        let holder = subject.holder.to_string();
        let mut nodes = self.nodes.clone();
        let views = nodes.iter_mut().map(|node| node.apply(at_the_end, &request));
        let holding = views
            .filter(|reply| matches!(reply, Reply::Seen(view) if view.occupant.as_deref() == Some(&*holder)))
            .count();
        if Quorum::of(self.setup.nodes).is_some_and(|quorum| holding < quorum.needed()) {
            self.violation = Some(Violation::Overstated(issued));
        }
    }

    fn time_out(&mut self, whom: usize) {
        if let Some(id) = self.live(whom) {
            self.time_out_attempt(id);
        }
    }

    fn time_out_attempt(&mut self, id: usize) {
        let now = self.now();
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        match &mut attempt.phase {
            Phase::Acquiring(machine) => {
                let step = machine.timeout(now);
                self.obey(id, step);
            }
            Phase::Extending(lease, ..) => attempt.phase = Phase::Holding(*lease),
            Phase::Holding(_) | Phase::Over => {}
        }
    }

    fn send(&mut self, attempt: usize, nodes: NodeSet, body: Verb) {
        self.requests.extend(nodes.iter().map(|node| Mail { attempt, node, body }));
    }

    /// One of the attempts that are not over.
    fn live(&self, whom: usize) -> Option<usize> {
        let live = || self.attempts.iter().enumerate().filter(|(_, a)| !matches!(a.phase, Phase::Over));
        let count = live().count();
        live().nth(whom.checked_rem(count)?).map(|(id, _)| id)
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        NodeId::all(self.setup.nodes)
    }

    const fn now(&self) -> Moment {
        Moment::from_origin(Duration::from_micros(self.now_us))
    }

    const fn wall(&self) -> WallTime {
        WallTime::from_unix_us(WALL_START_US + self.now_us)
    }
}

/// A node that was founded just now. Nobody looks at its run.
fn founded(now: WallTime) -> NodeState {
    NodeState::founded(RunId::from_bytes([1; 20]), now)
}

/// Takes one of the mails, in any order.
fn take<T>(mails: &mut Vec<T>, whom: usize) -> Option<T> {
    let at = whom.checked_rem(mails.len())?;
    Some(mails.remove(at))
}
