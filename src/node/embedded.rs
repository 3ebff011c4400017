//! [`EmbeddedNode`]: a node in this process.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Answer, Ear, Node, NodeState, to_tell};
use crate::protocol::{Reply, Request, RunId};
use crate::{Clock, NodeId, SystemClock};

/// A node in this process: for tests, demonstrations and simulations. It answers before [`Node::send`] returns.
///
/// Locks among processes need servers; five embedded nodes of one process fall together.
#[derive(Clone)]
pub struct EmbeddedNode {
    state: Arc<Mutex<NodeState>>,
    clock: Arc<dyn Clock>,
    ears: Ears,
}

type Ears = Arc<Mutex<Vec<(NodeId, Weak<dyn Ear>)>>>;

impl EmbeddedNode {
    /// A new node on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Arc::new(SystemClock))
    }

    /// A new node on a clock of its own. It is founded: it may be asked for grants at once.
    #[must_use]
    pub fn on(clock: Arc<dyn Clock>) -> Self {
        // Every node is a run of its own, as every server is.
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let mut run_id = [0; 20];
        let (_, last) = run_id.split_at_mut(12);
        last.copy_from_slice(&RUNS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let state = NodeState::founded(RunId::from_bytes(run_id), clock.wall());
        Self::with(state, clock)
    }

    /// A node that goes on from `state`: one that was not joined yet, for instance, or another run of one that was.
    #[must_use]
    pub fn with(state: NodeState, clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::new(Mutex::new(state)), clock, ears: Ears::default() }
    }

    /// Does what `request` asks, now, and tells those who wait if that releases a lock.
    pub fn apply(&self, request: &Request) -> Reply {
        let [(_, reply)] = self.apply_turn([request.clone()]);
        reply
    }

    /// Does what these requests ask, in one step, and tells those who wait of the locks that are released when it is over.
    pub fn apply_turn<const N: usize>(&self, requests: [Request; N]) -> [(Request, Reply); N] {
        let now = self.clock.wall();
        let turn = self.with_state(|state| {
            requests.map(|request| {
                let reply = state.apply(now, &request);
                (request, reply)
            })
        });
        self.tell(&turn);
        turn
    }

    fn tell(&self, turn: &[(Request, Reply)]) {
        let told: Vec<_> =
            self.with_state(|state| to_tell(turn).filter(|subject| state.is_watched(&subject.resource)).collect());
        if told.is_empty() {
            return;
        }
        let ears: Vec<_> = {
            let mut ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
            ears.retain(|(_, ear)| ear.strong_count() > 0);
            ears.iter().filter_map(|(id, ear)| Some((*id, ear.upgrade()?))).collect()
        };
        for subject in told {
            ears.iter().for_each(|(id, ear)| ear.freed(*id, &subject.resource, subject.holder.id()));
        }
    }

    /// Looks into the node, or changes what it knows.
    pub fn with_state<T>(&self, look: impl FnOnce(&mut NodeState) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for EmbeddedNode {
    fn default() -> Self {
        Self::new()
    }
}

impl Node for EmbeddedNode {
    fn send(&self, request: Request, answer: Answer) {
        answer.reply(self.apply(&request));
    }

    fn send_both(&self, first: (Request, Answer), second: (Request, Answer)) {
        let ((first, one), (second, other)) = (first, second);
        let [(_, first), (_, second)] = self.apply_turn([first, second]);
        one.reply(first);
        other.reply(second);
    }

    fn listen(&self, id: NodeId, ear: Weak<dyn Ear>) {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner).push((id, ear));
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
