//! [`NodeMeters`]: what is measured of one node.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, SharedString, counter, gauge, histogram};

use super::super::NodeState;
use crate::metrics::{NODE_CLOCK_OFFSET_SECONDS, NODE_STATE, VOTE_SECONDS, VOTES_TOTAL};
use crate::protocol::Reply;

/// The states of a node, as labels.
const STATES: [(NodeState, &str); 5] = [
    (NodeState::Ready, "ready"),
    (NodeState::Resting, "resting"),
    (NodeState::Failing, "failing"),
    (NodeState::Duplicate, "duplicate"),
    (NodeState::Unknown, "unknown"),
];

pub(super) struct NodeMeters {
    granted: Counter,
    refused: Counter,
    failed: Counter,
    not_asked: Counter,
    seconds: Histogram,
    states: [(NodeState, Gauge); 5],
    clock_offset: Gauge,
}

impl NodeMeters {
    /// The node with this number, from 1, and this address.
    pub(super) fn new(number: usize, address: String) -> Self {
        let node: SharedString = number.to_string().into();
        let address: SharedString = address.into();
        let labels = [("node", node.clone()), ("address", address.clone())];
        let votes = |vote: &'static str| {
            let labels = [("node", node.clone()), ("address", address.clone()), ("vote", vote.into())];
            counter!(VOTES_TOTAL.name, &labels)
        };
        let states = STATES.map(|(state, name)| {
            let labels = [("node", node.clone()), ("address", address.clone()), ("state", name.into())];
            (state, gauge!(NODE_STATE.name, &labels))
        });
        Self {
            granted: votes("granted"),
            refused: votes("refused"),
            failed: votes("failed"),
            not_asked: votes("not_asked"),
            seconds: histogram!(VOTE_SECONDS.name, &labels),
            states,
            clock_offset: gauge!(NODE_CLOCK_OFFSET_SECONDS.name, &labels),
        }
    }

    pub(super) fn voted(&self, reply: &Reply, took: Duration) {
        let votes = match reply {
            Reply::Granted { .. } => &self.granted,
            Reply::Refused(_) => &self.refused,
            _ => return self.failed.increment(1),
        };
        votes.increment(1);
        self.seconds.record(took);
    }

    pub(super) fn not_asked(&self) {
        self.not_asked.increment(1);
    }

    pub(super) fn looked(&self, is: NodeState, clock_offset: Option<f64>) {
        for (state, gauge) in &self.states {
            gauge.set(if *state == is { 1.0 } else { 0.0 });
        }
        if let Some(offset) = clock_offset {
            self.clock_offset.set(offset);
        }
    }
}
