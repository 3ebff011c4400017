//! Turns a server's values into replies.

use std::time::Duration;

use redis::{PushKind, Value};

use super::fault;
use super::keys::Prefix;
use crate::protocol::{Fault, FaultKind, LockState, LockView, NodeReport, Record, Reply, RunId, ScannedLock, Verb};
use crate::waiter::QueueEntry;
use crate::{Moment, WallTime};

/// Whether the server does not know the script. After this error alone a call may be repeated, because nothing ran.
pub(super) fn is_unknown_script(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "NOSCRIPT")
}

/// Whether the server knows each of some scripts; empty if the user may not ask.
pub(super) fn are_loaded(answer: &Value) -> Vec<Option<bool>> {
    let Value::Array(parts) = answer else { return Vec::new() };
    let is_loaded = |part: &Value| match *part {
        Value::Int(there) => Some(there == 1),
        Value::Boolean(there) => Some(there),
        _ => None,
    };
    parts.iter().map(is_loaded).collect()
}

/// Turns a message of a RESP2 connection with subscriptions into its RESP3 form.
pub(super) fn as_push(value: Value) -> Value {
    let kind = match &value {
        Value::Array(parts) => match parts.first() {
            Some(Value::BulkString(word)) => match &word[..] {
                b"message" => PushKind::Message,
                b"subscribe" => PushKind::Subscribe,
                b"unsubscribe" => PushKind::Unsubscribe,
                _ => return value,
            },
            _ => return value,
        },
        _ => return value,
    };
    let Value::Array(mut data) = value else { return Value::Nil };
    data.remove(0);
    Value::Push { kind, data }
}

/// Turns a server's value into the reply to `verb`.
pub(super) fn reply(prefix: &Prefix, verb: &Verb, value: Value) -> Reply {
    match (verb, value) {
        (_, Value::ServerError(error)) => Reply::Failed(fault::of_server(&error)),
        (Verb::Grant { .. }, Value::Int(drawn)) => match u64::try_from(drawn) {
            Ok(counter) => Reply::Granted { counter },
            Err(_) => unexpected(&Value::Int(drawn)),
        },
        (Verb::Seal { .. }, Value::Int(1)) => Reply::Sealed,
        (Verb::Extend { .. }, Value::Int(1)) => Reply::Extended,
        (Verb::Release { .. } | Verb::Force, Value::Int(1)) => Reply::Released,
        (Verb::Leave, Value::Int(1)) => Reply::Left,
        (Verb::Scan { .. }, Value::Array(parts)) => {
            scanned(prefix, &parts).unwrap_or_else(|| unexpected(&Value::Array(parts)))
        }
        (Verb::Inspect, Value::Array(parts)) => view(&parts).map_or_else(|| unexpected(&Value::Nil), Reply::Inspected),
        (Verb::Probe { .. } | Verb::Initialize(_) | Verb::Activate { .. }, Value::Array(parts)) => {
            report(&parts).map_or_else(|| unexpected(&Value::Array(parts)), |report| Reply::Reported(Box::new(report)))
        }
        (_, Value::Array(parts)) => view(&parts).map_or_else(|| unexpected(&Value::Nil), Reply::Refused),
        (_, value) => unexpected(&value),
    }
}

/// Reads `{holder, ms left, counter, place}`, which for an inspection continues with `how many wait, the first of
/// them`.
fn view(parts: &[Value]) -> Option<LockView> {
    let [value, ttl_left, counter, Value::Int(place), queue @ ..] = parts else { return None };
    let lock = match value {
        Value::Nil => LockState::Free,
        Value::BulkString(value) => LockState::of_value(beginning(value)),
        _ => return None,
    };
    let ttl_left = match ttl_left {
        Value::Int(ms) => u64::try_from(*ms).ok().map(Duration::from_millis),
        _ => return None,
    };
    let counter = match counter {
        Value::Nil => 0,
        // A counter that another program made unreadable counts as missing here. A grant reports what is wrong with
        // it.
        Value::BulkString(digits) => str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0),
        _ => return None,
    };
    let place = u32::try_from(*place).ok();
    let (waiting, first) = match queue {
        [Value::Int(waiting), first] => (u32::try_from(*waiting).unwrap_or_default(), entry(first)),
        _ => (0, None),
    };
    Some(LockView { lock, ttl_left, counter, place, waiting, first: first.map(Box::new) })
}

/// An entry of a queue; `None` for what is no entry of ours.
fn entry(value: &Value) -> Option<QueueEntry> {
    let Value::BulkString(entry) = value else { return None };
    QueueEntry::parse(str::from_utf8(beginning(entry)).ok()?)
}

/// Reads the value of `scan.lua`. It skips keys that are not locks of this prefix.
fn scanned(prefix: &Prefix, parts: &[Value]) -> Option<Reply> {
    let (Value::BulkString(cursor), found) = parts.split_first()? else { return None };
    let lock = |parts: &[Value]| {
        let [Value::BulkString(key), Value::BulkString(value), Value::Int(left)] = parts else { return None };
        let resource = prefix.resource_of(str::from_utf8(key).ok()?)?;
        let ttl_left = u64::try_from(*left).ok().map(Duration::from_millis);
        Some(ScannedLock { resource, lock: LockState::of_value(beginning(value)), ttl_left })
    };
    let locks = found.chunks(3).filter_map(lock).collect();
    Some(Reply::Scanned { cursor: str::from_utf8(cursor).ok()?.parse().ok()?, locks })
}

/// The first bytes of a value, as many as the scripts return. No holder and no entry is longer.
fn beginning(bytes: &[u8]) -> &[u8] {
    const LEN_MAX: usize = 256;
    bytes.get(..LEN_MAX).unwrap_or(bytes)
}

/// Reads the value of `join.lua`.
fn report(parts: &[Value]) -> Option<NodeReport> {
    let [Value::Int(now), run_id, Value::Int(up), Value::Int(keeps), record @ ..] = parts else { return None };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    let number = |value: &Value| text(value)?.parse::<u64>().ok();
    let mark = record.last().and_then(number);
    let record = match record {
        [run_id, ready_at, max_ttl, awake, new, ..] if *ready_at != Value::Nil => Some(Record {
            run_id: text(run_id).and_then(|digits| RunId::parse(&digits)),
            ready_at: WallTime::from_unix_ms(number(ready_at)?),
            max_ttl: Duration::from_millis(number(max_ttl)?),
            awake: number(awake)? == 1,
            new: number(new)? == 1,
        }),
        _ => None,
    };
    Some(NodeReport {
        now: WallTime::from_unix_us(u64::try_from(*now).ok()?),
        run_id: text(run_id).and_then(|digits| RunId::parse(&digits)),
        uptime: u64::try_from(*up).ok().map(Duration::from_secs),
        was_joined: None,
        keeps: (*keeps >= 0).then_some(*keeps == 1),
        record,
        mark,
        session: 0,
        arrived: Moment::default(),
    })
}

fn unexpected(value: &Value) -> Reply {
    Reply::Failed(Fault::new(FaultKind::Unexpected, fault::shown(value)))
}
