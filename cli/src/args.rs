//! What the command line says.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ContextValue;
use clap::{Parser, Subcommand};
use redfence::{NodeId, Printable, Resource};

mod admit;
mod values;

pub(crate) use admit::AdmitArgs;
pub(crate) use values::{HolderArg, MaxHold};
use values::{duration, holder, max_hold, resource};

use crate::exit::Exit;
use crate::screen;

/// A distributed lock over N independent Redis or Valkey nodes, with fencing tokens.
#[derive(Debug, Parser)]
#[command(name = "redfence", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The most nodes that a set can have.
const NODES_MAX: i64 = NodeId::COUNT_MAX as i64;

const EXIT_CODES: &str = "\
Exit codes:
  0   done                     71  what the command started cannot be stopped
  1   failed; of `who`: free;  74  the lease is lost
      of `release`: not held;
      of `admit`: stale
  2   usage or configuration   75  held by another until the wait ended
  69  no quorum; of `admit`: no verdict
  `run` ends with the code of its command; 128+n if signal n ended it, 127 if there is no such
  command, 126 if it cannot be run. Its options -E and --error-exit-code choose other codes for 75,
  and for 1, 2, 69, 71 and 74, so that they can be told from the command's own.";

/// Flags of every command, before or after its name.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Nodes and output")]
pub(crate) struct Global {
    /// The nodes: redis://, rediss:// (TLS) or unix:// URLs; one works, five survive two failures
    #[arg(long, global = true, env = "REDFENCE_NODES", hide_env_values = true)]
    #[arg(value_name = "URL,URL,…", value_delimiter = ',')]
    pub(crate) nodes: Vec<String>,
    /// The first part of every key [default: redfence]
    #[arg(long = "key-prefix", global = true, value_name = "PREFIX")]
    pub(crate) key_prefix: Option<String>,
    /// Certificate authorities for rediss://, as a PEM file [default: those that the machine trusts]
    #[arg(long, global = true, env = "REDFENCE_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The certificate that proves to rediss:// servers who connects, as a PEM file
    #[arg(long, global = true, env = "REDFENCE_CERT_FILE", value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of that certificate, as a PEM file
    #[arg(long, global = true, env = "REDFENCE_KEY_FILE", value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Whom rediss:// servers must prove to be [default: the host of the URL]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    /// How long a round waits for nodes that are silent [default: 250ms, or a quarter of a short time to live]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(crate) node_timeout: Option<Duration>,

    /// The longest time to live that any locker of these nodes asks for; a node that may have forgotten its locks stays
    /// out for this long [default: 30s]
    #[arg(long, global = true, env = "REDFENCE_MAX_TTL", hide_env_values = true, value_name = "TIME", value_parser = duration)]
    pub(crate) max_ttl: Option<Duration>,
    /// Declare that the nodes keep every write over a restart (appendfsync always), so that a restart needs no rest
    #[arg(long, global = true, env = "REDFENCE_DURABLE", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    #[arg(action = clap::ArgAction::SetTrue)]
    pub(crate) durable: bool,
    /// Output for machines: JSON on stdout, one object a line; events and errors on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Show what the library notices on stderr; twice for more. REDFENCE_LOG=warn|info|debug|trace does the same
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Run(RunArgs),
    Acquire(AcquireArgs),
    Admit(AdmitArgs),
    Extend(ExtendArgs),
    Release(ReleaseArgs),
    Status(StatusArgs),
    Who(WhoArgs),
    List(ListArgs),
    ForceRelease(ForceArgs),
    #[command(alias = "found")]
    Bootstrap(BootstrapArgs),
    Reset(ResetArgs),
    Doctor(DoctorArgs),
    Dev(DevArgs),
}

/// Show what can go wrong with a lock, and what fencing does about it; needs nothing installed
///
/// Five nodes in this process, several workers and a ledger; a holder pauses beyond its time to live, nodes die. The
/// story runs once without fencing and once with it. With --nodes it runs on real nodes.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Draw the run into this file, as a picture (SVG)
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Hold the lock while a command runs
///
/// The lease is renewed until the command ends. The command finds REDFENCE_TOKEN, REDFENCE_RESOURCE and REDFENCE_HOLDER
/// in its environment, reads the standard input of this program, and runs in a process group and a session of its own.
///
/// When the lease is about to be lost, the command and all that it started get SIGTERM, and SIGKILL before another holder
/// can exist; the exit code is then 74. They are killed as well when this program is killed or stands still. When the
/// command ends by a signal, what it left running is stopped before the lock is released: SIGTERM, and SIGKILL five
/// seconds later. What it left running after an end of its own runs on without the lock, and is named. What cannot be
/// stopped, such as a program of another user, is named; then the lock is not released before its time to live is over,
/// and the exit code is 71.
///
/// Signals are passed on (see --forward-signals), all that can be caught but Ctrl-Z: a program that stands still cannot
/// renew a lease. SIGKILL, SIGSTOP and the signals of faults (SEGV, BUS, ILL, FPE) cannot be.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RunArgs {
    /// What to lock
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    #[command(flatten)]
    pub(crate) lease: LeaseArgs,
    /// The longest that the lock is held, however long the command runs; `none` for ever
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = max_hold)]
    pub(crate) max_hold: MaxHold,
    /// Who gets the signals that are sent to this program
    #[arg(long, value_enum, default_value_t = ForwardSignals::Group, value_name = "WHOM")]
    pub(crate) forward_signals: ForwardSignals,
    #[command(flatten)]
    pub(crate) exit_codes: ExitCodes,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// To whom `run` passes signals on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ForwardSignals {
    /// The command's process group
    Group,
    /// The command alone, which passes on what its children should get
    Command,
    /// Nobody: what would end this program stops the command with SIGTERM, and with SIGKILL five seconds later
    None,
}

/// The exit codes of `run` for its own failures, so that they can be told from the command's.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ExitCodes {
    /// The exit code when another holds the lock until the wait ends, as flock has it
    #[arg(short = 'E', long, default_value_t = Exit::Contended.code(), value_name = "CODE")]
    conflict_exit_code: u8,
    /// The exit code of every other failure of this program itself [default: one for each reason, see below]
    #[arg(long, value_name = "CODE")]
    error_exit_code: Option<u8>,
}

impl ExitCodes {
    /// What this program ends with instead of `exit`.
    pub(crate) fn of(self, exit: Exit) -> Exit {
        let chosen = match exit {
            Exit::Contended => Some(self.conflict_exit_code),
            Exit::Failed | Exit::Usage | Exit::NoQuorum | Exit::Lost | Exit::Survived => self.error_exit_code,
            // As shells and flock have it: the command's, or the signal's.
            _ => None,
        };
        chosen.map_or(exit, |code| Exit::Chosen(code, exit.reason()))
    }
}

/// Acquire the lock and leave it held
///
/// Prints holder, token and validity. Nobody renews such a lease: use `extend` in time, and `release` when done.
#[derive(Debug, clap::Args)]
pub(crate) struct AcquireArgs {
    /// What to lock
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    #[command(flatten)]
    pub(crate) lease: LeaseArgs,
}

/// How a lease is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct LeaseArgs {
    /// How long the lock lives unless it is renewed or extended
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Duration,
    /// How long to try while another holds it; 0 tries once
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub(crate) wait: Duration,
    /// What people read beside the holder's id [default: host:pid]
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
}

/// Let a lease that `acquire` printed live for the whole TTL from now
#[derive(Debug, clap::Args)]
pub(crate) struct ExtendArgs {
    /// What is locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    /// The holder that `acquire` printed, or its id alone
    #[arg(long, value_parser = holder)]
    pub(crate) holder: HolderArg,
    /// How long the lock lives from now
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Duration,
}

/// Give back a lease that `acquire` printed
///
/// Exit code 1 when it is not held: it was released before, or it expired, and perhaps another has it.
#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// What is locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    /// The holder that `acquire` printed, or its id alone
    #[arg(long, value_parser = holder)]
    pub(crate) holder: HolderArg,
}

/// Show what each node believes, side by side, and how it stands
///
/// `clock` is by how much the node's wall clock is ahead of this machine's, give or take the round trip.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// What may be locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
}

/// Say who holds the lock: exit code 0 when somebody does, 1 when nobody does
///
/// 69 when too few nodes answered to say.
#[derive(Debug, clap::Args)]
pub(crate) struct WhoArgs {
    /// What may be locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
}

/// List everything that is held
///
/// Walks over the keys of all nodes in small steps. What it shows may have changed by the time it is read; it says when
/// it is not all.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only resources whose names begin like this [default: all]
    #[arg(long, value_name = "P", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// The most locks to show
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(crate) limit: usize,
}

/// Take the lock away from a holder that will not let go
///
/// Only where it still is this holder's. The next lease has a greater token in any case. The holder is not told and may
/// still be at work: only a resource that verifies tokens keeps it from writing. Exit code 1 when this holder did not
/// have the lock, 75 when another has it.
#[derive(Debug, clap::Args)]
pub(crate) struct ForceArgs {
    /// What is locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    /// The holder that `status` shows, or its id alone; from anybody else nothing is taken
    #[arg(long, value_parser = holder, value_name = "HOLDER")]
    pub(crate) expect_holder: HolderArg,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
}

/// Begin anew after a disaster: remove all locks, raise all counters, initialize all nodes
///
/// Only when certainly nobody holds anything: whoever does is not asked, and the next holder would stand beside them.
/// Otherwise wait for --max-ttl: the nodes take part by themselves.
#[derive(Debug, clap::Args)]
pub(crate) struct ResetArgs {
    /// Every lock of this prefix, on every node
    #[arg(long, required = true)]
    pub(crate) all: bool,
    /// Nobody holds anything, I am sure
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Declare a new installation, so that its nodes take part at once
///
/// A server that started a moment ago may have forgotten locks, so it rests for --max-ttl before it takes part. At the
/// very first start there is nothing to forget: say so with this. Run it only when certainly nobody holds anything; it
/// is refused where a node remembers that it took part before. Doing it twice is harmless.
#[derive(Debug, clap::Args)]
pub(crate) struct BootstrapArgs {}

/// Examine the nodes: what can hurt, before it hurts
///
/// Each check answers ok, bad or could not check; each bad thing with its risk and its fix. Takes about two seconds, for
/// clocks are watched. Exit code 0 when all is well, 1 when something is bad, 69 without a quorum.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Print the least that this user has to be permitted, and examine nothing
    #[arg(long, value_name = "USER")]
    pub(crate) acl: Option<String>,
}

/// Start servers on this machine to try things out, until Ctrl-C
///
/// They keep nothing on disk, listen on free ports of the loopback interface and take part at once. The line that is printed
/// names them for a shell. Locks on one machine fall with it: this is for development only.
#[derive(Debug, clap::Args)]
pub(crate) struct DevArgs {
    /// How many servers
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=NODES_MAX))]
    pub(crate) count: u8,
}

/// Reads the command line; help and usage errors end the program here.
pub(crate) fn parse() -> Args {
    Args::try_parse().unwrap_or_else(|mut error| {
        if !error.use_stderr() {
            error.exit();
        }
        escape(&mut error);
        // clap quotes what it did not understand, and that may be a URL with a password.
        let said = screen::lines(&without_passwords(&error.render().ansi().to_string()));
        // A closed stderr changes nothing about the code.
        let _ = write!(anstream::stderr(), "{said}");
        std::process::exit(i32::from(Exit::Usage.code()))
    })
}

/// What was not understood is quoted in one line, with whatever cannot be seen escaped.
fn escape(error: &mut clap::Error) {
    let escaped = |text: &String| Printable(text).to_string();
    let hostile: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) if !Printable(text).is_plain() => {
                Some((kind, ContextValue::String(escaped(text))))
            }
            ContextValue::Strings(texts) => Some((kind, ContextValue::Strings(texts.iter().map(escaped).collect()))),
            // A hint that quotes it once more: colours are in it, so what is hostile cannot be told from them.
            ContextValue::StyledStrs(hints) if hints.iter().any(|hint| !Printable(&hint.to_string()).is_plain()) => {
                Some((kind, ContextValue::None))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in hostile {
        error.insert(kind, value);
    }
}

/// Takes out of every line what may be a user and a password: all from the first `://` to the last `@`.
fn without_passwords(text: &str) -> String {
    let clean = |line: &str| {
        let (before, url) = line.split_once("://")?;
        let (_, after) = url.rsplit_once('@')?;
        Some(format!("{before}://{after}"))
    };
    text.split_inclusive('\n').map(|line| clean(line).unwrap_or_else(|| line.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn urls_are_quoted_without_their_passwords() {
        for (said, shown) in [
            ("unexpected 'redis://user:p@ss@host:1' found\nmore", "unexpected 'redis://host:1' found\nmore"),
            ("unexpected 'redis://a:x@a:1,redis://:x://'y z@b' found", "unexpected 'redis://b' found"),
            ("see redis://host:1", "see redis://host:1"),
            ("a@b\nredis://c", "a@b\nredis://c"),
        ] {
            assert_eq!(without_passwords(said), shown);
        }
    }
}
