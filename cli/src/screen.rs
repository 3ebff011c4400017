//! Escapes everything that this program prints to a terminal, a log or a pipe.
//!
//! Other programs choose names, labels and error texts. Commands escape them within their own sentences; this module
//! still protects the terminal if a command forgets it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use redfence::Printable;
use tracing_subscriber::fmt::MakeWriter;

/// Lines for people. Line ends and our own colours stay; every other invisible character is escaped.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn line(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut shown = Printable(parts.next().unwrap_or_default()).to_string();
    for part in parts {
        let colour = part.find('m').filter(|end| part.starts_with('[') && part.get(1..*end).is_some_and(is_colour));
        let (colour, rest) = colour.map_or(("", part), |end| part.split_at(end + 1));
        shown += if colour.is_empty() { r"\u{1b}" } else { "\u{1b}" };
        shown += colour;
        let _ = write!(shown, "{}", Printable(rest));
    }
    shown
}

/// Whether these are the parameters of a sequence that sets or resets a colour, bold or dim.
fn is_colour(parameters: &str) -> bool {
    parameters
        .split(';')
        .all(|one| matches!(one, "" | "0" | "1" | "2" | "3" | "4" | "22" | "31" | "32" | "33" | "34" | "35" | "36"))
}

/// JSON for machines: the same value, with every character escaped that is not safe on a terminal.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    if Printable(text).is_plain() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if Printable(c.encode_utf8(&mut [0; 4])).is_plain() {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(shown)
}

/// Standard error for the lines of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl io::Write for Log {
    /// Writes a whole line at a time, as the formatter passes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(lines(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{BAD, DIM, GOOD, STRONG};

    #[test]
    fn our_colours_and_the_ends_of_lines_pass_and_nothing_else() {
        let ours = format!("{BAD}a{BAD:#} {GOOD}b{GOOD:#}\n{DIM}c{DIM:#} {STRONG}d{STRONG:#}");
        assert_eq!(lines(&ours), ours);
        for (text, shown) in [
            ("a\u{202e}b\nc\u{200b}", "a\\u{202e}b\nc\\u{200b}"),
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("\u{1b}[8mhidden", "\\u{1b}[8mhidden"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m\r", "\\u{9b}31m\\r"),
        ] {
            assert_eq!(lines(text), shown);
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let name = "a\u{202e}b\u{9b}c\u{e0041}d日";
        let text = serde_json::to_string(name).unwrap();
        let shown = json(&text);
        assert!(Printable(&shown).is_plain(), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), name);
    }
}
