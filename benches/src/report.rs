//! [`Report`]: the result of a workload.

use std::fmt;
use std::process::Command;

use crate::plan::Plan;
use crate::plot::Chart;
use crate::table::Table;
use crate::target::{self, Target};

/// The result of a workload.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) title: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) targets: Vec<Target>,
    /// What can be drawn.
    pub(crate) charts: Vec<Chart>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        for table in &self.tables {
            writeln!(f, "{table}")?;
        }
        if !self.targets.is_empty() {
            writeln!(f, "{}", target::table(&self.targets))?;
        }
        Ok(())
    }
}

/// The machine and the settings of the measurement.
pub(crate) fn heading(plan: &Plan) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    let version =
        Command::new("redis-server").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    let version = version.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("?");
    let Plan { rounds, round, .. } = plan;
    format!(
        "{cores} cores, load average {load} before the run; redis-server {version}; {rounds} rounds of {round:?} each\n"
    )
}
