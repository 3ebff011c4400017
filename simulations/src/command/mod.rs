//! The commands, one a file.

/// A line to standard output. The reader may have closed it, as `head` does.
macro_rules! say {
    ($($what:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($what)*)));
    }};
}

/// A line to standard error.
macro_rules! complain {
    ($($what:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($what)*)));
    }};
}

pub(crate) mod check;
pub(crate) mod digest;
pub(crate) mod model;
pub(crate) mod mutants;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod scenario;

use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use simulations::{Campaign, Level, Mutant, Profile, Scale};

/// Options of all commands that run simulations.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct What {
    /// What simulates nodes and network.
    #[arg(long, value_enum, default_value = "node")]
    level: Level,
    /// How many nodes; by default 1 to 7, as the seed decides.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=32))]
    nodes: Option<u8>,
    /// How many clients; by default 2 to 8, as the seed decides.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    clients: Option<u8>,
    /// How much goes wrong.
    #[arg(long, value_enum, default_value = "many-faults")]
    profile: Profile,
    /// A wrong protocol, which a promise must catch.
    #[arg(long, value_enum)]
    mutant: Option<Mutant>,
}

impl What {
    pub(crate) const fn campaign(&self) -> Campaign {
        let Self { level, nodes, clients, profile, mutant } = *self;
        Campaign { level, profile, scale: Scale { nodes, clients }, mutant, expected_only: false }
    }

    /// These options as text, for a command that repeats the run.
    pub(crate) fn again(&self) -> String {
        let Self { level, nodes, clients, profile, mutant } = self;
        let number =
            |name: &str, value: &Option<u8>| value.map(|value| format!(" --{name} {value}")).unwrap_or_default();
        let mutant = mutant.map(|mutant| format!(" --mutant {}", mutant.name())).unwrap_or_default();
        let (level, profile) = (level.name(), profile.name());
        format!("--level {level} --profile {profile}{}{}{mutant}", number("nodes", nodes), number("clients", clients))
    }
}

/// A range of seeds as people write it: `0..1000`, or one seed.
pub(crate) fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let problem = || format!("{text:?} is not a range of seeds: write FIRST..END, for instance 0..10000");
    let Some((first, end)) = text.split_once("..") else {
        let seed: u64 = text.parse().map_err(|_| problem())?;
        return within(seed..seed.saturating_add(1));
    };
    let (first, end) = (first.parse().map_err(|_| problem())?, end.parse().map_err(|_| problem())?);
    if first < end { within(first..end) } else { Err(format!("{text:?} is empty: END must be greater than FIRST")) }
}

/// Each thread counts one seed too far before it notices the end: the counter must not overflow.
fn within(seeds: Range<u64>) -> Result<Range<u64>, String> {
    const END_MAX: u64 = u64::MAX - 256;
    if seeds.end <= END_MAX { Ok(seeds) } else { Err(format!("seeds go up to {END_MAX}")) }
}

/// How many threads: as given, or one for each core.
pub(crate) fn jobs(given: Option<u8>) -> usize {
    let machine = || std::thread::available_parallelism().map_or(1, usize::from);
    given.map_or_else(machine, usize::from)
}

/// A progress bar with rate and time left, if standard error is a terminal.
pub(crate) fn bar(runs: u64) -> ProgressBar {
    let style = "{bar:40} {human_pos}/{human_len} runs · {per_sec} · {eta} left {msg}";
    // The template is a constant, so this does not fail; if it did, the default bar would do.
    ProgressBar::new(runs)
        .with_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The name of a file in single quotes, because it may have spaces. A quote in the name is escaped.
pub(crate) fn quoted(file: &Path) -> String {
    format!("'{}'", file.display().to_string().replace('\'', "'\\''"))
}

/// Prints why the command failed.
pub(crate) fn cannot(what: &str, file: &Path, why: &dyn std::fmt::Display) -> ExitCode {
    complain!("simulations: {what} {}: {why}", file.display());
    ExitCode::from(2)
}
