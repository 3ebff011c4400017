//! Turns errors of a server or of a connection into faults.

use std::fmt::{self, Write as _};

use redis::{RedisError, ServerError};

use crate::protocol::{Fault, FaultKind};

/// The fault for an error reply of the server.
pub(super) fn of_server(error: &ServerError) -> Fault {
    let detail = error.details().unwrap_or_default();
    let whole = format!("{} {detail}", error.code());
    Fault::new(of_code(error.code(), detail), one_line(said_in_a_script(&whole)))
}

/// The error itself. Servers before 7.0 wrap it in the position inside the script.
fn said_in_a_script(whole: &str) -> &str {
    let inner = whole.rsplit_once("@user_script:").and_then(|(_, inner)| inner.split_once(": "));
    inner.map_or(whole, |(_line, error)| error.trim_start_matches('-'))
}

/// The fault for an error of the connection itself.
pub(super) fn of_connection(error: &RedisError) -> Fault {
    let kind = match error.code() {
        Some(code) => of_code(code, error.detail().unwrap_or_default()),
        None if error.kind() == redis::ErrorKind::AuthenticationFailed => FaultKind::Authentication,
        None if error.kind() == redis::ErrorKind::Parse => {
            let what = one_line(&error.to_string());
            return Fault::new(FaultKind::Unexpected, format!("the server is not a Redis server: {what}"));
        }
        None => FaultKind::ConnectionLost,
    };
    Fault::new(kind, one_line(&error.to_string()))
}

/// The fault of a failed login. `said` are the first bytes of the server; `hello` says whether HELLO was sent.
pub(super) fn of_login(error: Option<&RedisError>, said: &[u8], hello: bool, has_password: bool) -> Option<Fault> {
    if let Some(fault) = of_first_words(said) {
        return Some(fault);
    }
    let fault = of_connection(error?);
    Some(match fault.kind {
        FaultKind::ConnectionLost if fault.detail.contains("alert: CertificateRequired") => Fault::new(
            FaultKind::LoginRefused,
            "the server demands a certificate: name one and its key (--cert and --key, or client_certificate of the builder)",
        ),
        FaultKind::ConnectionLost if said.is_empty() && hello && !fault.detail.contains("alert") => Fault::new(
            FaultKind::Unreachable,
            format!(
                "the server hung up at HELLO without an answer: if it speaks TLS, write rediss://, and if it is a proxy that does not \
                 know HELLO, add ?protocol=resp2 to the URL; {}",
                fault.detail
            ),
        ),
        FaultKind::ConnectionLost => Fault { kind: FaultKind::Unreachable, ..fault },
        FaultKind::Authentication if said.starts_with(b"-NOAUTH") && hello && has_password => Fault::new(
            FaultKind::Authentication,
            format!(
                "{}: a proxy that does not know HELLO answers so, too; for one add ?protocol=resp2 to the URL",
                fault.detail
            ),
        ),
        // The login is tried again without HELLO.
        FaultKind::Script if hello && !fault.detail.contains("switch database") => fault,
        FaultKind::Script => Fault { kind: FaultKind::LoginRefused, ..fault },
        _ => fault,
    })
}

/// The fault that the first bytes of the server show: a refusal of the client, or a protocol that is not Redis.
fn of_first_words(said: &[u8]) -> Option<Fault> {
    const TURNED_AWAY: [&[u8]; 2] = [b"-ERR max number of clients", b"-DENIED"];
    match said {
        // The types of TLS records, and the first byte of the TLS version.
        [0x14..=0x17, 3, ..] => {
            Some(Fault::new(FaultKind::Unreachable, "the server speaks TLS: write rediss:// in place of redis://"))
        }
        [_, words @ ..] if TURNED_AWAY.into_iter().any(|begin| said.starts_with(begin)) => {
            let line = words.split(|byte| *byte == b'\r').next().unwrap_or_default();
            Some(Fault::new(FaultKind::LoginRefused, one_line(&String::from_utf8_lossy(line))))
        }
        _ => None,
    }
}

/// A value as it is shown in a table, bounded whatever its size.
pub(super) fn shown(value: &impl fmt::Debug) -> String {
    /// Accepts this number of bytes, and then fails.
    struct Beginning(String);

    impl fmt::Write for Beginning {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend(text.chars().take(4 * LEN_MAX));
            if self.0.len() > 4 * LEN_MAX { Err(fmt::Error) } else { Ok(()) }
        }
    }

    let mut beginning = Beginning(String::new());
    // An error only means that it is full.
    let _ = write!(beginning, "{value:?}");
    one_line(&beginning.0)
}

/// The most characters of a detail.
const LEN_MAX: usize = 160;

/// A detail as it is shown in a table. The server may be any program, so the text may be anything.
pub(super) fn one_line(text: &str) -> String {
    let end = text.char_indices().nth(16 * LEN_MAX).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end).unwrap_or_default();
    let folded = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let folded = folded.collect::<Vec<_>>().join(" ");
    let mut line = String::new();
    for (at, c) in folded.chars().enumerate() {
        match c {
            _ if at == LEN_MAX => {
                line.push('…');
                break;
            }
            // Some characters change the writing direction, and some are invisible.
            '"' | '\'' | '\\' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
    }
    line
}

fn of_code(code: &str, detail: &str) -> FaultKind {
    match code {
        "WRONGTYPE" => FaultKind::WrongType,
        "OOM" => FaultKind::OutOfMemory,
        "NOPERM" => FaultKind::NoPermission,
        "LOADING" => FaultKind::Loading,
        "BUSY" => FaultKind::Busy,
        "READONLY" => FaultKind::ReadOnly,
        "MISCONF" | "NOREPLICAS" | "MASTERDOWN" => FaultKind::WritesRefused,
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => FaultKind::Moved,
        "NOAUTH" | "WRONGPASS" => FaultKind::Authentication,
        "FORGOT" => FaultKind::Forgot,
        "DENIED" => FaultKind::LoginRefused,
        "ERR" if detail.contains("not an integer") => FaultKind::WrongType,
        "ERR" if detail.starts_with("max number of clients") => FaultKind::LoginRefused,
        // Servers before 7.0 put the code of an error inside the message of a script.
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
            ("BUSY", "Redis is busy running a script.", FaultKind::Busy),
            ("MISCONF", "Redis is configured to save RDB snapshots", FaultKind::WritesRefused),
            ("ERR", "Error running script: -OOM command not allowed", FaultKind::OutOfMemory),
            ("ERR", "value is not an integer or out of range", FaultKind::WrongType),
            ("ERR", "max number of clients reached", FaultKind::LoginRefused),
        ] {
            assert_eq!(of_code(code, detail), kind, "{code} {detail}");
        }
    }

    #[test]
    fn r10_the_first_words_of_a_server_tell_more_than_that_it_hung_up() {
        for (said, words) in [
            (&b"-ERR max number of clients reached\r\n"[..], "login refused (ERR max number of clients reached)"),
            (
                b"-DENIED Redis is running in protected mode\r\n",
                "login refused (DENIED Redis is running in protected mode)",
            ),
            (
                b"\x15\x03\x03\0\x02\x02\x46",
                "unreachable (the server speaks TLS: write rediss:// in place of redis://)",
            ),
        ] {
            let fault = of_login(None, said, true, false).map(|fault| fault.to_string());
            assert_eq!(fault.as_deref(), Some(words));
        }
        assert_eq!(of_login(None, b"%7\r\n", true, false), None);
    }

    #[test]
    fn r6_what_a_server_says_is_bounded_and_stays_on_its_line() {
        let long = one_line(&"long ".repeat(100_000));
        assert!(long.chars().count() == LEN_MAX + 1 && long.ends_with('…'), "{long}");
        assert_eq!(one_line("a\r\n\x1b[2J\u{202e}b 'c'"), "a [2J\\u{202e}b 'c'");
        assert!(shown(&vec!["x".repeat(1_000_000); 3]).chars().count() <= LEN_MAX + 1);
    }
}
