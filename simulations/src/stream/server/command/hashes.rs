//! Keys that hold fields: HSET, HGET, HMGET, HGETALL.

use bytes::Bytes;

use super::{Command, wrong_number};
use crate::stream::server::core::{Call, WRONG_TYPE};
use crate::stream::server::resp::Reply;
use crate::stream::server::store::Value;

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::new("hset", -4, hset),
        Command::new("hget", 3, hget),
        Command::new("hmget", -3, hmget),
        Command::new("hgetall", 2, hgetall),
    ]
}

fn hset(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let key = call.word(1)?;
    let pairs = call.words.get(2..).unwrap_or_default();
    if pairs.len() % 2 == 1 {
        return Err(wrong_number("hset"));
    }
    let (keys, now) = call.keys()?;
    if keys.get(key, now).is_none() {
        keys.set(key, Value::Hash(Vec::new()), None);
    }
    let fields = match keys.get(key, now).map(|entry| &mut entry.value) {
        Some(Value::Hash(fields)) => fields,
        _ => return Err(Reply::error(WRONG_TYPE)),
    };
    let mut new = 0;
    for pair in pairs.chunks_exact(2) {
        let [field, value] = pair else { continue };
        match fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, before)) => *before = value.clone(),
            None => {
                fields.push((field.clone(), value.clone()));
                new += 1;
            }
        }
    }
    Ok(Reply::Int(new))
}

fn hget(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let field = call.word(2)?;
    Ok(Reply::or_null(value_of(fields(call)?, field)))
}

fn hmget(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let names = call.words.get(2..).unwrap_or_default();
    let fields = fields(call)?;
    Ok(Reply::Array(names.iter().map(|name| Reply::or_null(value_of(fields, name))).collect()))
}

fn hgetall(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let pair = |(name, value): &(Bytes, Bytes)| (Reply::Bulk(name.clone()), Reply::Bulk(value.clone()));
    Ok(Reply::Map(fields(call)?.iter().map(pair).collect()))
}

/// The fields of the hash that the first argument names; none where there is no such key.
fn fields<'a>(call: &'a mut Call<'_>) -> Result<&'a [(Bytes, Bytes)], Reply> {
    let key = call.word(1)?;
    let (keys, now) = call.keys()?;
    match keys.get(key, now).map(|entry| &entry.value) {
        None => Ok(&[]),
        Some(Value::Hash(fields)) => Ok(fields),
        Some(_) => Err(Reply::error(WRONG_TYPE)),
    }
}

fn value_of(fields: &[(Bytes, Bytes)], name: &Bytes) -> Option<Bytes> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
}
