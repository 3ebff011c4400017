//! [`Lobby`]: where the tasks of this process wait for a resource, in the order of their coming. Only the first of them
//! talks to the nodes; the others are given the lease, or their turn, when it is done.
//!
//! A room exists while somebody of this process holds the resource, or tries to, or waits. Nothing is sent and nobody is
//! woken under the one lock.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::bell::Bell;
use super::core::Core;
use super::drive::Attempt;
use super::held::Held;
use super::settings::Settings;
use super::tenure::{Left, Tenure};
use crate::node::{Answer, Ear, Inbox};
use crate::protocol::{Request, Subject, Verb};
use crate::{Holder, HolderId, Moment, NodeId, NodeSet, Resource};

/// Where tasks wait.
pub(super) struct Lobby {
    /// Who this locker is to nodes that it asks to be told of releases.
    me: HolderId,
    /// In an order of their own: what is sent for all of them is sent in it, and the same run is the same again.
    rooms: Mutex<Rooms>,
    /// Tells who came before what.
    comings: AtomicU64,
}

#[derive(Default)]
struct Rooms {
    open: BTreeMap<Resource, Room>,
    left: Left,
}

/// Those who want one resource.
#[derive(Default)]
struct Room {
    waiting: VecDeque<Arc<Seat>>,
    tenure: Option<Tenure>,
    /// How many sections there were here since others had their chance.
    sections: u32,
    bell: Option<Arc<Bell>>,
}

/// One that waits.
pub(super) struct Seat {
    state: Mutex<State>,
    called: Notify,
    pub(super) settings: Arc<Settings>,
    /// Its number in the order of coming.
    pub(super) came: u64,
}

enum State {
    Waiting,
    Called(Call),
    Gone,
}

/// What one that waits is called for.
pub(super) enum Call {
    /// To talk to the nodes.
    Turn,
    /// The same, and the grants are on their way already.
    Attempt(Box<Attempt>),
    /// To have the lease that this process holds, with a token of its own.
    Section(Arc<Held>),
}

impl Lobby {
    pub(super) fn new(me: HolderId) -> Self {
        Self { me, rooms: Mutex::default(), comings: AtomicU64::new(1) }
    }

    /// Who this locker is to nodes: no lock is ever held by this name.
    pub(super) const fn me(&self) -> HolderId {
        self.me
    }

    /// A number above those of all who came so far.
    pub(super) fn number(&self) -> u64 {
        self.comings.fetch_add(1, Ordering::Relaxed)
    }

    /// Comes in at `now`; `None` where it is one's turn at once.
    pub(super) fn enter(&self, resource: &Resource, settings: &Arc<Settings>, now: Moment) -> Option<Arc<Seat>> {
        let Rooms { open, left } = &mut *self.lock();
        match open.entry(resource.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Room { tenure: left.lately(resource, now), ..Room::default() });
                None
            }
            Entry::Occupied(mut room) => {
                let state = Mutex::new(State::Waiting);
                let (called, settings, came) = (Notify::new(), Arc::clone(settings), self.number());
                let seat = Arc::new(Seat { state, called, settings, came });
                room.get_mut().waiting.push_back(Arc::clone(&seat));
                Some(seat)
            }
        }
    }

    /// Goes away before being called, or with the call in hand.
    pub(super) fn withdraw(&self, resource: &Resource, seat: &Arc<Seat>) -> Option<Call> {
        if let Some(room) = self.lock().open.get_mut(resource) {
            room.waiting.retain(|other| !Arc::ptr_eq(other, seat));
        }
        match std::mem::replace(&mut *seat.state(), State::Gone) {
            State::Called(call) => Some(call),
            State::Waiting | State::Gone => None,
        }
    }

    /// The next one that waits, and for how long this process has had the resource.
    pub(super) fn next(&self, resource: &Resource) -> Option<(Arc<Seat>, Option<Tenure>)> {
        let mut rooms = self.lock();
        let room = rooms.open.get_mut(resource)?;
        room.waiting.pop_front().map(|seat| (seat, room.tenure))
    }

    /// Whoever had the turn is done, and has released what there was to release: the next one has its turn. Where nobody
    /// waits the room is closed. Not before: whoever comes would ask the nodes ahead of the release.
    pub(super) fn advance(&self, core: &Core, resource: &Resource) {
        loop {
            let next = {
                let mut rooms = self.lock();
                let Some(room) = rooms.open.get_mut(resource) else { return };
                // While it is said that nobody listens any more the room is still there: whoever comes and wants to listen
                // says so afterwards.
                match (room.waiting.pop_front(), room.bell.take()) {
                    (Some(seat), bell) => {
                        room.bell = bell;
                        Ok(seat)
                    }
                    (None, Some(bell)) => Err(bell),
                    (None, None) => {
                        if let Some((resource, Room { tenure: Some(tenure), .. })) = rooms.open.remove_entry(resource) {
                            rooms.left.keep(resource, tenure, core.clock.now());
                        }
                        return;
                    }
                }
            };
            match next {
                Ok(seat) if seat.give(Call::Turn).is_ok() => return,
                Ok(_) => {}
                Err(bell) => self.send(core, resource, NodeSet::first(core.quorum.nodes()), &Verb::Unwatch, &bell),
            }
        }
    }

    /// How many wait behind the one whose turn it is, with these settings.
    pub(super) fn waiting(&self, resource: &Resource, settings: &Arc<Settings>) -> usize {
        let alike = |room: &Room| room.waiting.iter().filter(|seat| Arc::ptr_eq(&seat.settings, settings)).count();
        self.lock().open.get(resource).map_or(0, alike)
    }

    /// Whether several sections followed each other here, and nobody waits now; or nobody waits who could be served without
    /// asking the nodes, `at_the_end` of a lease's tokens.
    pub(super) fn is_busy(&self, resource: &Resource, at_the_end: bool) -> bool {
        let busy = |room: &Room| room.sections > 1 && (at_the_end || room.waiting.is_empty());
        self.lock().open.get(resource).is_some_and(busy)
    }

    /// A section begins: the tenure goes on, or begins at `now`.
    pub(super) fn counts_section(&self, resource: &Resource, now: Moment) {
        if let Some(room) = self.lock().open.get_mut(resource) {
            room.sections += 1;
            room.tenure.get_or_insert(Tenure::begin(now)).counts_section();
        }
    }

    /// Whether this process has had the resource for so long that others should have their turn.
    pub(super) fn is_overdue(&self, resource: &Resource, settings: &Settings, now: Moment) -> bool {
        let over = |room: &Room| room.tenure.is_some_and(|tenure| tenure.is_over(settings, now));
        self.lock().open.get(resource).is_some_and(over)
    }

    /// Others have their chance now. If nobody takes it the tenure goes on, and for longer.
    pub(super) fn renews_tenure(&self, resource: &Resource, now: Moment) {
        if let Some(room) = self.lock().open.get_mut(resource) {
            (room.tenure, room.sections) = (room.tenure.map(|tenure| tenure.goes_on(now)), 0);
        }
    }

    /// Somebody else has it: a tenure that begins after this is a new one.
    pub(super) fn ends_tenure(&self, resource: &Resource) {
        if let Some(room) = self.lock().open.get_mut(resource) {
            (room.tenure, room.sections) = (None, 0);
        }
    }

    /// What rings when `resource` is released, if the nodes were asked to tell.
    pub(super) fn bell(&self, resource: &Resource) -> Option<Arc<Bell>> {
        self.lock().open.get(resource)?.bell.clone()
    }

    /// Asks the nodes to tell of releases from now on.
    pub(super) fn watch(&self, core: &Core, resource: &Resource) -> Arc<Bell> {
        let bell = Arc::new(Bell::new(core.quorum.needed(), self.me));
        if let Some(room) = self.lock().open.get_mut(resource) {
            room.bell = Some(Arc::clone(&bell));
        }
        // Also those that rest: they may be the first to be asked when they are awake.
        self.send(core, resource, NodeSet::first(core.quorum.nodes()), &Verb::Watch, &bell);
        bell
    }

    /// There is a new connection to `node`: it has to be asked anew, and something may have been missed.
    pub(super) fn reconnected(&self, core: &Core, node: NodeId) {
        let watched: Vec<_> = {
            let rooms = self.lock();
            rooms.open.iter().filter_map(|(resource, room)| Some((resource.clone(), room.bell.clone()?))).collect()
        };
        for (resource, bell) in watched {
            let nodes = NodeSet::from_iter([node]);
            self.send(core, &resource, nodes, &Verb::Watch, &bell);
            bell.missed_some();
            // Whoever waited may have gone meanwhile, and has said so before this.
            if !self.bell(&resource).is_some_and(|now| Arc::ptr_eq(&now, &bell)) {
                self.send(core, &resource, nodes, &Verb::Unwatch, &bell);
            }
        }
    }

    fn send(&self, core: &Core, resource: &Resource, nodes: NodeSet, verb: &Verb, bell: &Arc<Bell>) {
        let holder = Holder::new(self.me, crate::Label::default());
        let subject = Arc::new(Subject { resource: resource.clone(), holder });
        for (id, node) in core.nodes().filter(|(id, _)| nodes.contains(*id)) {
            let inbox = Arc::clone(bell) as Arc<dyn Inbox>;
            let answer = Answer::to(inbox, id, verb.clone());
            node.send(Request { subject: Arc::clone(&subject), verb: verb.clone() }, answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ear for Lobby {
    fn freed(&self, node: NodeId, resource: &Resource, holder: HolderId) {
        if let Some(bell) = self.bell(resource) {
            bell.hears(node, holder);
        }
    }
}

/// The node that is asked first: the same for everybody, as long as it is ready.
pub(super) fn first_of(resource: &Resource, nodes: usize, ready: NodeSet) -> Option<NodeId> {
    let start = usize::from(resource.slot()).checked_rem(nodes)?;
    (start..start + nodes).filter_map(|at| NodeId::new(at % nodes)).find(|node| ready.contains(*node))
}

impl Seat {
    /// Calls; gives the call back if nobody is there any more.
    pub(super) fn give(&self, call: Call) -> Result<(), Call> {
        let mut state = self.state();
        if matches!(*state, State::Gone) {
            return Err(call);
        }
        *state = State::Called(call);
        drop(state);
        self.called.notify_one();
        Ok(())
    }

    /// Waits to be called.
    ///
    /// # Cancel safety
    ///
    /// The call stays for [`Lobby::withdraw`].
    pub(super) async fn called(&self) -> Call {
        loop {
            {
                let mut state = self.state();
                if matches!(*state, State::Called(_))
                    && let State::Called(call) = std::mem::replace(&mut *state, State::Gone)
                {
                    return call;
                }
            }
            self.called.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
