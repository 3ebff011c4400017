//! What `admit` is asked.

use std::ffi::OsString;
use std::time::Duration;

use redfence::{FencingToken, Resource};

use super::values::{duration, resource};
use crate::exit::Exit;

const AFTER: &str = "\
Examples:
  redfence admit report \"$REDFENCE_TOKEN\" --store file:/srv/fence
      In a script that `run` started: ends with 1 if a newer holder has written.
  redfence admit report \"$REDFENCE_TOKEN\" --store file:/srv/fence -- ./write.sh
      Holds the fence while ./write.sh writes.

Exit codes:
  0   admitted   71  what the command started cannot be stopped
  1   stale      74  the fence was lost, or --timeout ended the command
  2   usage      75  another held the fence until --wait ended
  69  no verdict: the store cannot be reached or used

  With a command its own code; 128+n if signal n ended it, 127 if there is no such command, 126 if it cannot be run. \
  -E chooses another code for 1.";

/// Check a fencing token where a script writes, and refuse an older holder
///
/// The store keeps the highest token of each resource. A lower one is stale: another holder has written since. Take the token
/// from REDFENCE_TOKEN, which `run` sets.
///
/// Without a command this is only admission: a newer holder may write between it and your write. With a command the fence is
/// held while the command runs, so that no other writer is admitted: by the lock of the file, or by a transaction that has
/// the fence's row. The token is stored before the command begins, even if the command fails. Redis has no lock that a client
/// could hold, so it takes no command: there, write with a script (redfence-redis).
///
/// With a database, the command does not write in the transaction that holds the fence. If that transaction ends early,
/// because the server, the connection or `redfence` ends, the command is stopped right after. In between a newer holder may
/// be admitted, and what the command wrote stays. The lock of a file has no such gap, because the command holds it as well. To
/// write into that database, admit in your own transaction (see fencing/sql). In SQLite the command cannot write into it at
/// all.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct AdmitArgs {
    /// What is written
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    /// The token of the lease
    pub(crate) token: FencingToken,
    /// Where the highest tokens are: file:PATH, redis://…, rediss://…, postgres://…, mysql://… or sqlite:PATH
    #[arg(long, env = "REDFENCE_STORE", hide_env_values = true, value_name = "STORE")]
    pub(crate) store: String,
    /// How long to try to reach the store, and to wait while another holds the fence
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub(crate) wait: Duration,
    /// The longest that the command runs; SIGTERM comes before, SIGKILL at the end
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// The exit code when the token is stale
    #[arg(short = 'E', long, default_value_t = Exit::Stale.code(), value_name = "CODE")]
    pub(crate) stale_exit_code: u8,
    /// A command to run while the fence is held, and its arguments, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
