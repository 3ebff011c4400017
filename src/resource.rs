//! [`Resource`]: the validated name of the thing that a lock protects.

use std::fmt;
use std::sync::Arc;

use crc::{CRC_16_XMODEM, Crc};

/// The hash function of Redis Cluster.
const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// The name of a protected resource. Every lock, token and verdict belongs to one.
///
/// A name is 1 to [`Resource::LEN_MAX`] bytes of UTF-8 without control characters. Only this type checks names, so no
/// other layer has to. Cloning is one atomic increment.
///
/// ```
/// use redfence::Resource;
///
/// let invoice = Resource::new("invoice:42")?;
/// assert_eq!(invoice.as_str(), "invoice:42");
/// assert!(Resource::new("").is_err());
/// # Ok::<(), redfence::ResourceError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    name: Arc<str>,
    slot: u16,
}

impl Resource {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 512;

    /// How many counters a node keeps. Each resource belongs to one of these slots.
    ///
    /// Counters belong to slots, not to resources, so any number of names costs a bounded number of permanent keys.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const SLOTS: u16 = 1024;

    /// Checks `name` and makes it a resource.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] if the name is empty, longer than [`Resource::LEN_MAX`] bytes, or has a control character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, ResourceError> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(ResourceError::Empty);
        }
        if name.len() > Self::LEN_MAX {
            return Err(ResourceError::TooLong { len: name.len() });
        }
        if let Some(at) = name.find(char::is_control) {
            return Err(ResourceError::ControlCharacter { at });
        }
        let slot = CRC16.checksum(name.as_bytes()) % Self::SLOTS;
        Ok(Self { name: Arc::from(name), slot })
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The counter slot: CRC16 of the name modulo [`Resource::SLOTS`].
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn slot(&self) -> u16 {
        self.slot
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({:?})", &*self.name)
    }
}

impl TryFrom<&str> for Resource {
    type Error = ResourceError;

    fn try_from(name: &str) -> Result<Self, ResourceError> {
        Self::new(name)
    }
}

impl TryFrom<String> for Resource {
    type Error = ResourceError;

    fn try_from(name: String) -> Result<Self, ResourceError> {
        Self::new(name)
    }
}

impl TryFrom<&String> for Resource {
    type Error = ResourceError;

    fn try_from(name: &String) -> Result<Self, ResourceError> {
        Self::new(name)
    }
}

impl TryFrom<&Self> for Resource {
    type Error = ResourceError;

    fn try_from(resource: &Self) -> Result<Self, ResourceError> {
        Ok(resource.clone())
    }
}

impl std::str::FromStr for Resource {
    type Err = ResourceError;

    fn from_str(name: &str) -> Result<Self, ResourceError> {
        Self::new(name)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Resource {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.name)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Resource {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::new(name).map_err(serde::de::Error::custom)
    }
}

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// The name has no characters.
    #[error("a resource name must not be empty: name the thing that the lock protects")]
    Empty,
    /// The name is longer than [`Resource::LEN_MAX`].
    #[error("a resource name has at most {max} bytes, this one has {len}: use an id or a hash of it", max = Resource::LEN_MAX)]
    TooLong {
        /// The length in bytes.
        len: usize,
    },
    /// The name has a control character, which could falsify what logs and listings show.
    #[error(
        "a resource name must not contain control characters, this one has one at byte {at}: leave it out or encode it"
    )]
    ControlCharacter {
        /// The position of the character, in bytes.
        at: usize,
    },
}

/// A [`Resource`] converts into itself without a check; this lets such calls satisfy the same bound.
impl From<std::convert::Infallible> for ResourceError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_that_of_redis_cluster() {
        // The Redis Cluster specification gives the check value CRC16("123456789") = 0x31C3.
        assert_eq!(CRC16.checksum(b"123456789"), 0x31C3);
        assert_eq!(Resource::new("123456789").unwrap().slot(), 0x31C3 % 1024);
    }

    #[test]
    fn names_are_checked_once() {
        for (name, expected) in [
            (String::new(), Some(ResourceError::Empty)),
            ("a".repeat(513), Some(ResourceError::TooLong { len: 513 })),
            ("a\nb".to_owned(), Some(ResourceError::ControlCharacter { at: 1 })),
            ("a".repeat(512), None),
            ("Rechnung für Köln".to_owned(), None),
        ] {
            assert_eq!(Resource::new(&name).err(), expected, "{name:?}");
        }
    }
}
