//! The flags of a lease, which several commands have.

use std::time::Duration;

use super::values::duration;

/// The flags of a lease.
#[derive(Debug, clap::Args)]
pub(crate) struct LeaseArgs {
    /// How long the lock lives unless it is renewed or extended
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Duration,
    /// The label for people beside the holder's id [default: host:pid]
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
}
