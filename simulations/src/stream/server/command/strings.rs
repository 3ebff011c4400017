//! Keys that hold text or numbers: SET, GET, GETRANGE, MSET, MGET, INCR, INCRBY, DEL, EXISTS.

use bytes::Bytes;

use super::{Command, wrong_number};
use crate::stream::server::core::{Call, NOT_AN_INTEGER, WRONG_TYPE};
use crate::stream::server::resp::{Reply, integer};
use crate::stream::server::store::{Entry, Value};

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::new("set", -3, set),
        Command::new("get", 2, get),
        Command::new("getrange", 4, get_range),
        Command::new("mset", -3, mset),
        Command::new("mget", -2, mget),
        Command::new("incr", 2, |call| add(call, 1)),
        Command::new("incrby", 3, |call| add(call, call.number(2)?)),
        Command::new("del", -2, del),
        Command::new("exists", -2, exists),
    ]
}

/// The options of SET.
#[derive(Default)]
struct SetOptions {
    only_if_absent: bool,
    only_if_present: bool,
    answers_old: bool,
    keeps_ttl: bool,
    expires_at: Option<i64>,
}

fn set(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let options = set_options(call)?;
    let (key, value) = (call.word(1)?, call.word(2)?);
    let (keys, now) = call.keys()?;
    let before = keys.get(key, now);
    let old = if options.answers_old { before.as_deref().map(text).transpose()? } else { None };
    let kept = before.as_ref().and_then(|entry| entry.expires_at).filter(|_| options.keeps_ttl);
    let hindered = if before.is_some() { options.only_if_absent } else { options.only_if_present };
    if !hindered {
        keys.set(key, Value::Text(value.clone()), options.expires_at.or(kept));
    }
    match (options.answers_old, hindered) {
        (true, _) => Ok(Reply::or_null(old)),
        (false, true) => Ok(Reply::Null),
        (false, false) => Ok(Reply::OK),
    }
}

fn set_options(call: &Call<'_>) -> Result<SetOptions, Reply> {
    let syntax = || Reply::error("ERR syntax error");
    let mut options = SetOptions::default();
    let mut expiry = None;
    let mut at = 3;
    while let Some(option) = call.option(at) {
        match option.as_str() {
            "NX" if !options.only_if_present => options.only_if_absent = true,
            "XX" if !options.only_if_absent => options.only_if_present = true,
            "GET" => options.answers_old = true,
            "KEEPTTL" if expiry.is_none() => options.keeps_ttl = true,
            "EX" | "PX" | "EXAT" | "PXAT" if !options.keeps_ttl && at + 1 < call.words.len() => {
                // The same unit may be named twice, and the last one counts.
                if expiry.as_ref().is_some_and(|(unit, _)| *unit != option) {
                    return Err(syntax());
                }
                at += 1;
                expiry = Some((option, at));
            }
            _ => return Err(syntax()),
        }
        at += 1;
    }
    if let Some((unit, at)) = expiry {
        let invalid = || Reply::error("ERR invalid expire time in 'set' command");
        let given = Some(call.number(at)?).filter(|given| *given > 0).ok_or_else(invalid)?;
        let ms = if unit.starts_with("EX") { given.checked_mul(1_000) } else { Some(given) };
        let from = if unit.ends_with("AT") { 0 } else { call.core.now_ms() };
        options.expires_at = Some(ms.and_then(|ms| ms.checked_add(from)).ok_or_else(invalid)?);
    }
    Ok(options)
}

fn get(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let key = call.word(1)?;
    let (keys, now) = call.keys()?;
    keys.get(key, now).map_or(Ok(Reply::Null), |entry| text(entry).map(Reply::Bulk))
}

/// Where there is no key the answer is an empty text.
fn get_range(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let (key, begin, end) = (call.word(1)?, call.number(2)?, call.number(3)?);
    let (keys, now) = call.keys()?;
    let Some(text) = keys.get(key, now).as_deref().map(text).transpose()? else { return Ok(Reply::Bulk(Bytes::new())) };
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    // A negative place counts from the end.
    let place = |at: i64| if at < 0 { at.saturating_add(length).max(0) } else { at };
    let (begin, end) = (place(begin), place(end).min(length - 1));
    let part = usize::try_from(begin).ok().zip(usize::try_from(end).ok()).filter(|(begin, end)| begin <= end);
    Ok(Reply::Bulk(part.map_or_else(Bytes::new, |(begin, end)| text.slice(begin..=end))))
}

fn mset(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let pairs = call.words.get(1..).unwrap_or_default();
    if !pairs.len().is_multiple_of(2) {
        return Err(wrong_number("mset"));
    }
    let (keys, _) = call.keys()?;
    for pair in pairs.chunks_exact(2) {
        if let [key, value] = pair {
            keys.set(key, Value::Text(value.clone()), None);
        }
    }
    Ok(Reply::OK)
}

/// A key that holds no text counts as missing here.
fn mget(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let names = call.words.get(1..).unwrap_or_default();
    let (keys, now) = call.keys()?;
    let found = names.iter().map(|name| Reply::or_null(keys.get(name, now).and_then(|entry| text(entry).ok())));
    Ok(Reply::Array(found.collect()))
}

fn add(call: &mut Call<'_>, by: i64) -> Result<Reply, Reply> {
    let key = call.word(1)?;
    let (keys, now) = call.keys()?;
    let (before, expires_at) = match keys.get(key, now) {
        Some(entry) => (text(entry)?, entry.expires_at),
        None => (Bytes::from_static(b"0"), None),
    };
    let before = integer(&before).ok_or_else(|| Reply::error(NOT_AN_INTEGER))?;
    let overflow = || Reply::error("ERR increment or decrement would overflow");
    let after = before.checked_add(by).ok_or_else(overflow)?;
    keys.set(key, Value::Text(after.to_string().into()), expires_at);
    Ok(Reply::Int(after))
}

fn del(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let names = call.words.get(1..).unwrap_or_default();
    let (keys, now) = call.keys()?;
    Ok(Reply::counted(names.iter().filter(|name| keys.remove(name, now)).count()))
}

fn exists(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let names = call.words.get(1..).unwrap_or_default();
    let (keys, now) = call.keys()?;
    Ok(Reply::counted(names.iter().filter(|name| keys.get(name, now).is_some()).count()))
}

fn text(entry: &Entry) -> Result<Bytes, Reply> {
    match &entry.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(Reply::error(WRONG_TYPE)),
    }
}
