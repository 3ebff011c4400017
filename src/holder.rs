//! [`Holder`]: the identity of a lock's holder, new for every attempt.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// The random identity of one attempt: 128 random bits, never used twice.
///
/// The caller passes the random bits, so a simulation can take them from its seed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HolderId(Uuid);

impl HolderId {
    /// An id from 128 random bits.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn from_random(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// The low 32 of its bits: as random as the whole, and drawn already.
    #[cfg(feature = "redlock")]
    pub(crate) const fn low_bits(self) -> u32 {
        let [.., a, b, c, d] = *self.0.as_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Writes all 32 hexadecimal digits, as a node stores them.
impl fmt::Display for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

/// Writes the first 8 digits, which are enough to tell holders apart in a log.
impl fmt::Debug for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, ..) = self.0.as_fields();
        write!(f, "{high:08x}…")
    }
}

impl FromStr for HolderId {
    type Err = HolderError;

    fn from_str(text: &str) -> Result<Self, HolderError> {
        if text.len() != 32 {
            return Err(HolderError::Id(text.to_owned()));
        }
        Uuid::try_parse(text).map(Self).map_err(|_| HolderError::Id(text.to_owned()))
    }
}

/// A holder: its id and a label for people, `3f2a…  worker-7`.
///
/// A node stores the id, a space and the label. It always compares this whole value, and users cannot choose the id.
/// So no holder passes for another one whose value only begins the same.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    id: HolderId,
    label: Label,
}

impl Holder {
    /// A holder of this id and label.
    #[must_use]
    pub const fn new(id: HolderId, label: Label) -> Self {
        Self { id, label }
    }

    /// The random part.
    #[must_use]
    pub const fn id(&self) -> HolderId {
        self.id
    }

    /// The part for people.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }
}

impl Holder {
    /// Appends what a node stores. It avoids the formatting machinery, because every attempt calls this.
    #[cfg(feature = "redis")]
    pub(crate) fn write(&self, to: &mut String) {
        to.push_str(self.id.0.simple().encode_lower(&mut [0; uuid::fmt::Simple::LENGTH]));
        to.push(' ');
        to.push_str(&self.label.0);
    }
}

/// What a node stores: id, a space, label.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.label)
    }
}

/// Writes the id shortened and the label with unprintable characters escaped, for people to read.
impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.id, crate::Printable(self.label.as_str()))
    }
}

impl FromStr for Holder {
    type Err = HolderError;

    fn from_str(text: &str) -> Result<Self, HolderError> {
        let (id, label) = text.split_once(' ').ok_or_else(|| HolderError::Shape(text.to_owned()))?;
        Ok(Self { id: id.parse()?, label: label.parse()? })
    }
}

/// A short text for people that says where a holder runs, for instance `db-7:4711`.
#[derive(Default, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Arc<str>);

impl Label {
    /// The longest label, in bytes.
    pub const LEN_MAX: usize = 128;

    /// Checks `text` and makes it a label. An empty label is allowed.
    ///
    /// # Errors
    ///
    /// [`HolderError::Label`] if it is longer than [`Label::LEN_MAX`] bytes or has a control character.
    pub fn new(text: impl AsRef<str>) -> Result<Self, HolderError> {
        let text = text.as_ref();
        if text.len() > Self::LEN_MAX || text.contains(char::is_control) {
            return Err(HolderError::Label(text.to_owned()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The place where this process runs: `<host>:<pid>`.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn of_this_process() -> Self {
        let uname = rustix::system::uname();
        let host: String = uname.nodename().to_string_lossy().chars().filter(|c| !c.is_control()).take(32).collect();
        Self(Arc::from(format!("{host}:{}", std::process::id())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl FromStr for Label {
    type Err = HolderError;

    fn from_str(text: &str) -> Result<Self, HolderError> {
        Self::new(text)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Holder {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Holder {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is not a holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HolderError {
    /// The id is not 32 hexadecimal digits.
    #[error("a holder id is 32 hexadecimal digits, got {0:?}: take it from what `acquire` printed")]
    Id(String),
    /// The label is too long or has a control character.
    #[error("a label has at most {max} bytes and no control characters, got {0:?}", max = Label::LEN_MAX)]
    Label(String),
    /// There is no space between id and label.
    #[error("a holder is an id, a space and a label, got {0:?}: is the key used by another program?")]
    Shape(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_prints_what_a_node_stores_and_reads_it_back() {
        let holder = Holder::new(HolderId::from_random(0xab << 120), Label::new("db-7 worker").unwrap());
        assert_eq!(holder.to_string(), "ab000000000000000000000000000000 db-7 worker");
        assert_eq!(holder.to_string().parse(), Ok(holder.clone()));
        assert_eq!(format!("{holder:?}"), "ab000000… db-7 worker");
    }

    #[test]
    fn what_is_no_holder_is_refused_with_its_reason() {
        assert_eq!("foobar".parse::<Holder>(), Err(HolderError::Shape("foobar".into())));
        assert_eq!("foo bar".parse::<Holder>(), Err(HolderError::Id("foo".into())));
        assert!(Label::new("a\u{1b}[2J").is_err());
        assert!(Label::new("x".repeat(129)).is_err());
        assert!(!Label::of_this_process().as_str().is_empty());
    }
}
