//! What a server's errors mean.

use redis::{RedisError, ServerError};

use crate::protocol::{Fault, FaultKind};

/// An error that the server sent in place of an answer.
pub(super) fn of_server(error: &ServerError) -> Fault {
    let detail = error.details().unwrap_or_default();
    let whole = format!("{} {detail}", error.code());
    Fault::new(of_code(error.code(), detail), one_line(said_in_a_script(&whole)))
}

/// Servers before 7.0 wrap the error of a command in the place of the script where it was called.
fn said_in_a_script(whole: &str) -> &str {
    let inner = whole.rsplit_once("@user_script:").and_then(|(_, inner)| inner.split_once(": "));
    inner.map_or(whole, |(_line, error)| error.trim_start_matches('-'))
}

/// An error of the connection itself, or of its set-up.
pub(super) fn of_connection(error: &RedisError) -> Fault {
    let kind = match error.code() {
        Some(code) => of_code(code, error.detail().unwrap_or_default()),
        None if error.kind() == redis::ErrorKind::AuthenticationFailed => FaultKind::Authentication,
        None if error.kind() == redis::ErrorKind::Parse => {
            let what = one_line(&error.to_string());
            return Fault::new(FaultKind::Unexpected, format!("what answers there is no Redis: {what}"));
        }
        None => FaultKind::ConnectionLost,
    };
    Fault::new(kind, one_line(&error.to_string()))
}

/// A detail as it may stand in a table: what answers on a port may be anything.
fn one_line(text: &str) -> String {
    const LEN_MAX: usize = 160;
    let folded = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let folded = folded.collect::<Vec<_>>().join(" ");
    match folded.char_indices().nth(LEN_MAX) {
        Some((at, _)) => format!("{}…", folded.get(..at).unwrap_or_default()),
        None => folded,
    }
}

fn of_code(code: &str, detail: &str) -> FaultKind {
    match code {
        "WRONGTYPE" => FaultKind::WrongType,
        "OOM" => FaultKind::OutOfMemory,
        "NOPERM" => FaultKind::NoPermission,
        "LOADING" | "BUSY" => FaultKind::Loading,
        "READONLY" => FaultKind::ReadOnly,
        "MISCONF" | "NOREPLICAS" | "MASTERDOWN" => FaultKind::WritesRefused,
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => FaultKind::Moved,
        "NOAUTH" | "WRONGPASS" => FaultKind::Authentication,
        "FORGOT" => FaultKind::Forgot,
        "ERR" if detail.contains("not an integer") => FaultKind::WrongType,
        // Servers before 7.0 hide the code of an error inside a script's message.
        _ => ["WRONGTYPE", "OOM", "READONLY", "NOPERM", "MISCONF"]
            .into_iter()
            .find(|hidden| detail.contains(hidden) && *hidden != code)
            .map_or(FaultKind::Script, |hidden| of_code(hidden, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_old_servers_wrap_is_unwrapped() {
        for (whole, error) in [
            ("@user_script: 44: -OOM command not allowed", "OOM command not allowed"),
            (
                "ERR Error running script (call to f_1): @user_script:29: @user_script: 29: -READONLY You can't",
                "READONLY You can't",
            ),
            ("ERR Error running script (call to f_1): @user_script:1: WRONGTYPE Operation", "WRONGTYPE Operation"),
            ("OOM command not allowed", "OOM command not allowed"),
        ] {
            assert_eq!(said_in_a_script(whole), error);
        }
    }

    #[test]
    fn codes_are_told_apart() {
        for (code, detail, kind) in [
            ("WRONGTYPE", "Operation against a key", FaultKind::WrongType),
            ("OOM", "command not allowed", FaultKind::OutOfMemory),
            ("READONLY", "You can't write against a read only replica.", FaultKind::ReadOnly),
            ("NOPERM", "this user has no permissions", FaultKind::NoPermission),
            ("LOADING", "Redis is loading the dataset in memory", FaultKind::Loading),
            ("MISCONF", "Redis is configured to save RDB snapshots", FaultKind::WritesRefused),
            ("ERR", "Error running script: -OOM command not allowed", FaultKind::OutOfMemory),
            ("ERR", "value is not an integer or out of range", FaultKind::WrongType),
        ] {
            assert_eq!(of_code(code, detail), kind, "{code} {detail}");
        }
    }
}
