//! [`Occupant`]: the holder or the foreign program that has a lock on a node.

use std::borrow::Cow;
use std::fmt;

use crate::{Holder, Printable};

/// A holder or another program that has the lock of a resource on a node, by the value of the lock's key.
///
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) show it for people; [`Occupant::value`] is what the node
/// stores.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Occupant {
    /// A holder, of this process or another.
    Holder(Holder),
    /// Another program, which uses the key for something else. This is the value that it wrote; of a longer value, the
    /// first 256 bytes.
    Foreign(Box<[u8]>),
}

/// As many characters of another program's value are shown.
const FOREIGN_SHOWN_MAX: usize = 40;

impl Occupant {
    /// Reads the value of a key. Only what a holder writes to the byte is a holder.
    pub(crate) fn of_value(value: &[u8]) -> Self {
        // A holder's id is written in small letters, and read in any.
        let is_as_written = !value.iter().take_while(|byte| **byte != b' ').any(u8::is_ascii_uppercase);
        let holder = str::from_utf8(value).ok().filter(|_| is_as_written).and_then(|text| text.parse().ok());
        holder.map_or_else(|| Self::Foreign(value.into()), Self::Holder)
    }

    /// The holder, unless it is another program.
    #[must_use]
    pub const fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Holder(holder) => Some(holder),
            Self::Foreign(_) => None,
        }
    }

    /// Whether it is another program.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign(_))
    }

    /// What the node stores, raw, for machines: compare and store this. Bytes that are no text become U+FFFD.
    #[must_use]
    pub fn value(&self) -> Cow<'_, str> {
        match self {
            Self::Holder(holder) => Cow::Owned(holder.to_string()),
            Self::Foreign(value) => String::from_utf8_lossy(value),
        }
    }
}

impl From<Holder> for Occupant {
    fn from(holder: Holder) -> Self {
        Self::Holder(holder)
    }
}

/// `3f2a0b1c… worker-7`, or `a foreign client ("…")` with the beginning of its value.
impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holder(holder) => write!(f, "{holder:?}"),
            Self::Foreign(value) => {
                let text = String::from_utf8_lossy(value);
                write!(
                    f,
                    "a foreign client (\"{}\")",
                    Printable(&text.chars().take(FOREIGN_SHOWN_MAX).collect::<String>())
                )
            }
        }
    }
}

impl fmt::Debug for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HolderId, Label};

    #[test]
    fn only_what_a_holder_writes_is_a_holder() {
        let holder = Holder::new(HolderId::from_random(0xab << 120), Label::new("db-7 ä").unwrap());
        let value = holder.to_string();
        assert_eq!(Occupant::of_value(value.as_bytes()), Occupant::Holder(holder.clone()));
        assert_eq!(Occupant::from(holder).value(), value);
        let long = value.clone() + &"x".repeat(Label::LEN_MAX);
        let capital = value.replacen('a', "A", 1);
        for foreign in
            [&b""[..], b"app", b"next:", b"ab \xff", &value.as_bytes()[..30], long.as_bytes(), capital.as_bytes()]
        {
            let occupant = Occupant::of_value(foreign);
            assert!(matches!(&occupant, Occupant::Foreign(value) if **value == *foreign), "{occupant}");
        }
    }

    #[test]
    fn r13_a_foreign_value_is_shown_cut_and_escaped() {
        let shown = |value: &[u8]| Occupant::of_value(value).to_string();
        assert_eq!(shown(b"app"), "a foreign client (\"app\")");
        assert_eq!(shown(b"a\x1b[2J\xff"), "a foreign client (\"a\\u{1b}[2J\u{fffd}\")");
        assert_eq!(shown("\u{202e}".as_bytes()), "a foreign client (\"\\u{202e}\")");
        assert_eq!(shown(&[b'x'; 256]).len(), FOREIGN_SHOWN_MAX + "a foreign client (\"\")".len());
        assert_ne!(Occupant::of_value(b"\xfe"), Occupant::of_value(b"\xff"), "different bytes are different values");
    }
}
