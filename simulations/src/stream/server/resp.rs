//! RESP as a server speaks it: reads requests, writes replies of both versions of the protocol.

use bytes::{Bytes, BytesMut};

use super::double;

/// The version of the protocol that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Protocol {
    /// RESP2, until the client asks for more.
    #[default]
    Two,
    /// RESP3: it has maps, its own null, and messages without a request.
    Three,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    Status(Bytes),
    /// With its code in front and without the dash.
    Error(Bytes),
    Int(i64),
    Bulk(Bytes),
    /// In RESP2 a text.
    Double(f64),
    Null,
    /// A text that RESP3 marks as such.
    Verbatim(Bytes),
    Array(Vec<Reply>),
    /// Pairs; in RESP2 an array of twice the length.
    Map(Vec<(Reply, Reply)>),
    /// Arrays of two in RESP3; in RESP2 one of twice the length.
    Pairs(Vec<(Reply, Reply)>),
    /// Out of band in RESP3; an array in RESP2.
    Push(Vec<Reply>),
    /// Several replies to one request.
    Several(Vec<Reply>),
}

impl Reply {
    pub(super) const OK: Self = Self::Status(Bytes::from_static(b"OK"));

    pub(super) fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into().into())
    }

    pub(super) const fn text(text: &'static str) -> Self {
        Self::Bulk(Bytes::from_static(text.as_bytes()))
    }

    pub(super) fn flag(holds: bool) -> Self {
        Self::Int(i64::from(holds))
    }

    pub(super) fn counted(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn or_null(text: Option<Bytes>) -> Self {
        text.map_or(Self::Null, Self::Bulk)
    }

    /// Appends the reply as it goes over the connection.
    pub(super) fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) {
        let three = protocol == Protocol::Three;
        match self {
            Self::Status(text) => line(out, b'+', text),
            // Line ends inside of the line become spaces, as in servers.
            Self::Error(text) => {
                out.push(b'-');
                out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
                out.extend_from_slice(b"\r\n");
            }
            Self::Int(number) => count(out, b':', *number),
            Self::Bulk(text) => bulk(out, b'$', &[text]),
            Self::Double(number) if three => line(out, b',', double::print(*number).as_bytes()),
            Self::Double(number) => bulk(out, b'$', &[double::print(*number).as_bytes()]),
            Self::Null => out.extend_from_slice(if three { b"_\r\n" } else { b"$-1\r\n" }),
            Self::Verbatim(text) if three => bulk(out, b'=', &[b"txt:", text]),
            Self::Verbatim(text) => bulk(out, b'$', &[text]),
            Self::Array(parts) => all(out, b'*', parts, protocol),
            Self::Push(parts) => all(out, if three { b'>' } else { b'*' }, parts, protocol),
            Self::Pairs(pairs) if three => {
                header(out, b'*', pairs.len());
                for (first, second) in pairs {
                    header(out, b'*', 2);
                    first.encode(protocol, out);
                    second.encode(protocol, out);
                }
            }
            Self::Map(pairs) | Self::Pairs(pairs) => {
                let (kind, length) = if three { (b'%', pairs.len()) } else { (b'*', 2 * pairs.len()) };
                header(out, kind, length);
                for (key, value) in pairs {
                    key.encode(protocol, out);
                    value.encode(protocol, out);
                }
            }
            Self::Several(replies) => replies.iter().for_each(|reply| reply.encode(protocol, out)),
        }
    }
}

fn all(out: &mut Vec<u8>, kind: u8, parts: &[Reply], protocol: Protocol) {
    header(out, kind, parts.len());
    parts.iter().for_each(|part| part.encode(protocol, out));
}

fn header(out: &mut Vec<u8>, kind: u8, length: usize) {
    count(out, kind, i64::try_from(length).unwrap_or(i64::MAX));
}

fn count(out: &mut Vec<u8>, kind: u8, number: i64) {
    line(out, kind, number.to_string().as_bytes());
}

fn bulk(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    header(out, kind, parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// The result of parsing the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// No whole request yet.
    Incomplete,
    /// One request; empty ones are possible, and are not answered.
    Request(Vec<Bytes>),
    /// The rest cannot be parsed. The server sends an error and hangs up.
    Broken(String),
}

/// The most words a request may have, and the longest of them.
const WORDS_MAX: i64 = 1024 * 1024;
const WORD_LEN_MAX: i64 = 512 * 1024 * 1024;

/// Takes one request from the front of `input`, if all of it is there.
pub(super) fn parse(input: &mut BytesMut) -> Parsed {
    match input.first() {
        None => Parsed::Incomplete,
        Some(b'*') => parse_array(input),
        Some(_) => parse_inline(input),
    }
}

/// `*2`, and each word behind its length.
fn parse_array(input: &mut BytesMut) -> Parsed {
    let broken = |what: &str| Parsed::Broken(format!("ERR Protocol error: {what}"));
    let Some((words, mut at)) = header_at(input, 0) else { return Parsed::Incomplete };
    let Some(words) = words.filter(|words| *words <= WORDS_MAX) else { return broken("invalid multibulk length") };
    let mut ranges = Vec::new();
    for _ in 0..words {
        match input.get(at) {
            None => return Parsed::Incomplete,
            Some(b'$') => {}
            Some(other) => return broken(&format!("expected '$', got '{}'", char::from(*other))),
        }
        let Some((length, begin)) = header_at(input, at) else { return Parsed::Incomplete };
        let Some(length) = length.filter(|length| (0..=WORD_LEN_MAX).contains(length)) else {
            return broken("invalid bulk length");
        };
        let end = begin + usize::try_from(length).unwrap_or_default();
        at = end + 2;
        if input.len() < at {
            return Parsed::Incomplete;
        }
        ranges.push(begin..end);
    }
    let frame = input.split_to(at).freeze();
    Parsed::Request(ranges.into_iter().map(|range| frame.slice(range)).collect())
}

/// The number behind the byte at `at`, if it is one, and where the next line begins; `None` without a whole line.
fn header_at(input: &[u8], at: usize) -> Option<(Option<i64>, usize)> {
    let rest = input.get(at + 1..)?;
    let end = rest.iter().position(|byte| *byte == b'\r')?;
    rest.get(end + 1)?;
    Some((integer(rest.get(..end)?), at + 1 + end + 2))
}

/// Words with spaces between, as typed by hand.
fn parse_inline(input: &mut BytesMut) -> Parsed {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Parsed::Incomplete };
    let line = input.split_to(end + 1).freeze();
    let words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    Parsed::Request(words.map(|word| line.slice_ref(word)).collect())
}

/// A number as servers accept it: no plus, no space, no zero in front.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let is_canonical = matches!(text, [b'0'] | [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..]);
    if is_canonical { str::from_utf8(text).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_however_they_are_cut() {
        let whole = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\nPING  x\r\n*0\r\n";
        let words = |words: &[&'static str]| {
            Parsed::Request(words.iter().map(|word| Bytes::from_static(word.as_bytes())).collect())
        };
        let expected = [words(&["GET", "a\r\nb"]), words(&["PING", "x"]), words(&[])];
        for cut in 0..whole.len() {
            let (mut input, mut seen) = (BytesMut::new(), Vec::new());
            for part in [&whole[..cut], &whole[cut..]] {
                input.extend_from_slice(part);
                loop {
                    match parse(&mut input) {
                        Parsed::Incomplete => break,
                        other => seen.push(other),
                    }
                }
            }
            assert_eq!(seen, expected, "cut at {cut}");
        }
    }

    #[test]
    fn numbers_are_read_as_servers_read_them() {
        for (text, number) in [("0", Some(0)), ("-7", Some(-7)), ("9223372036854775807", Some(i64::MAX))] {
            assert_eq!(integer(text.as_bytes()), number);
        }
        for text in ["", "-", "-0", "+1", "01", " 1", "1 ", "9223372036854775808", "1e3"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
