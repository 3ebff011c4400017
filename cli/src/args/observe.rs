//! What `watch` and `top` are asked.

use std::time::Duration;

use redfence::Resource;

use super::values::{duration, interval, resource};

const WATCH_EXAMPLES: &str = "\
Examples:
  redfence watch nightly-report
      A line for every new holder, until Ctrl-C.
  redfence watch nightly-report --json --for 1h >> locks.jsonl
      The same for machines, for an hour.";

/// Print a line whenever the holder or the queue of a lock changes
///
/// Each line has the time, what most nodes agree on, how many processes wait and which is next. It asks the nodes from
/// time to time, so it may miss a holder that came and went in between.
#[derive(Debug, clap::Args)]
#[command(after_help = WATCH_EXAMPLES)]
pub(crate) struct WatchArgs {
    /// What may be locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    /// The time between two looks at the nodes
    #[arg(long, default_value = "500ms", value_name = "TIME", value_parser = interval)]
    pub(crate) every: Duration,
    /// How long to watch [default: until a signal]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) r#for: Option<Duration>,
}

#[cfg(feature = "top")]
const TOP_EXAMPLES: &str = "\
Examples:
  redfence top
      All nodes and locks.
  redfence top --prefix invoice: --every 5s
      Only locks whose names begin with invoice:, every five seconds.";

/// Show nodes, locks, holders and waiters on the whole terminal, and keep the view up to date
///
/// Keys: q or Ctrl-C ends it; the arrows, PgUp, PgDn, Home and End move through the locks. Each look walks over the keys of
/// all nodes in small steps, and the pause after it is at least four times as long as the walk took. For scripts there are
/// `list` and `watch`.
#[cfg(feature = "top")]
#[derive(Debug, clap::Args)]
#[command(after_help = TOP_EXAMPLES)]
pub(crate) struct TopArgs {
    /// Only resources whose names begin with this [default: all]
    #[arg(long, value_name = "P", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// The time between two looks at the nodes
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = interval)]
    pub(crate) every: Duration,
}
