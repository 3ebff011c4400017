//! The grammar of the header: the few productions of structured fields (RFC 9651) that it consists of.

/// Why a field was refused, and where: an offset in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

/// Reads a field from its start. Every step takes at least one byte or fails.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(field: &'a [u8]) -> Self {
        Self { rest: field, at: 0 }
    }

    pub(crate) const fn broken<T>(&self, expected: &'static str) -> Result<T, Broken> {
        Err(Broken { at: self.at, expected })
    }

    /// Exactly this text.
    pub(crate) fn literal(&mut self, text: &'static str) -> Result<(), Broken> {
        match self.rest.strip_prefix(text.as_bytes()) {
            Some(rest) => {
                self.at += text.len();
                self.rest = rest;
                Ok(())
            }
            None => self.broken(text),
        }
    }

    /// `*SP`
    pub(crate) fn spaces(&mut self) {
        while self.rest.first() == Some(&b' ') {
            self.next();
        }
    }

    pub(crate) const fn end(&self) -> Result<(), Broken> {
        if self.rest.is_empty() { Ok(()) } else { self.broken("nothing more") }
    }

    /// A String (3.3.3) or a Display String (3.3.8).
    pub(crate) fn any_string(&mut self) -> Result<String, Broken> {
        if self.rest.first() == Some(&b'%') { self.display_string() } else { self.string() }
    }

    /// A String: visible ASCII and spaces in quotes, with `\"` and `\\`.
    pub(crate) fn string(&mut self) -> Result<String, Broken> {
        self.literal("\"")?;
        let mut read = String::new();
        loop {
            match self.next() {
                Some(b'"') => return Ok(read),
                Some(b'\\') => match self.next() {
                    Some(escaped @ (b'"' | b'\\')) => read.push(char::from(escaped)),
                    _ => return self.broken("\" or \\ after a backslash"),
                },
                Some(plain @ b' '..=b'~') => read.push(char::from(plain)),
                _ => return self.broken("a string of ASCII characters in quotes"),
            }
        }
    }

    /// A Display String: `%`, then UTF-8 in quotes, where all but visible ASCII is percent-encoded with small letters.
    fn display_string(&mut self) -> Result<String, Broken> {
        self.literal("%\"")?;
        let mut read = Vec::new();
        loop {
            match self.next() {
                Some(b'"') => break,
                Some(b'%') => match (self.next().and_then(small_hex), self.next().and_then(small_hex)) {
                    (Some(high), Some(low)) => read.push(high << 4 | low),
                    _ => return self.broken("two hexadecimal digits in small letters after %"),
                },
                Some(plain @ b' '..=b'~') => read.push(plain),
                _ => return self.broken("a percent-encoded string in quotes"),
            }
        }
        String::from_utf8(read).or_else(|_| self.broken("percent-encoded UTF-8"))
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.at += 1;
        self.rest = rest;
        Some(*first)
    }
}

const fn small_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Writes a String where `text` is ASCII, and else a Display String.
pub(crate) fn write_string(text: &str, to: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let hex = |half: u8| HEX.get(usize::from(half & 15)).copied().map_or('0', char::from);
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        to.push('"');
        for char in text.chars() {
            if matches!(char, '"' | '\\') {
                to.push('\\');
            }
            to.push(char);
        }
    } else {
        to.push_str("%\"");
        for byte in text.bytes() {
            match byte {
                b'%' | b'"' | 0..=0x1f | 0x7f..=0xff => to.extend(['%', hex(byte >> 4), hex(byte)]),
                plain => to.push(char::from(plain)),
            }
        }
    }
    to.push('"');
}
