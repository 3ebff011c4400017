//! Plans written by hand: a story a few lines long.

use super::{Act, Air, Blow, Client, End, Fault, Founding, Machine, Plan, Sharing, Terms, Turn};

const RIGHT: Machine = Machine { offset_ms: 0, drift_ppm: 0 };

impl Plan {
    /// So many nodes, one resource, a good network, a time to live of 500 ms, and nothing that goes wrong. Messages take
    /// one millisecond.
    ///
    /// ```
    /// use simulations::plan::{Blow, Plan, Turn};
    /// use simulations::Level;
    ///
    /// let plan = Plan::of(3)
    ///     .client([Turn::after(0).stall(900).write()])
    ///     .client([Turn::after(10).wait(2_000).write()])
    ///     .fault(100, Blow::Hang { node: 1, for_ms: 300 });
    /// let outcome = Level::Node.run(&plan, None, false);
    /// assert!(outcome.violations.is_empty());
    /// assert_eq!(outcome.seen.stale, 1);
    /// ```
    #[must_use]
    pub fn of(nodes: u8) -> Self {
        Self {
            seed: 0,
            terms: Terms { ttl_ms: 500, max_ttl_ms: 500, node_timeout_ms: 100, response_timeout_ms: 1_000 },
            sharing: Sharing::default(),
            founding: Founding::Done,
            nodes: vec![RIGHT; usize::from(nodes)],
            ahead: vec![0; usize::from(nodes)],
            clients: Vec::new(),
            resources: 1,
            air: Air { latency_ms: (1, 1), tail_per_mille: 0, tail_ms: 0, loss_per_mille: 0 },
            faults: Vec::new(),
            calm_at_ms: 2_000,
        }
    }

    /// One more client, with what it does.
    #[must_use]
    pub fn client(self, turns: impl Into<Vec<Turn>>) -> Self {
        self.client_of(1, turns)
    }

    /// One more client whose turns are taken by so many tasks of one process.
    #[must_use]
    pub fn client_of(mut self, tasks: u8, turns: impl Into<Vec<Turn>>) -> Self {
        self.clients.push(Client { machine: RIGHT, tasks, turns: turns.into() });
        self
    }

    /// One more thing that goes wrong.
    #[must_use]
    pub fn fault(mut self, at_ms: u32, blow: Blow) -> Self {
        self.faults.push(Fault { at_ms, blow });
        self
    }

    /// When everything that goes wrong has ended; two seconds unless set.
    #[must_use]
    pub fn calm_at(mut self, calm_at_ms: u32) -> Self {
        self.calm_at_ms = calm_at_ms;
        self
    }
}

impl Turn {
    /// One attempt at the first resource, after a pause; released at once.
    #[must_use]
    pub const fn after(think_ms: u32) -> Self {
        let end = End::Release { cancel_ms: None };
        Self { think_ms, resource: 0, wait_ms: 0, cancel_ms: None, acts: Vec::new(), end }
    }

    /// Tries for so long.
    #[must_use]
    pub const fn wait(mut self, wait_ms: u32) -> Self {
        self.wait_ms = wait_ms;
        self
    }

    /// Then holds the lease for a while.
    #[must_use]
    pub fn work(self, ms: u32) -> Self {
        self.then(Act::Work { ms })
    }

    /// Then stands still for a while.
    #[must_use]
    pub fn stall(self, ms: u32) -> Self {
        self.then(Act::Stall { ms })
    }

    /// Then checks and writes, with so long a pause between the two as the last [`Turn::stall`] said, if there was one.
    #[must_use]
    pub fn write(mut self) -> Self {
        let stall_ms = match self.acts.last() {
            Some(Act::Stall { ms }) => *ms,
            _ => 0,
        };
        if stall_ms > 0 {
            self.acts.pop();
        }
        self.then(Act::Write { stall_ms, flight_ms: 0 })
    }

    /// Then does this.
    #[must_use]
    pub fn then(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }
}
