//! [`TestServer`]: what is behind the connections to a test node: its data, its clock and its network.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::clock::{NodeClock, TestClock};
use crate::node::{HomeRuntime, Responder, Task};
use crate::protocol::{Reply, Request};
use crate::redlock::sleep_until;
use crate::{Clock, EmbeddedNode, Moment};

/// What happens to requests on their way to a node, and to its replies. It is the same for all lockers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Network {
    /// They arrive at once.
    #[default]
    Good,
    /// There is no connection: requests fail at once, and the locker knows that they were not sent.
    Away,
    /// Requests arrive this much later, in their order. Their replies come back at once.
    Slow(Duration),
    /// Requests do not arrive, and no reply comes: a round ends by its time-out. When the network changes, the locker learns
    /// that the connection was lost.
    Silent,
    /// Requests do not arrive. The locker learns at once that the connection was lost, and not whether they arrived.
    LosesRequests,
    /// Requests arrive and take effect, and their replies are lost. The locker learns at once that the connection was lost,
    /// and not whether they arrived.
    LosesReplies,
}

/// What is behind the connections to a test node.
pub(super) struct TestServer {
    pub(super) number: u8,
    pub(super) data: EmbeddedNode,
    pub(super) clock: Arc<NodeClock>,
    /// The number of the present connection. It changes when connections end, and when they can be opened again.
    pub(super) session: watch::Sender<u64>,
    state: Mutex<State>,
    spawner: HomeRuntime,
}

#[derive(Default)]
struct State {
    network: Network,
    is_down: bool,
    /// The requests that a silent network has swallowed.
    swallowed: Vec<Responder>,
    line: Option<Line>,
}

/// Requests that are on their way, in their order.
struct Line {
    parcels: mpsc::UnboundedSender<Parcel>,
    waiting: Arc<AtomicUsize>,
    /// If this is dropped, the requests are lost.
    _task: Task,
}

/// Requests that arrive together.
struct Parcel {
    requests: Vec<Request>,
    answers: Vec<Responder>,
    arrives: Moment,
}

/// What becomes of a request.
pub(super) enum Delivery {
    Arrives,
    Queued,
    NotSent(&'static str),
    Lost,
    ReplyLost,
    Swallowed,
}

impl TestServer {
    pub(super) fn new(number: u8, clock: TestClock) -> Arc<Self> {
        let clock = Arc::new(NodeClock::following(clock));
        let data = EmbeddedNode::on(Arc::clone(&clock) as Arc<dyn Clock>);
        let (session, state) = (watch::Sender::new(1), Mutex::default());
        Arc::new(Self { number, data, clock, session, state, spawner: HomeRuntime::here() })
    }

    pub(super) fn set_network(&self, network: Network) {
        let (before, swallowed) = {
            let mut state = self.state();
            (std::mem::replace(&mut state.network, network), std::mem::take(&mut state.swallowed))
        };
        if before == Network::Away && network != Network::Away {
            self.reconnect();
        }
        // Responders report a lost connection when they are dropped.
        drop(swallowed);
    }

    pub(super) fn crash(&self) {
        let on_their_way = {
            let mut state = self.state();
            state.is_down = true;
            (std::mem::take(&mut state.swallowed), state.line.take())
        };
        self.reconnect();
        drop(on_their_way);
    }

    pub(super) fn restart(&self, remembers: bool) {
        self.crash();
        self.data.restart(remembers);
        self.state().is_down = false;
        self.reconnect();
    }

    fn reconnect(&self) {
        self.session.send_modify(|session| *session += 1);
    }

    /// The network, and whether the node is down.
    pub(super) fn condition(&self) -> (Network, bool) {
        let state = self.state();
        (state.network, state.is_down)
    }

    pub(super) fn delivery(&self) -> Delivery {
        let state = self.state();
        match state.network {
            _ if state.is_down => Delivery::NotSent("the node is down"),
            Network::Away => Delivery::NotSent("the network is away"),
            Network::Silent => Delivery::Swallowed,
            Network::LosesRequests => Delivery::Lost,
            Network::LosesReplies => Delivery::ReplyLost,
            Network::Slow(_) => Delivery::Queued,
            // A request must not overtake those that are on their way.
            Network::Good if state.line.as_ref().is_some_and(Line::is_used) => Delivery::Queued,
            Network::Good => Delivery::Arrives,
        }
    }

    /// Does what the requests ask, in one step.
    pub(super) fn apply(&self, requests: &[Request]) -> Vec<Reply> {
        let mut replies = self.data.apply_batch(requests);
        for reply in &mut replies {
            if let Reply::Reported(report) = reply {
                report.session = *self.session.borrow();
            }
        }
        replies
    }

    pub(super) fn swallow(&self, answers: Vec<Responder>) {
        self.state().swallowed.extend(answers);
    }

    /// Sends requests on their way. They arrive together, after all requests before them.
    pub(super) fn queue(self: &Arc<Self>, requests: Vec<Request>, answers: Vec<Responder>) {
        let mut state = self.state();
        let by = match state.network {
            Network::Slow(by) => by,
            _ => Duration::ZERO,
        };
        let parcel = Parcel { requests, answers, arrives: self.clock.now().after(by) };
        let line = state.line.get_or_insert_with(|| {
            let ((parcels, ahead), waiting) = (mpsc::unbounded_channel(), Arc::default());
            let delivery = deliver(Arc::downgrade(self), ahead, Arc::clone(&waiting));
            Line { parcels, waiting, _task: Task::start(&self.spawner, delivery) }
        });
        line.waiting.fetch_add(1, Ordering::SeqCst);
        let sent = line.parcels.send(parcel);
        drop(state);
        // If the runtime has ended, the requests are lost.
        drop(sent);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn is_used(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }
}

/// Delivers requests, each when it is due.
async fn deliver(server: Weak<TestServer>, mut parcels: mpsc::UnboundedReceiver<Parcel>, waiting: Arc<AtomicUsize>) {
    while let Some(Parcel { requests, answers, arrives }) = parcels.recv().await {
        let Some(clock) = server.upgrade().map(|server| Arc::clone(&server.clock)) else { return };
        sleep_until(&*clock, arrives).await;
        let Some(server) = server.upgrade() else { return };
        let replies = server.apply(&requests);
        waiting.fetch_sub(1, Ordering::SeqCst);
        answers.into_iter().zip(replies).for_each(|(answer, reply)| answer.reply(reply));
    }
}
