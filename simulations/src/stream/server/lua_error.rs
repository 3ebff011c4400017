//! Errors of scripts: where they were raised, and what the client gets.

use std::fmt;

use bytes::Bytes;
use mlua::{Error, Lua, MultiValue, Table, Value};

use super::lua_value::field;
use super::resp::Reply;

/// An error of the server's own functions, with its code in front.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

pub(super) fn raised(text: impl Into<String>) -> Error {
    Error::external(Raised(text.into()))
}

/// An error that begins with the place in the script that called the function that raises it.
pub(super) fn located(lua: &Lua, text: &str) -> Error {
    let place = place(lua, 1).map(|(source, line)| format!("{}:{line}: ", source.trim_start_matches('@')));
    raised(format!("ERR {}{text}", place.unwrap_or_default()))
}

/// Source and line of the function that many levels up, where it is written in Lua.
fn place(lua: &Lua, level: usize) -> Option<(String, usize)> {
    lua.inspect_stack(level, |debug| {
        let source = debug.source().source.map(|source| source.into_owned());
        source.zip(debug.current_line())
    })?
}

/// What was thrown becomes `{err, source, line}`, while the stack still shows where it happened.
pub(super) fn handle(lua: &Lua, thrown: Value) -> mlua::Result<Table> {
    // The innermost function that is written in Lua. At most two functions are above it: the one that raised the error,
    // and the binding's.
    let place = (1..=3).find_map(|level| place(lua, level));
    let table = match &thrown {
        Value::Table(table) => table.clone(),
        other => {
            let table = lua.create_table()?;
            let text = own_text(other).unwrap_or_else(|| format!("ERR {}", other.to_string().unwrap_or_default()));
            table.raw_set("err", text)?;
            table
        }
    };
    if let Some((source, line)) = place {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(table)
}

/// The text of an error that our own functions raised.
fn own_text(thrown: &Value) -> Option<String> {
    let Value::Error(error) = thrown else { return None };
    Some(root(error))
}

fn root(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } => root(cause),
        other => other.downcast_ref::<Raised>().map_or_else(|| format!("ERR {other}"), |Raised(text)| text.clone()),
    }
}

/// What `pcall` returns to a script: its outcome, with an error of our functions as text.
pub(super) fn as_text(lua: &Lua, outcome: MultiValue) -> mlua::Result<MultiValue> {
    if !matches!(outcome.front(), Some(Value::Boolean(false))) {
        return Ok(outcome);
    }
    let text = |value: Value| match (&value, own_text(&value)) {
        (_, Some(text)) => lua.create_string(text).map(Value::String),
        (Value::Table(table), None) => match table.raw_get("err") {
            Ok(text @ Value::String(_)) => Ok(text),
            _ => Ok(value),
        },
        _ => Ok(value),
    };
    outcome.into_iter().map(text).collect()
}

/// What the client gets if the script did not catch `thrown`.
pub(super) fn uncaught(thrown: &Value, sha: &str) -> Reply {
    let Value::Table(table) = thrown else { return Reply::error(format!("ERR Error running script {sha}")) };
    let text = |name: &str| field(table, name).map(|text| String::from_utf8_lossy(&text).into_owned());
    let message = text("err").unwrap_or_else(|| "ERR unknown error".to_owned());
    match (text("source"), table.raw_get::<Option<usize>>("line")) {
        (Some(source), Ok(Some(line))) => Reply::error(format!("{message} script: {sha}, on {source}:{line}.")),
        _ => Reply::error(message),
    }
}

/// `redis.error_reply`: the code is ERR unless the text brings its own.
pub(super) fn error_reply(lua: &Lua, words: MultiValue) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let text = match only_text(&words) {
        None => b"ERR wrong number or type of arguments".to_vec(),
        Some(text) => {
            let text = text.strip_prefix(b"-").unwrap_or(&text);
            let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
            let text = text.get(..end).unwrap_or_default();
            if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
        }
    };
    table.raw_set("err", lua.create_string(&text)?)?;
    Ok(table)
}

/// `redis.status_reply`.
pub(super) fn status_reply(lua: &Lua, words: MultiValue) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    match only_text(&words) {
        Some(text) => table.raw_set("ok", lua.create_string(&text)?)?,
        None => table.raw_set("err", "ERR wrong number or type of arguments")?,
    }
    Ok(table)
}

fn only_text(words: &MultiValue) -> Option<Bytes> {
    match (words.front(), words.len()) {
        (Some(Value::String(text)), 1) => Some(Bytes::copy_from_slice(&text.as_bytes())),
        _ => None,
    }
}
