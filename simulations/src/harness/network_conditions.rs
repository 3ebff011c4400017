//! [`Weather`]: what is wrong with the network just now. For clusters of every level.

use crate::plan::{Air, Blow, Way};

/// What is wrong with the network just now.
#[derive(Debug)]
pub struct Weather {
    usual: Air,
    calm: bool,
    blows: Vec<(u64, Blow)>,
    blows_ever: u64,
}

impl Weather {
    /// Nothing in particular yet.
    #[must_use]
    pub const fn new(usual: Air) -> Self {
        Self { usual, calm: false, blows: Vec::new(), blows_ever: 0 }
    }

    /// A blow begins; returns what ends it.
    pub fn begin(&mut self, blow: Blow) -> u64 {
        self.blows_ever += 1;
        self.blows.push((self.blows_ever, blow));
        self.blows_ever
    }

    /// A blow ends.
    pub fn end(&mut self, number: u64) {
        self.blows.retain(|(one, _)| *one != number);
    }

    /// From now on messages arrive, soon and whole.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.blows.clear();
    }

    /// The air between a client and a node.
    #[must_use]
    pub fn between(&self, client: u8, node: u8) -> Air {
        let mut air = self.usual;
        if self.calm {
            return Air { tail_per_mille: 0, loss_per_mille: 0, ..air };
        }
        for (_, blow) in &self.blows {
            match *blow {
                Blow::Lossy { client: c, node: n, per_mille, .. } if concerns(c, client) && concerns(n, node) => {
                    air.loss_per_mille += per_mille;
                }
                Blow::Slow { client: c, node: n, extra_ms, tail_ms, .. }
                    if concerns(c, client) && concerns(n, node) =>
                {
                    air.latency_ms.0 += extra_ms;
                    air.latency_ms.1 += extra_ms;
                    air.tail_ms = air.tail_ms.max(tail_ms);
                    air.tail_per_mille += 200;
                }
                _ => {}
            }
        }
        air
    }

    /// Whether a way is cut; then, whether what is sent arrives after it.
    #[must_use]
    pub fn cut(&self, client: u8, node: u8, way: Way) -> Option<bool> {
        self.blows.iter().find_map(|(_, blow)| match *blow {
            Blow::Cut { client: c, node: n, way: w, arrives_after, .. }
                if concerns(c, client) && concerns(n, node) && (w == way || w == Way::Both) =>
            {
                Some(arrives_after)
            }
            _ => None,
        })
    }
}

fn concerns(whom: Option<u8>, one: u8) -> bool {
    whom.is_none_or(|whom| whom == one)
}
