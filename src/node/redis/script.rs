//! From a request to a script call, and from a server's value to a reply.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Script, Value};

use super::fault;
use super::keys::Prefix;
use crate::protocol::{Fault, FaultKind, Reply, Request, Verb, View};

static GRANT: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("grant.lua")));
static SEAL: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("seal.lua")));
static EXTEND: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("extend.lua")));
static RELEASE: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("release.lua")));
static INSPECT: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("inspect.lua")));

/// One script and its hash.
struct Source {
    code: &'static str,
    sha: String,
}

impl Source {
    fn new(code: &'static str) -> Self {
        Self { code, sha: Script::new(code).get_hash().to_owned() }
    }
}

/// How a script is named in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// EVALSHA: short, and unknown to a server that never saw the script or was told to forget it.
    Hash,
    /// EVAL: the whole text.
    Source,
}

/// The command for one request.
pub(super) fn command(prefix: &Prefix, request: &Request, by: By) -> Cmd {
    let subject = &*request.subject;
    let source = match request.verb {
        Verb::Grant { .. } => &*GRANT,
        Verb::Seal { .. } => &*SEAL,
        Verb::Extend { .. } => &*EXTEND,
        Verb::Release => &*RELEASE,
        Verb::Inspect => &*INSPECT,
    };
    let mut cmd = Cmd::new();
    match by {
        By::Hash => cmd.arg("EVALSHA").arg(&source.sha),
        By::Source => cmd.arg("EVAL").arg(source.code),
    };
    cmd.arg(2).arg(prefix.lock(&subject.resource)).arg(prefix.counter(&subject.resource));
    if request.verb != Verb::Inspect {
        cmd.arg(subject.holder.to_string());
    }
    match request.verb {
        Verb::Grant { ttl, floor, wall } => cmd.arg(whole_ms(ttl)).arg(floor).arg(wall.unix_us()),
        Verb::Seal { token } => cmd.arg(token),
        Verb::Extend { ttl } => cmd.arg(whole_ms(ttl)),
        Verb::Release | Verb::Inspect => &mut cmd,
    };
    cmd
}

/// Whether the server does not know the script: the one error after which a call may be repeated, for nothing ran.
pub(super) fn is_unknown_script(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "NOSCRIPT")
}

/// What a server's value means as the answer to `verb`.
pub(super) fn reply(verb: Verb, value: Value) -> Reply {
    match (verb, value) {
        (_, Value::ServerError(error)) => Reply::Failed(fault::of_server(&error)),
        (Verb::Grant { .. }, Value::Int(drawn)) => match u64::try_from(drawn) {
            Ok(counter) => Reply::Granted { counter },
            Err(_) => unexpected(&Value::Int(drawn)),
        },
        (Verb::Seal { .. }, Value::Int(1)) => Reply::Sealed,
        (Verb::Extend { .. }, Value::Int(1)) => Reply::Extended,
        (Verb::Release, Value::Int(1)) => Reply::Released,
        (Verb::Inspect, Value::Array(parts)) => view(&parts).map_or_else(|| unexpected(&Value::Nil), Reply::Seen),
        (_, Value::Array(parts)) => view(&parts).map_or_else(|| unexpected(&Value::Nil), Reply::Refused),
        (_, value) => unexpected(&value),
    }
}

/// Reads `{holder, ms left, counter}`.
fn view(parts: &[Value]) -> Option<View> {
    let [occupant, ttl_left, counter] = parts else { return None };
    let occupant = match occupant {
        Value::Nil => None,
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into()),
        _ => return None,
    };
    let ttl_left = match ttl_left {
        Value::Int(ms) => u64::try_from(*ms).ok().map(Duration::from_millis),
        _ => return None,
    };
    let counter = match counter {
        Value::Nil => 0,
        // A counter that somebody made unreadable is as good as none here; a grant will say what is wrong with it.
        Value::BulkString(digits) => str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0),
        _ => return None,
    };
    Some(View { occupant, ttl_left, counter })
}

fn unexpected(value: &Value) -> Reply {
    Reply::Failed(Fault::new(FaultKind::Unexpected, format!("{value:?}")))
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
