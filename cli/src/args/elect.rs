//! What `elect` is asked.

use std::ffi::OsString;

use redfence::Resource;

use super::lease::LeaseArgs;
use super::run::ForwardSignals;
use super::values::resource;

const EXAMPLES: &str = "\
Examples:
  redfence elect scheduler -- ./scheduler.sh
      On every machine: one of them runs ./scheduler.sh, and another one takes over if it fails.
  redfence who scheduler
      Who leads.

Exit codes:
  0     the command ended with 0: nothing is left to do
  128+n signal n asked for the end while it campaigned; else the command's code
  2     usage or configuration
  71    what the command started cannot be stopped
  126   the command cannot be run
  127   there is no such command";

/// Campaign for a lock, and keep a command running while this machine leads
///
/// Waits until it has the lock, without a limit. Then it starts the command, as `run` does, with the fencing token in
/// REDFENCE_TOKEN. The token is the term: a later leader has a greater one, and a resource that verifies tokens refuses the
/// writes of an earlier leader.
///
/// If the lease is lost, the command is stopped before another leader can exist, and the campaign begins again. If the
/// command ends with an error, this machine resigns, so that another one can lead, and campaigns again after a pause: one
/// second, then twice as long each time, one minute at most. If the command ends with 0, so does this program. A signal that
/// asks for the end (TERM, INT, HUP, QUIT) is passed on to the command, and then no campaign follows.
///
/// If too few nodes can be reached, it says so and tries again.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ElectArgs {
    /// What is led
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    #[command(flatten)]
    pub(crate) lease: LeaseArgs,
    /// Who gets the signals that are sent to this program
    #[arg(long, value_enum, default_value_t = ForwardSignals::Group, value_name = "WHOM")]
    pub(crate) forward_signals: ForwardSignals,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
