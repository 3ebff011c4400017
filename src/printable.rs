//! [`Printable`]: text from other programs, made safe for a terminal or a log.

use std::fmt;
#[cfg(feature = "redlock")]
use std::time::Duration;

/// Shows `text`, but escapes every character that is invisible or that changes how the text around it is shown:
/// control bytes and terminal sequences, line ends, characters that change the writing direction, characters of no
/// width, and spaces other than the plain one. Visible characters stay as they are.
///
/// Every program that can write to a node chooses names and labels. Compare and store the raw text; show this.
///
/// ```
/// use redfence::Printable;
///
/// assert_eq!(Printable("job-7 für Köln").to_string(), "job-7 für Köln");
/// assert_eq!(Printable("web\u{202e}7\u{1b}[2J").to_string(), r"web\u{202e}7\u{1b}[2J");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printable<'a>(
    /// The raw text.
    pub &'a str,
);

impl Printable<'_> {
    /// Whether the text is shown unchanged.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn is_plain(&self) -> bool {
        self.0.chars().all(is_plain)
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| !is_plain(*c)) {
            let (plain, from) = rest.split_at(at);
            write!(f, "{plain}{}", hidden.escape_default())?;
            rest = from.strip_prefix(hidden).unwrap_or_default();
        }
        f.write_str(rest)
    }
}

fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_control();
    }
    !is_invisible(c) && is_known_to_std(c)
}

/// Characters that have no visible form, although the standard library prints them: Unicode's
/// `Default_Ignorable_Code_Point` beyond the categories that the standard library escapes, and the blank Braille
/// pattern.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether the standard library prints this character. It escapes the Unicode categories of control, format,
/// surrogate, private and unassigned characters, and of separators. It prints a combining mark if the mark follows
/// another character.
fn is_known_to_std(c: char) -> bool {
    let mut text = [b'x', 0, 0, 0, 0];
    let [_, after @ ..] = &mut text;
    let len = 1 + c.encode_utf8(after).len();
    let text = text.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    text.escape_debug().nth(1) != Some('\\')
}

/// A wait in seconds, rounded up, so the text never promises less than the wait.
#[cfg(feature = "redlock")]
pub(crate) fn whole_seconds(left: Duration) -> String {
    format!("{} s", left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays_and_the_rest_is_escaped() {
        for plain in ["", "web-7:4711", "Köln", "ko\u{308}ln", "日本語", "שלום", "a\\b \"c\" 'd'", "🔒", "नमस्ते"]
        {
            assert_eq!(Printable(plain).to_string(), plain);
            assert!(Printable(plain).is_plain(), "{plain:?}");
        }
        for (hidden, shown) in [
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("\u{9b}2J\u{7f}\0", r"\u{9b}2J\u{7f}\u{0}"),
            ("x\u{202e}y\u{2066}z\u{200f}", r"x\u{202e}y\u{2066}z\u{200f}"),
            ("a\u{200b}b\u{200d}c\u{feff}d\u{ad}e", r"a\u{200b}b\u{200d}c\u{feff}d\u{ad}e"),
            ("l\u{2028}p\u{2029}n\u{85}", r"l\u{2028}p\u{2029}n\u{85}"),
            ("\u{3164}\u{115f}\u{ffa0}\u{2800}\u{34f}", r"\u{3164}\u{115f}\u{ffa0}\u{2800}\u{34f}"),
            ("\u{e0041}\u{fe0f}\u{a0}\u{3000}\u{e000}", r"\u{e0041}\u{fe0f}\u{a0}\u{3000}\u{e000}"),
        ] {
            assert_eq!(Printable(hidden).to_string(), shown);
            assert_eq!(Printable(&Printable(hidden).to_string()).to_string(), shown, "twice is once");
        }
    }

    #[test]
    fn no_control_no_direction_and_no_width_of_zero_is_ever_shown() {
        let directions = ['\u{61c}', '\u{200e}', '\u{200f}'].into_iter().chain('\u{202a}'..='\u{202e}');
        let no_width = ('\u{200b}'..='\u{200d}').chain('\u{2060}'..='\u{206f}').chain(['\u{feff}', '\u{180e}']);
        let controls = ('\0'..'\u{20}').chain('\u{7f}'..'\u{a0}');
        for c in directions.chain(no_width).chain(controls) {
            assert!(!is_plain(c), "{c:?}");
        }
    }
}
