//! Which keys there are: SCAN with MATCH and COUNT, KEYS, TYPE.

use super::{Command, syntax_error};
use crate::stream::server::core::Call;
use crate::stream::server::resp::Reply;
use crate::stream::server::store::Value;

pub(super) fn commands() -> Vec<Command> {
    vec![Command::new("scan", -2, scan), Command::new("keys", 2, keys), Command::new("type", 2, type_of)]
}

/// How many keys one step looks at, unless COUNT is given.
const COUNT: i64 = 10;

fn scan(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let cursor = cursor(call.word(1)?).ok_or_else(|| Reply::error("ERR invalid cursor"))?;
    let (mut pattern, mut count) = (None, COUNT);
    for at in (2..call.words.len()).step_by(2) {
        match (call.option(at).as_deref(), at + 1 < call.words.len()) {
            (Some("MATCH"), true) => pattern = Some(call.word(at + 1)?.clone()),
            (Some("COUNT"), true) => {
                count = Some(call.number(at + 1)?).filter(|count| *count > 0).ok_or_else(syntax_error)?;
            }
            _ => return Err(syntax_error()),
        }
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let (keys, now) = call.keys()?;
    let (next, mut found) = keys.scan(cursor, count, now);
    found.retain(|key| pattern.as_ref().is_none_or(|pattern| matches(pattern, key)));
    let found = found.into_iter().map(Reply::Bulk).collect();
    Ok(Reply::Array(vec![Reply::Bulk(next.to_string().into()), Reply::Array(found)]))
}

fn keys(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let pattern = call.word(1)?;
    let (keys, now) = call.keys()?;
    let (_, mut found) = keys.scan(0, usize::MAX, now);
    found.retain(|key| matches(pattern, key));
    Ok(Reply::Array(found.into_iter().map(Reply::Bulk).collect()))
}

fn type_of(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let key = call.word(1)?;
    let (keys, now) = call.keys()?;
    let name = match keys.get(key, now).map(|entry| &entry.value) {
        None => "none",
        Some(Value::Text(_)) => "string",
        Some(Value::Hash(_)) => "hash",
        Some(Value::SortedSet(_)) => "zset",
    };
    Ok(Reply::Status(name.into()))
}

/// As C reads an unsigned number: an empty text is 0, and a negative number wraps around.
fn cursor(text: &[u8]) -> Option<u64> {
    match str::from_utf8(text).ok()? {
        "" => Some(0),
        text => match text.strip_prefix('-') {
            Some(text) => text.parse().map(u64::wrapping_neg).ok(),
            None => text.parse().ok(),
        },
    }
}

/// Whether `text` is what the glob-style `pattern` describes.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            matches(rest, text) || text.split_first().is_some_and(|(_, text)| matches(pattern, text))
        }
        ([b'?', rest @ ..], [_, text @ ..]) => matches(rest, text),
        ([b'[', rest @ ..], [byte, text @ ..]) => {
            let (is_in, rest) = class(rest, *byte);
            is_in && matches(rest, text)
        }
        ([b'\\', literal, rest @ ..] | [literal, rest @ ..], [byte, text @ ..]) => {
            literal == byte && matches(rest, text)
        }
        _ => false,
    }
}

/// Whether `byte` is in the class that `pattern` begins with, and what follows the class.
fn class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut is_in = false;
    loop {
        rest = match rest {
            [] => return (is_in != negated, rest),
            [b']', rest @ ..] => return (is_in != negated, rest),
            [b'\\', literal, rest @ ..] => {
                is_in |= *literal == byte;
                rest
            }
            [low, b'-', high, rest @ ..] => {
                is_in |= (*low.min(high)..=*low.max(high)).contains(&byte);
                rest
            }
            [literal, rest @ ..] => {
                is_in |= *literal == byte;
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_servers_match_them() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("?", "", false),
            ("?b", "ab", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("{redfence:*}:lock:*", "{redfence:12}:lock:a b", true),
            ("{redfence:*}:lock:*", "{redfence:12}:token", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
