//! Plans written by hand: a story a few lines long.

use super::{
    Bootstrap, Client, ClockError, End, Fault, Foreign, NetworkProfile, Operation, Plan, ScheduledFault, Section,
    Sharing, Terms,
};

const EXACT: ClockError = ClockError { offset_ms: 0, drift_ppm: 0 };

impl Plan {
    /// `nodes` nodes, one resource, a good network, a TTL of 500 ms, and no faults. Messages take one millisecond.
    ///
    /// ```
    /// use simulations::plan::{Fault, Plan, Section};
    /// use simulations::Level;
    ///
    /// let plan = Plan::of(3)
    ///     .client([Section::after(0).stall(900).write()])
    ///     .client([Section::after(10).wait(2_000).write()])
    ///     .fault(100, Fault::Hang { node: 1, for_ms: 300 });
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
            bootstrap: Bootstrap::Done,
            nodes: vec![EXACT; usize::from(nodes)],
            ahead: vec![0; usize::from(nodes)],
            clients: Vec::new(),
            foreign: Vec::new(),
            anchor: None,
            resources: 1,
            network: NetworkProfile { latency_ms: (1, 1), tail_per_mille: 0, tail_ms: 0, loss_per_mille: 0 },
            faults: Vec::new(),
            faults_end_ms: 2_000,
        }
    }

    /// One more client, with what it does.
    #[must_use]
    pub fn client(self, sections: impl Into<Vec<Section>>) -> Self {
        self.client_of(1, sections)
    }

    /// One more client; `tasks` tasks of one process run its sections.
    #[must_use]
    pub fn client_of(mut self, tasks: u8, sections: impl Into<Vec<Section>>) -> Self {
        self.clients.push(Client { clock: EXACT, tasks, sections: sections.into() });
        self
    }

    /// One more client of another library.
    #[must_use]
    pub fn foreign(mut self, foreign: Foreign) -> Self {
        self.foreign.push(foreign);
        self
    }

    /// The vote of this node is compulsory.
    #[must_use]
    pub fn anchor(mut self, node: u8) -> Self {
        self.anchor = Some(node);
        self
    }

    /// One more thing that goes wrong.
    #[must_use]
    pub fn fault(mut self, at_ms: u32, fault: Fault) -> Self {
        self.faults.push(ScheduledFault { at_ms, fault });
        self
    }

    /// When all faults have ended; by default after two seconds.
    #[must_use]
    pub fn faults_end_at(mut self, faults_end_ms: u32) -> Self {
        self.faults_end_ms = faults_end_ms;
        self
    }
}

impl Section {
    /// One attempt at the first resource, after a pause; released at once.
    #[must_use]
    pub const fn after(think_ms: u32) -> Self {
        let end = End::Release { cancel_ms: None };
        Self { think_ms, resource: 0, wait_ms: 0, cancel_ms: None, operations: Vec::new(), end }
    }

    /// Tries for this time.
    #[must_use]
    pub const fn wait(mut self, wait_ms: u32) -> Self {
        self.wait_ms = wait_ms;
        self
    }

    /// Then holds the lease for a while.
    #[must_use]
    pub fn work(self, ms: u32) -> Self {
        self.then(Operation::Work { ms })
    }

    /// Then the process pauses for a while.
    #[must_use]
    pub fn stall(self, ms: u32) -> Self {
        self.then(Operation::Stall { ms })
    }

    /// Then checks and writes, and pauses between the two if the last operation was a [`Section::stall`].
    #[must_use]
    pub fn write(mut self) -> Self {
        let stall_ms = match self.operations.last() {
            Some(Operation::Stall { ms }) => *ms,
            _ => 0,
        };
        if stall_ms > 0 {
            self.operations.pop();
        }
        self.then(Operation::Write { stall_ms, flight_ms: 0 })
    }

    /// Then does this operation.
    #[must_use]
    pub fn then(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }
}
