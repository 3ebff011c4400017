//! From a request to a script call, and from a server's value to a reply.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Script, Value};

use super::fault;
use super::keys::Prefix;
use crate::protocol::{Fault, FaultKind, Record, Reply, Request, RunId, Sight, Sighting, Verb, View};
use crate::{Moment, WallTime};

static GRANT: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("grant.lua")));
static SEAL: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("seal.lua")));
static EXTEND: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("extend.lua")));
static RELEASE: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("release.lua")));
static INSPECT: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("inspect.lua")));
static FORCE: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("force.lua")));
static SCAN: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("scan.lua")));
static JOIN: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("join.lua")));

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

/// Never run, only loaded: it tells that grants were asked for in this run of a server. Scripts outlive a flush of all keys,
/// and no restart.
static TRACE: LazyLock<Source> =
    LazyLock::new(|| Source::new("return 'redfence: grants were asked for in this run of the server'"));

/// Leaves the trace of grants. What it answers does not matter.
pub(super) fn leave_trace() -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg("SCRIPT").arg("LOAD").arg(TRACE.code);
    cmd
}

/// Asks for the trace of grants.
pub(super) fn ask_for_trace() -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg("SCRIPT").arg("EXISTS").arg(&TRACE.sha);
    cmd
}

/// Whether there is a trace of grants; `None` where the user may not ask.
pub(super) fn trace(answer: &Value) -> Option<bool> {
    match answer {
        Value::Array(parts) => match parts[..] {
            [Value::Int(there)] => Some(there == 1),
            [Value::Boolean(there)] => Some(there),
            _ => None,
        },
        _ => None,
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
        Verb::Force => &*FORCE,
        Verb::Scan { .. } => &*SCAN,
        Verb::Look { .. } | Verb::Settle { .. } | Verb::Wake { .. } => &*JOIN,
    };
    let mut cmd = Cmd::new();
    match by {
        By::Hash => cmd.arg("EVALSHA").arg(&source.sha),
        By::Source => cmd.arg("EVAL").arg(source.code),
    };
    if let Verb::Scan { cursor, count, remove } = request.verb {
        cmd.arg(1).arg(prefix.record()).arg(cursor).arg(count).arg(prefix.as_str()).arg(u8::from(remove));
        return cmd;
    }
    if join_arguments(&mut cmd, prefix, request.verb) {
        return cmd;
    }
    cmd.arg(2).arg(prefix.lock(&subject.resource)).arg(prefix.counter(&subject.resource));
    if request.verb != Verb::Inspect {
        cmd.arg(subject.holder.to_string());
    }
    match request.verb {
        Verb::Grant { ttl, floor } => cmd.arg(whole_ms(ttl)).arg(floor),
        Verb::Seal { token } => cmd.arg(token),
        Verb::Extend { ttl } => cmd.arg(whole_ms(ttl)),
        _ => &mut cmd,
    };
    cmd
}

/// The arguments of the requests that are about the node itself; whether `verb` is one of them.
fn join_arguments(cmd: &mut Cmd, prefix: &Prefix, verb: Verb) -> bool {
    let (name, max_ttl, wall) = match verb {
        Verb::Look { max_ttl } => ("look", max_ttl, WallTime::default()),
        Verb::Settle { max_ttl, wall, .. } => ("settle", max_ttl, wall),
        Verb::Wake { max_ttl, wall } => ("wake", max_ttl, wall),
        _ => return false,
    };
    cmd.arg(1).arg(prefix.record()).arg(name).arg(prefix.as_str()).arg(whole_ms(max_ttl)).arg(wall.unix_us());
    if let Verb::Settle { seen, rest, new, .. } = verb {
        let seen = seen.map(|Record { run_id, ready_at, awake, .. }| {
            let run_id = run_id.map(|run_id| run_id.to_string()).unwrap_or_default();
            format!("{} {} {run_id}", ready_at.unix_ms(), u8::from(awake))
        });
        cmd.arg(seen.unwrap_or_default()).arg(whole_ms(rest)).arg(u8::from(new));
    }
    true
}

/// Whether the server does not know the script: the one error after which a call may be repeated, for nothing ran.
pub(super) fn is_unknown_script(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "NOSCRIPT")
}

/// What a server's value means as the answer to `verb`.
pub(super) fn reply(prefix: &Prefix, verb: Verb, value: Value) -> Reply {
    match (verb, value) {
        (_, Value::ServerError(error)) => Reply::Failed(fault::of_server(&error)),
        (Verb::Grant { .. }, Value::Int(drawn)) => match u64::try_from(drawn) {
            Ok(counter) => Reply::Granted { counter },
            Err(_) => unexpected(&Value::Int(drawn)),
        },
        (Verb::Seal { .. }, Value::Int(1)) => Reply::Sealed,
        (Verb::Extend { .. }, Value::Int(1)) => Reply::Extended,
        (Verb::Release | Verb::Force, Value::Int(1)) => Reply::Released,
        (Verb::Scan { .. }, Value::Array(parts)) => {
            scanned(prefix, &parts).unwrap_or_else(|| unexpected(&Value::Array(parts)))
        }
        (Verb::Inspect, Value::Array(parts)) => view(&parts).map_or_else(|| unexpected(&Value::Nil), Reply::Seen),
        (Verb::Look { .. } | Verb::Settle { .. } | Verb::Wake { .. }, Value::Array(parts)) => {
            sight(&parts).map_or_else(|| unexpected(&Value::Array(parts)), Reply::Sighted)
        }
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

/// Reads what `scan.lua` answers. What is no lock of ours is left out.
fn scanned(prefix: &Prefix, parts: &[Value]) -> Option<Reply> {
    let (Value::BulkString(cursor), found) = parts.split_first()? else { return None };
    let sighting = |parts: &[Value]| {
        let [Value::BulkString(key), Value::BulkString(occupant), Value::Int(left)] = parts else { return None };
        let resource = prefix.resource_of(str::from_utf8(key).ok()?)?;
        let ttl_left = u64::try_from(*left).ok().map(Duration::from_millis);
        Some(Sighting { resource, occupant: String::from_utf8_lossy(occupant).into(), ttl_left })
    };
    let locks = found.chunks(3).filter_map(sighting).collect();
    Some(Reply::Scanned { cursor: str::from_utf8(cursor).ok()?.parse().ok()?, locks })
}

/// Reads what `join.lua` answers.
fn sight(parts: &[Value]) -> Option<Sight> {
    let [Value::Int(now), run_id, Value::Int(up), Value::Int(keeps), record @ ..] = parts else { return None };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    let number = |value: &Value| text(value)?.parse::<u64>().ok();
    let record = match record {
        [run_id, ready_at, max_ttl, awake, new] if *ready_at != Value::Nil => Some(Record {
            run_id: text(run_id).and_then(|digits| RunId::parse(&digits)),
            ready_at: WallTime::from_unix_ms(number(ready_at)?),
            max_ttl: Duration::from_millis(number(max_ttl)?),
            awake: number(awake)? == 1,
            new: number(new)? == 1,
        }),
        _ => None,
    };
    Some(Sight {
        now: WallTime::from_unix_us(u64::try_from(*now).ok()?),
        run_id: text(run_id).and_then(|digits| RunId::parse(&digits)),
        uptime: u64::try_from(*up).ok().map(Duration::from_secs),
        granted: None,
        keeps: (*keeps >= 0).then_some(*keeps == 1),
        record,
        session: 0,
        arrived: Moment::default(),
    })
}

fn unexpected(value: &Value) -> Reply {
    Reply::Failed(Fault::new(FaultKind::Unexpected, format!("{value:?}")))
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
