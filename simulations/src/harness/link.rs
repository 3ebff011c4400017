//! [`Link`]: the connection of one process to one node, and the earlier ones. It behaves like the courier's. It keeps
//! order while it lives, and a request takes effect at most once. After a break there is no order with messages that
//! are still in the old socket. A grant goes only over an admitted connection.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use redfence::node::{Responder, WakeListener};
use redfence::protocol::{Reply, Request};
use redfence::{LockerId, NodeId};
use tokio::sync::watch;

use super::process::Process;

/// One process's connection to one node.
pub(super) struct Link {
    pub(super) process: Arc<Process>,
    pub(super) node: u8,
    /// Which connection this is, from 1; 0 before the first.
    pub(super) session: u64,
    pub(super) open: bool,
    /// Nothing gets through this connection any more, and neither end notices.
    pub(super) mute: bool,
    pub(super) admitted: Option<u64>,
    pub(super) sessions: watch::Sender<u64>,
    pub(super) pending: VecDeque<Pending>,
    /// Whether a check of the oldest unanswered request is scheduled.
    pub(super) watched: bool,
    /// The listeners that receive wakes, and the node's id for each.
    pub(super) listeners: Vec<(NodeId, LockerId, Weak<dyn WakeListener>)>,
    /// The lockers that are woken over the present connection.
    pub(super) subscribed: BTreeSet<LockerId>,
    /// When the last request arrives, and when the last reply does: later messages do not arrive earlier.
    pub(super) last_request_ms: u64,
    pub(super) last_reply_ms: u64,
    /// Messages that wait for the end of a cut.
    pub(super) held_requests: Vec<InFlightBatch>,
    pub(super) held_replies: Vec<InFlightReply>,
    requests_ever: u64,
}

/// A request that has not been answered.
pub(super) struct Pending {
    number: u64,
    sent_ms: u64,
    answer: Responder,
}

/// Requests on their way in one message, each with its number.
pub(super) struct InFlightBatch {
    pub(super) link: usize,
    pub(super) session: u64,
    /// The life of the node that it was sent to: if the node ends, messages on the way to it are lost.
    pub(super) life: u32,
    pub(super) sent_ms: u64,
    pub(super) requests: Vec<(u64, Request)>,
}

/// A reply on its way.
pub(super) struct InFlightReply {
    pub(super) link: usize,
    pub(super) session: u64,
    pub(super) number: u64,
    pub(super) reply: Reply,
}

impl Link {
    pub(super) fn new(process: &Arc<Process>, node: u8) -> Self {
        Self {
            process: Arc::clone(process),
            node,
            session: 0,
            open: false,
            mute: false,
            admitted: None,
            sessions: watch::Sender::new(0),
            pending: VecDeque::new(),
            watched: false,
            listeners: Vec::new(),
            subscribed: BTreeSet::new(),
            last_request_ms: 0,
            last_reply_ms: 0,
            held_requests: Vec::new(),
            held_replies: Vec::new(),
            requests_ever: 0,
        }
    }

    /// A new connection.
    pub(super) fn dial(&mut self) {
        self.session += 1;
        (self.open, self.mute) = (true, false);
        (self.last_request_ms, self.last_reply_ms) = (0, 0);
        self.sessions.send_replace(self.session);
    }

    /// The connection ends; returns the requests that will get no answer.
    pub(super) fn hang_up(&mut self) -> Vec<Responder> {
        self.open = false;
        self.held_replies.clear();
        self.pending.drain(..).map(|pending| pending.answer).collect()
    }

    /// Waits for an answer from now on; returns the request's number.
    pub(super) fn expect(&mut self, answer: Responder, sent_ms: u64) -> u64 {
        self.requests_ever += 1;
        self.pending.push_back(Pending { number: self.requests_ever, sent_ms, answer });
        self.requests_ever
    }

    /// When the oldest request without an answer was sent.
    pub(super) fn waits_since_ms(&self) -> Option<u64> {
        self.pending.front().map(|pending| pending.sent_ms)
    }

    /// The answer to a request, if it is still waited for.
    pub(super) fn answer_to(&mut self, number: u64) -> Option<Responder> {
        let at = self.pending.iter().position(|pending| pending.number == number)?;
        self.pending.remove(at).map(|pending| pending.answer)
    }
}
