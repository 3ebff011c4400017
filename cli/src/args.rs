//! The command line: its commands, flags and arguments.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ContextValue;
use clap::{Parser, Subcommand};
use redfence::node::redis::KeyStyle;
use redfence::{NodeId, Printable, Resource};

mod admit;
mod elect;
mod exit_codes;
mod lease;
mod observe;
mod run;
mod shell;
mod values;

pub(crate) use admit::AdmitArgs;
pub(crate) use elect::ElectArgs;
use exit_codes::EXIT_CODES;
pub(crate) use lease::LeaseArgs;
#[cfg(feature = "top")]
pub(crate) use observe::TopArgs;
pub(crate) use observe::WatchArgs;
pub(crate) use run::{ForwardSignals, IfHeld, RunArgs};
pub(crate) use shell::{CompletionsArgs, ManArgs};
pub(crate) use values::HolderArg;
use values::{duration, holder, resource};

use crate::exit::Exit;
use crate::screen;

/// A distributed lock over N independent Redis or Valkey nodes, with fencing tokens.
#[derive(Debug, Parser)]
#[command(name = "redfence", version, max_term_width = 100, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The most nodes that a set can have.
const NODES_MAX: i64 = NodeId::COUNT_MAX as i64;

const EXAMPLES: &str = "\
Examples:
  redfence demo
      What can go wrong with a lock, and how fencing prevents it; needs nothing installed.
  redfence run nightly --nodes redis://a,redis://b,redis://c -- ./report.sh
      Holds the lock while ./report.sh runs.
  redfence status nightly
      What each node has; the nodes may be in REDFENCE_NODES.";

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
    /// The names under which locks are stored: native, or plain[:PREFIX] for a fleet that mixes redfence with other Redlock
    /// clients; all lockers of these nodes must have the same [default: native]
    #[arg(long, global = true, env = "REDFENCE_KEY_STYLE", hide_env_values = true, value_name = "STYLE")]
    pub(crate) key_style: Option<KeyStyle>,
    /// The node whose vote is compulsory, by its place among the nodes, from 1: while a fleet grows from one node to
    /// several, the old node [default: none]
    #[arg(long, global = true, env = "REDFENCE_ANCHOR", hide_env_values = true, value_name = "PLACE")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=NODES_MAX))]
    pub(crate) anchor: Option<u8>,
    /// Certificate authorities for rediss://, as a PEM file [default: the machine's own store]
    #[arg(long, global = true, env = "REDFENCE_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The client certificate for rediss:// servers that demand one, as a PEM file
    #[arg(long, global = true, env = "REDFENCE_CERT_FILE", value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of that certificate, as a PEM file
    #[arg(long, global = true, env = "REDFENCE_KEY_FILE", value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// The name that the certificates of rediss:// servers must have [default: the host of the URL]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    /// How long a round waits for silent nodes [default: 250ms, or a quarter of a short time to live]
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
    /// Show the library's log on stderr; twice for more. REDFENCE_LOG=warn|info|debug|trace does the same
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Run(RunArgs),
    Elect(ElectArgs),
    Acquire(AcquireArgs),
    Admit(AdmitArgs),
    Extend(ExtendArgs),
    Release(ReleaseArgs),
    Status(StatusArgs),
    Who(WhoArgs),
    Watch(WatchArgs),
    List(ListArgs),
    #[cfg(feature = "top")]
    Top(TopArgs),
    ForceRelease(ForceArgs),
    #[command(alias = "found")]
    Bootstrap(BootstrapArgs),
    Reset(ResetArgs),
    Doctor(DoctorArgs),
    Dev(DevArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

const DEMO_EXAMPLES: &str = "\
Examples:
  redfence demo
      The whole story in this process, in six seconds.
  redfence demo --svg run.svg
      Draws it, too.";

/// Show what can go wrong with a lock, and how fencing prevents it; needs nothing installed
///
/// Five nodes in this process, several workers and a ledger. A holder pauses beyond its time to live, and nodes die.
/// The story runs once without fencing and once with it. With --nodes it runs on real nodes.
#[derive(Debug, clap::Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Draw the run into this file, as a picture (SVG)
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

const ACQUIRE_EXAMPLES: &str = "\
Examples:
  redfence acquire nightly-report --ttl 20s
      Prints the holder, the token and the validity.
  redfence acquire nightly-report --ttl 20s --json
      The same for scripts: `jq -r .holder` takes the holder out of it.";

/// Acquire the lock and leave it held
///
/// Prints holder, token and validity. This lease is not renewed: use `extend` in time, and `release` at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = ACQUIRE_EXAMPLES)]
pub(crate) struct AcquireArgs {
    /// What to lock
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    #[command(flatten)]
    pub(crate) lease: LeaseArgs,
    /// How long to try while another holds it; 0 tries once
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub(crate) wait: Duration,
}

const EXTEND_EXAMPLES: &str = "\
Examples:
  redfence extend nightly-report --holder \"$holder\" --ttl 20s";

/// Extend a lease that `acquire` printed to its full time to live, from now
#[derive(Debug, clap::Args)]
#[command(after_help = EXTEND_EXAMPLES)]
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

const RELEASE_EXAMPLES: &str = "\
Examples:
  redfence release nightly-report --holder \"$holder\"";

/// Release a lease that `acquire` printed
///
/// Exit code 1 if the holder does not have the lock: it was released before, or it expired and may have a new holder.
#[derive(Debug, clap::Args)]
#[command(after_help = RELEASE_EXAMPLES)]
pub(crate) struct ReleaseArgs {
    /// What is locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    /// The holder that `acquire` printed, or its id alone
    #[arg(long, value_parser = holder)]
    pub(crate) holder: HolderArg,
}

const STATUS_EXAMPLES: &str = "\
Examples:
  redfence status nightly-report
  redfence status nightly-report --json";

/// Show the report of each node about a lock, and its condition
///
/// `clock` says how far the node's wall clock is ahead of this machine's; it is exact to one round trip.
#[derive(Debug, clap::Args)]
#[command(after_help = STATUS_EXAMPLES)]
pub(crate) struct StatusArgs {
    /// What may be locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
}

const WHO_EXAMPLES: &str = "\
Examples:
  redfence who nightly-report
  redfence who nightly-report --json";

/// Show who holds the lock: exit code 0 if it is held, 1 if it is free
///
/// 69 if too few nodes answered to know.
#[derive(Debug, clap::Args)]
#[command(after_help = WHO_EXAMPLES)]
pub(crate) struct WhoArgs {
    /// What may be locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
}

const LIST_EXAMPLES: &str = "\
Examples:
  redfence list
  redfence list --prefix invoice: --limit 20";

/// List all locks that are held
///
/// Walks over the keys of all nodes in small steps. The list may be out of date when it is printed; a message says if
/// it is incomplete.
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct ListArgs {
    /// Only resources whose names begin with this [default: all]
    #[arg(long, value_name = "P", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// The most locks to show
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(crate) limit: usize,
}

const FORCE_EXAMPLES: &str = "\
Examples:
  redfence force-release nightly-report --expect-holder \"$holder\" --reason INC-7";

/// Take the lock from a holder that does not release it
///
/// Removes the lock only if it is still this holder's. The next lease always has a greater token. The holder is not
/// notified and may still be working: only a resource that verifies tokens refuses its writes. Exit code 1 if this
/// holder did not have the lock, 75 if another has it.
#[derive(Debug, clap::Args)]
#[command(after_help = FORCE_EXAMPLES)]
pub(crate) struct ForceArgs {
    /// What is locked
    #[arg(value_parser = resource)]
    pub(crate) resource: Resource,
    /// The holder that `status` shows, or its id alone; locks of other holders stay
    #[arg(long, value_parser = holder, value_name = "HOLDER")]
    pub(crate) expect_holder: HolderArg,
    /// The reason, for the log
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
}

const RESET_EXAMPLES: &str = "\
Examples:
  redfence reset --all --yes";

/// Start again after a disaster: remove all locks, raise all counters, initialize all nodes
///
/// Only if certainly no process holds a lock: a holder is not asked, and would work at the same time as the next one.
/// Otherwise wait for --max-ttl: then the nodes take part by themselves.
#[derive(Debug, clap::Args)]
#[command(after_help = RESET_EXAMPLES)]
pub(crate) struct ResetArgs {
    /// Every lock of this prefix, on every node
    #[arg(long, required = true)]
    pub(crate) all: bool,
    /// Confirm that no process holds a lock
    #[arg(long)]
    pub(crate) yes: bool,
}

const BOOTSTRAP_EXAMPLES: &str = "\
Examples:
  redfence bootstrap --nodes redis://a,redis://b,redis://c";

/// Declare a new installation, so that its nodes take part at once
///
/// A server that started a moment ago may have forgotten locks, so it rests for --max-ttl before it takes part. At
/// the very first start there are no locks to forget: declare that with this command. Run it only if certainly no
/// process holds a lock. It is refused if a node has a record of an earlier join. A second run does no harm.
#[derive(Debug, clap::Args)]
#[command(after_help = BOOTSTRAP_EXAMPLES)]
pub(crate) struct BootstrapArgs {}

const DOCTOR_EXAMPLES: &str = "\
Examples:
  redfence doctor
  redfence doctor --acl locker
      Prints a rule for ACL SETUSER.";

/// Examine the nodes, to find faults before they hurt
///
/// Each check answers ok, bad or could not check; each bad result comes with its risk and its fix. Takes about two
/// seconds, because it watches the clocks. Exit code 0 if nothing is bad, 1 if something is bad, 69 without a quorum.
#[derive(Debug, clap::Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// Print the ACL rule with the least permissions that this user needs, and examine nothing
    #[arg(long, value_name = "USER")]
    pub(crate) acl: Option<String>,
}

const DEV_EXAMPLES: &str = "\
Examples:
  redfence dev
      Five servers; the printed line is for another terminal.
  redfence dev --count 3";

/// Start servers on this machine to try things out, until Ctrl-C
///
/// They keep nothing on disk, listen on free ports of the loopback interface and take part at once. The printed line
/// names them for a shell. If the machine fails, all these locks fail: use it for development only.
#[derive(Debug, clap::Args)]
#[command(after_help = DEV_EXAMPLES)]
pub(crate) struct DevArgs {
    /// How many servers
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=NODES_MAX))]
    pub(crate) count: u8,
}

/// Reads the command line. Help and usage errors end the program here.
pub(crate) fn parse() -> Args {
    Args::try_parse().unwrap_or_else(|mut error| {
        if !error.use_stderr() {
            error.exit();
        }
        escape(&mut error);
        // clap quotes the words that it did not understand, and they may be a URL with a password.
        let said = screen::lines(&without_passwords(&error.render().ansi().to_string()));
        // If stderr is closed, the exit code is still the same.
        let _ = write!(anstream::stderr(), "{said}");
        std::process::exit(i32::from(Exit::Usage.code()))
    })
}

/// Shows quoted words in one line, and escapes invisible characters.
fn escape(error: &mut clap::Error) {
    let escaped = |text: &String| Printable(text).to_string();
    let hostile: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) if !Printable(text).is_plain() => {
                Some((kind, ContextValue::String(escaped(text))))
            }
            ContextValue::Strings(texts) => Some((kind, ContextValue::Strings(texts.iter().map(escaped).collect()))),
            // Such a hint quotes the words again. It contains colours, so escaping cannot separate them from hostile
            // characters.
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

/// Removes what may be a user and a password from every line: all from the first `://` to the last `@`.
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
    fn every_help_has_examples_and_they_are_command_lines() {
        use clap::CommandFactory as _;
        let program = Args::command();
        for command in std::iter::once(&program).chain(program.get_subcommands()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples =
                help.split_once("Examples:\n").unwrap_or_else(|| panic!("{}: no examples", command.get_name())).1;
            let examples = examples.split("\n\n").next().unwrap();
            let lines: Vec<_> = examples.lines().filter_map(|line| line.strip_prefix("  redfence ")).collect();
            assert!(!lines.is_empty(), "{}", command.get_name());
            for line in lines {
                assert!("  redfence ".len() + line.len() <= 80, "a terminal of 80 columns wraps: redfence {line}");
                let line = line.replace("\"$holder\"", &"0".repeat(32)).replace("\"$REDFENCE_TOKEN\"", "42");
                let line = line.split(" >").next().unwrap();
                let words = std::iter::once("redfence").chain(line.split_whitespace());
                assert!(Args::try_parse_from(words).is_ok(), "{line}");
            }
        }
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
