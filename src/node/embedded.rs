//! [`EmbeddedNode`]: a node in this process.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Node, NodeState, Responder, WakeListener};
use crate::protocol::{Reply, Request, RunId};
use crate::{Clock, LockerId, NodeId, SystemClock};

/// A node in this process: for tests, demonstrations and simulations. It replies before `Node::send` returns.
///
/// Locks between processes need servers. All embedded nodes of a process fail together.
#[derive(Clone)]
pub struct EmbeddedNode {
    state: Arc<Mutex<NodeState>>,
    clock: Arc<dyn Clock>,
    listeners: Arc<Mutex<Vec<Listener>>>,
}

type Listener = (NodeId, LockerId, Weak<dyn WakeListener>);

impl EmbeddedNode {
    /// A new node on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Arc::new(SystemClock))
    }

    /// A new node on the clock `clock`. It is initialized, so it may be asked for grants at once.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn on(clock: Arc<dyn Clock>) -> Self {
        let state = NodeState::bootstrapped(new_run(), clock.wall());
        Self::with(state, clock)
    }

    /// Starts again as another run, with all data or with none.
    #[cfg(feature = "testing")]
    pub(crate) fn restart(&self, remembers: bool) {
        let now = self.clock.wall();
        self.with_state(|state| state.restart(new_run(), now, remembers));
    }

    /// A node that continues from `state`, for instance one that was not joined yet, or a later run of another node.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn with(state: NodeState, clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::new(Mutex::new(state)), clock, listeners: Arc::default() }
    }

    /// Does what `request` asks, and sends the wakes.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn apply(&self, request: &Request) -> Reply {
        let now = self.clock.wall();
        let reply = self.with_state(|state| state.apply(now, request));
        self.wake();
        reply
    }

    /// Does what these requests ask, in one step, and then sends the wakes.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn apply_batch(&self, requests: &[Request]) -> Vec<Reply> {
        let now = self.clock.wall();
        let replies = self.with_state(|state| state.apply_batch(now, requests));
        self.wake();
        replies
    }

    fn wake(&self) {
        for wake in self.with_state(NodeState::take_wakes) {
            let listener = {
                let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
                let its = listeners.iter().find(|(_, locker, _)| *locker == wake.locker);
                its.and_then(|(id, _, listener)| Some((*id, listener.upgrade()?)))
            };
            if let Some((id, listener)) = listener {
                listener.woken(id, &wake.resource, wake.after);
            }
        }
    }

    /// Disconnects every locker that was dropped, as a server does when a connection ends.
    fn disconnect_the_gone(&self) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gone = |(_, _, listener): &mut Listener| listener.strong_count() == 0;
        for (_, locker, _) in listeners.extract_if(.., is_gone) {
            self.with_state(|state| state.disconnect(locker));
        }
    }

    /// Reads or changes the state of the node.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn with_state<T>(&self, look: impl FnOnce(&mut NodeState) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Every node is a separate run, as every server is.
fn new_run() -> RunId {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    let mut run_id = [0; 20];
    let (_, last) = run_id.split_at_mut(12);
    last.copy_from_slice(&RUNS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    RunId::from_bytes(run_id)
}

impl Default for EmbeddedNode {
    fn default() -> Self {
        Self::new()
    }
}

impl Node for EmbeddedNode {
    fn send(&self, request: Request, responder: Responder) {
        self.disconnect_the_gone();
        responder.reply(self.apply(&request));
    }

    fn send_both(&self, first: (Request, Responder), second: (Request, Responder)) {
        self.disconnect_the_gone();
        let replies = self.apply_batch(&[first.0, second.0]);
        [first.1, second.1].into_iter().zip(replies).for_each(|(responder, reply)| responder.reply(reply));
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push((id, locker, listener));
    }

    fn admit(&self, _: u64) {}

    fn address(&self) -> String {
        "embedded".to_owned()
    }
}

impl fmt::Debug for EmbeddedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedNode").finish_non_exhaustive()
    }
}
