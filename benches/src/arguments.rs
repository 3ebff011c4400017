//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum as _};

use crate::plan::Plan;
use crate::workload::Workload;

/// Measures redfence, a raw fan-out of the same work, and rslock, in one run.
#[derive(Debug, Parser)]
#[command(name = "benches", version)]
pub(crate) struct Arguments {
    /// What to measure; by default everything
    workloads: Vec<Workload>,
    /// How often each contestant is measured, by turns; medians are shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    rounds: u16,
    /// How long one turn takes
    #[arg(long, default_value_t = 2, value_name = "S", value_parser = clap::value_parser!(u16).range(1..=600))]
    round_seconds: u16,
    /// How many processes want one resource in `processes`; the targets are for 4
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    processes: u16,
    /// How many processes want one resource in `herd` [default: 4,10,30,100,200,300]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1_000))]
    herd: Vec<u16>,
    /// How many leases are held and renewed
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    leases: u32,
    /// How long they are held with all nodes, and then as long with one of five hung
    #[arg(long, default_value_t = 60, value_name = "S", value_parser = clap::value_parser!(u16).range(1..=36_000))]
    lease_seconds: u16,
    /// The binary whose start is measured [default: beside this one]
    #[arg(long, value_name = "FILE")]
    redfence: Option<PathBuf>,
    /// Draws pairs a second over tasks into this file; comes with the workload `growth`
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draws sections a second and the longest wait over processes into this file; comes with the workload `herd`
    #[arg(long, value_name = "FILE")]
    herd_svg: Option<PathBuf>,
    /// Everything once and briefly: only shows that the bench runs, its figures mean nothing
    #[arg(long)]
    quick: bool,
}

impl Arguments {
    /// Reads the command line; help and usage errors end the program here.
    pub(crate) fn read() -> Self {
        Self::parse()
    }

    /// The workloads that were asked for, in the order of the tables.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let all = Workload::value_variants().iter().copied();
        all.filter(|workload| self.workloads.is_empty() || self.workloads.contains(workload)).collect()
    }

    /// The file for the charts of `workload`.
    pub(crate) fn drawing(&self, workload: Workload) -> Option<&Path> {
        let file = if workload == Workload::Herd { &self.herd_svg } else { &self.svg };
        file.as_deref()
    }

    /// How it is measured.
    pub(crate) fn plan(&self) -> Plan {
        let redfence = self.redfence.clone();
        let herds = self.herd.iter().copied().map(usize::from).collect();
        let herds = (!self.herd.is_empty()).then_some(herds);
        if self.quick {
            return Plan { redfence, herds, ..Plan::QUICK };
        }
        Plan {
            rounds: self.rounds.into(),
            round: Duration::from_secs(self.round_seconds.into()),
            processes: self.processes.into(),
            leases: usize::try_from(self.leases).unwrap_or(usize::MAX),
            lease_time: Duration::from_secs(self.lease_seconds.into()),
            redfence,
            herds,
            ..Plan::FULL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_workload_means_every_workload_and_some_keep_their_order() {
        let read = |words: &[&str]| Arguments::try_parse_from([&["benches"], words].concat()).unwrap();
        assert_eq!(read(&[]).workloads(), Workload::value_variants());
        assert_eq!(read(&["sizes", "pairs"]).workloads(), [Workload::Pairs, Workload::Sizes]);
        assert_eq!(read(&["herd", "--herd", "4,30"]).plan().herds(), [4, 30]);
        assert_eq!(read(&["herd"]).plan().herds(), Plan::FULL.herds());
    }
}
