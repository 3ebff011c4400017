//! [`NetworkConditions`]: the current faults of the network, for clusters of every level.

use crate::plan::{Direction, Fault, NetworkProfile};

/// The current faults of the network.
#[derive(Debug)]
pub struct NetworkConditions {
    usual: NetworkProfile,
    ended: bool,
    faults: Vec<(u64, Fault)>,
    faults_ever: u64,
}

impl NetworkConditions {
    /// No faults yet.
    #[must_use]
    pub const fn new(usual: NetworkProfile) -> Self {
        Self { usual, ended: false, faults: Vec::new(), faults_ever: 0 }
    }

    /// A fault begins; returns the number that ends it.
    pub fn begin(&mut self, fault: Fault) -> u64 {
        self.faults_ever += 1;
        self.faults.push((self.faults_ever, fault));
        self.faults_ever
    }

    /// A fault ends.
    pub fn end(&mut self, number: u64) {
        self.faults.retain(|(one, _)| *one != number);
    }

    /// From now on messages arrive soon and complete.
    pub fn end_faults(&mut self) {
        self.ended = true;
        self.faults.clear();
    }

    /// The network between a client and a node.
    #[must_use]
    pub fn between(&self, client: u8, node: u8) -> NetworkProfile {
        let mut network = self.usual;
        if self.ended {
            return NetworkProfile { tail_per_mille: 0, loss_per_mille: 0, ..network };
        }
        for (_, fault) in &self.faults {
            match *fault {
                Fault::Lossy { client: c, node: n, per_mille, .. } if concerns(c, client) && concerns(n, node) => {
                    network.loss_per_mille += per_mille;
                }
                Fault::Slow { client: c, node: n, extra_ms, tail_ms, .. }
                    if concerns(c, client) && concerns(n, node) =>
                {
                    network.latency_ms.0 += extra_ms;
                    network.latency_ms.1 += extra_ms;
                    network.tail_ms = network.tail_ms.max(tail_ms);
                    network.tail_per_mille += 200;
                }
                _ => {}
            }
        }
        network
    }

    /// Whether a direction is cut, and if so, whether messages arrive after the cut.
    #[must_use]
    pub fn partition(&self, client: u8, node: u8, direction: Direction) -> Option<bool> {
        self.faults.iter().find_map(|(_, fault)| match *fault {
            Fault::Partition { client: c, node: n, direction: w, delivers_after, .. }
                if concerns(c, client) && concerns(n, node) && (w == direction || w == Direction::Both) =>
            {
                Some(delivers_after)
            }
            _ => None,
        })
    }
}

fn concerns(whom: Option<u8>, one: u8) -> bool {
    whom.is_none_or(|whom| whom == one)
}
