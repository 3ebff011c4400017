//! [`Plan::check`]: whether a plan that was written by hand can be run.

use std::fmt;

use super::{Fault, NetworkProfile, Operation, Plan, Section, Terms};

/// What is wrong with a plan, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}: {fix}")]
pub struct PlanError {
    /// The key of the part that is wrong.
    pub key: &'static str,
    /// How many parts before it have the same key.
    pub nth: usize,
    /// The reason.
    pub why: String,
    /// What to write instead.
    pub fix: String,
}

/// A part of a plan: its key in JSON, and how many parts before it have the same key.
type Part = (&'static str, usize);

impl Plan {
    /// The longest time in a plan.
    pub const TIME_MAX_MS: u32 = 600_000;
    /// The greatest drift in a plan. Beyond the allowance of lockers X is not promised.
    pub const DRIFT_MAX_PPM: u32 = 100_000;
    const NODES_MAX: usize = 32;
    const CLIENTS_MAX: usize = 64;
    const FOREIGN_MAX: usize = 16;
    const TASKS_MAX: u8 = 64;
    const FAULTS_MAX: usize = 1_000;
    const TTL_MIN_MS: u32 = 10;

    /// Whether a plan that was written by hand can be run.
    ///
    /// # Errors
    ///
    /// [`PlanError`] with the part that is wrong, the reason and the fix.
    pub fn check(&self) -> Result<(), PlanError> {
        self.check_counts()?;
        self.check_foreign()?;
        self.check_terms()?;
        self.check_network()?;
        self.check_faults()?;
        self.check_clocks()?;
        match self.times_ms().find(|(_, ms)| *ms > Self::TIME_MAX_MS) {
            Some((part, ms)) => {
                wrong(part, format!("{ms} ms are too long"), format!("write {} ms at most", Self::TIME_MAX_MS))
            }
            None => Ok(()),
        }
    }

    fn check_counts(&self) -> Result<(), PlanError> {
        let (nodes, clients) = (self.nodes.len(), self.clients.len());
        if !(1..=Self::NODES_MAX).contains(&nodes) {
            return wrong(("nodes", 0), format!("there are {nodes} nodes"), format!("name 1 to {}", Self::NODES_MAX));
        }
        if !(1..=Self::CLIENTS_MAX).contains(&clients) {
            let fix = format!("name 1 to {}", Self::CLIENTS_MAX);
            return wrong(("clients", 0), format!("there are {clients} clients"), fix);
        }
        if self.resources == 0 {
            return wrong(("resources", 0), "there is no resource".to_owned(), "write 1 or more".to_owned());
        }
        if self.sharing.sections_max == 0 {
            let why = "a turn of 0 sections serves no task".to_owned();
            return wrong(("sharing", 0), why, "write 1 or more for sections_max".to_owned());
        }
        match self.clients.iter().enumerate().find(|(_, client)| !(1..=Self::TASKS_MAX).contains(&client.tasks)) {
            Some((number, client)) => wrong(
                ("sections", number),
                format!("client {number} has {} tasks", client.tasks),
                format!("write 1 to {}", Self::TASKS_MAX),
            ),
            None => Ok(()),
        }
    }

    fn check_foreign(&self) -> Result<(), PlanError> {
        let (nodes, foreign) = (self.nodes.len(), self.foreign.len());
        if foreign > Self::FOREIGN_MAX {
            let why = format!("there are {foreign} clients of another library");
            return wrong(("foreign", 0), why, format!("name {} at most", Self::FOREIGN_MAX));
        }
        match self.anchor {
            Some(anchor) if usize::from(anchor) >= nodes => {
                let why = format!("node {anchor} cannot be the anchor, because there are {nodes} nodes");
                wrong(("anchor", 0), why, format!("write 0 to {}", nodes - 1))
            }
            _ => Ok(()),
        }
    }

    fn check_terms(&self) -> Result<(), PlanError> {
        let Terms { ttl_ms, max_ttl_ms, node_timeout_ms, response_timeout_ms } = self.terms;
        if ttl_ms < Self::TTL_MIN_MS || ttl_ms > max_ttl_ms {
            let fix = format!("write {} ms or more for ttl_ms, and no less for max_ttl_ms", Self::TTL_MIN_MS);
            return wrong(("terms", 0), format!("ttl {ttl_ms} ms and max_ttl {max_ttl_ms} ms do not go together"), fix);
        }
        if node_timeout_ms == 0 || node_timeout_ms >= ttl_ms {
            let fix = format!("write 1 to {} ms for node_timeout_ms", ttl_ms - 1);
            let why = format!("node timeout {node_timeout_ms} ms and ttl {ttl_ms} ms do not go together");
            return wrong(("terms", 0), why, fix);
        }
        if response_timeout_ms == 0 {
            let why = "with a response timeout of 0 ms no connection lasts".to_owned();
            return wrong(("terms", 0), why, "write 1 or more for response_timeout_ms");
        }
        Ok(())
    }

    fn check_network(&self) -> Result<(), PlanError> {
        let NetworkProfile { latency_ms: (least, most), tail_per_mille, loss_per_mille, .. } = self.network;
        if least > most {
            let why = format!("a latency of {least} to {most} ms is not a range");
            return wrong(("network", 0), why, "write the smaller number first");
        }
        let lossy = self.faults.iter().enumerate().filter_map(|(number, fault)| match fault.fault {
            Fault::Lossy { per_mille, .. } => Some((("at_ms", number), per_mille)),
            _ => None,
        });
        let whole = [(("network", 0), tail_per_mille), (("network", 0), loss_per_mille)];
        match whole.into_iter().chain(lossy).find(|(_, per_mille)| *per_mille > 1_000) {
            Some((part, per_mille)) => wrong(part, format!("{per_mille} of a thousand"), "write 1000 at most"),
            None => Ok(()),
        }
    }

    fn check_faults(&self) -> Result<(), PlanError> {
        let faults = self.faults.len();
        if faults > Self::FAULTS_MAX {
            let fix = format!("name {} at most", Self::FAULTS_MAX);
            return wrong(("faults", 0), format!("there are {faults} faults"), fix);
        }
        match self.faults.iter().enumerate().find(|(_, fault)| fault.at_ms > self.faults_end_ms) {
            Some((number, late)) => wrong(
                ("at_ms", number),
                format!("{late:?} comes after the end of all faults"),
                format!("let it come at {} ms at the latest, or write more for faults_end_ms", self.faults_end_ms),
            ),
            None => Ok(()),
        }
    }

    fn check_clocks(&self) -> Result<(), PlanError> {
        let nodes = self.nodes.iter().map(|clock| (("nodes", 0), clock));
        let clients = self.clients.iter().enumerate().map(|(number, client)| (("sections", number), &client.clock));
        match nodes.chain(clients).find(|(_, clock)| clock.drift_ppm.unsigned_abs() > Self::DRIFT_MAX_PPM) {
            Some((part, clock)) => wrong(
                part,
                format!("a drift of {} ppm is too much", clock.drift_ppm),
                format!("write {} at most", Self::DRIFT_MAX_PPM),
            ),
            None => Ok(()),
        }
    }

    /// Every time that the plan names, and the part that names it.
    fn times_ms(&self) -> impl Iterator<Item = (Part, u32)> {
        let Terms { max_ttl_ms, response_timeout_ms, .. } = self.terms;
        let whole = [
            (("terms", 0), max_ttl_ms),
            (("terms", 0), response_timeout_ms),
            (("sharing", 0), self.sharing.turn_max_ms),
            (("faults_end_ms", 0), self.faults_end_ms),
            (("network", 0), self.network.latency_ms.1),
            (("network", 0), self.network.tail_ms),
        ];
        let clients = self.clients.iter().enumerate().flat_map(|(number, client)| {
            client.sections.iter().flat_map(times_of_section).map(move |ms| (("sections", number), ms))
        });
        let faults = self
            .faults
            .iter()
            .enumerate()
            .flat_map(|(number, fault)| times_of_fault(fault.fault).map(move |ms| (("at_ms", number), ms)));
        let foreign = self.foreign.iter().flat_map(|foreign| &foreign.sections);
        let foreign = foreign.flat_map(|section| [section.think_ms, section.wait_ms, section.work_ms]);
        whole.into_iter().chain(clients).chain(faults).chain(foreign.map(|ms| (("foreign", 0), ms)))
    }
}

fn times_of_section(section: &Section) -> impl Iterator<Item = u32> {
    let whole = [section.think_ms, section.wait_ms, section.cancel_ms.unwrap_or_default()];
    let operations = section.operations.iter().flat_map(|operation| match *operation {
        Operation::Work { ms } | Operation::Stall { ms } => [ms, 0],
        Operation::Write { stall_ms, flight_ms } => [stall_ms, flight_ms],
        Operation::Extend { cancel_ms } => [cancel_ms.unwrap_or_default(), 0],
    });
    whole.into_iter().chain(operations)
}

fn times_of_fault(fault: Fault) -> impl Iterator<Item = u32> {
    let size_ms = match fault {
        Fault::Slow { extra_ms, tail_ms, .. } => extra_ms.max(tail_ms),
        Fault::SlowStore { by_ms, .. } => by_ms,
        Fault::NodeClock { by_ms, .. } | Fault::ClientClock { by_ms, .. } => by_ms.unsigned_abs(),
        _ => 0,
    };
    [fault.lasts_ms().unwrap_or_default(), size_ms].into_iter()
}

fn wrong((key, nth): Part, why: impl fmt::Display, fix: impl fmt::Display) -> Result<(), PlanError> {
    Err(PlanError { key, nth, why: why.to_string(), fix: fix.to_string() })
}
