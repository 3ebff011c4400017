//! Values on their way between Lua and the server.

use bytes::Bytes;
use mlua::{Lua, Table, Value};

use super::double;
use super::resp::Reply;

/// A word of a command, from what a script passed.
pub(super) fn argument(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(Bytes::copy_from_slice(&text.as_bytes())),
        #[expect(clippy::cast_precision_loss, reason = "it was a double in Lua")]
        Value::Integer(number) => Some(double::print(*number as f64).into()),
        Value::Number(number) => Some(double::print(*number).into()),
        _ => None,
    }
}

/// What a script gets as the answer to `redis.call`.
pub(super) fn from_reply(lua: &Lua, reply: Reply) -> mlua::Result<Value> {
    let with_field = |name: &str, text: &Bytes| {
        let table = lua.create_table()?;
        table.raw_set(name, lua.create_string(text)?)?;
        Ok(Value::Table(table))
    };
    match reply {
        Reply::Status(text) => with_field("ok", &text),
        Reply::Error(text) => with_field("err", &text),
        Reply::Int(number) => Ok(Value::Integer(number)),
        Reply::Bulk(text) | Reply::Verbatim(text) => Ok(Value::String(lua.create_string(&text)?)),
        Reply::Double(number) => Ok(Value::String(lua.create_string(double::print(number))?)),
        Reply::Null => Ok(Value::Boolean(false)),
        Reply::Array(parts) | Reply::Push(parts) | Reply::Several(parts) => sequence(lua, parts),
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            sequence(lua, pairs.into_iter().flat_map(|(key, value)| [key, value]).collect())
        }
    }
}

fn sequence(lua: &Lua, parts: Vec<Reply>) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(parts.len(), 0)?;
    for part in parts {
        table.raw_push(from_reply(lua, part)?)?;
    }
    Ok(Value::Table(table))
}

/// What the client gets for what a script returned.
pub(super) fn to_reply(value: &Value) -> Reply {
    match value {
        Value::String(text) => Reply::Bulk(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Integer(number) => Reply::Int(*number),
        #[expect(clippy::cast_possible_truncation, reason = "servers cut the fraction off as well")]
        Value::Number(number) => Reply::Int(*number as i64),
        Value::Boolean(true) => Reply::Int(1),
        Value::Table(table) => table_to_reply(table),
        _ => Reply::Null,
    }
}

fn table_to_reply(table: &Table) -> Reply {
    if let Some(text) = field(table, "err") {
        return Reply::Error(text);
    }
    if let Some(text) = field(table, "ok") {
        let fold = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
        return Reply::Status(text.iter().map(fold).collect());
    }
    let mut parts = Vec::new();
    loop {
        match table.raw_get(parts.len() + 1) {
            Ok(Value::Nil) | Err(_) => return Reply::Array(parts),
            Ok(value) => parts.push(to_reply(&value)),
        }
    }
}

/// A field that holds a text.
pub(super) fn field(table: &Table, name: &str) -> Option<Bytes> {
    match table.raw_get(name) {
        Ok(Value::String(text)) => Some(Bytes::copy_from_slice(&text.as_bytes())),
        _ => None,
    }
}
