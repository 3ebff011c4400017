//! Redis Cluster's slots.

use crc::{CRC_16_XMODEM, Crc};

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);
const SLOTS: u16 = 16_384;

/// The slot of a key in Redis Cluster: decided by the text between the first `{` and the next `}`, if that is not
/// empty.
#[must_use]
pub fn hash_slot(key: &[u8]) -> u16 {
    let tag = || {
        let (_, behind) = split_at_byte(key, b'{')?;
        let (tag, _) = split_at_byte(behind, b'}')?;
        (!tag.is_empty()).then_some(tag)
    };
    CRC16.checksum(tag().unwrap_or(key)) % SLOTS
}

fn split_at_byte(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|byte| *byte == at)?;
    Some((bytes.get(..position)?, bytes.get(position + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the Redis Cluster specification.
    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(hash_slot(b"123456789"), 0x31C3);
        for (one, other, is_same) in [
            ("{user1000}.following", "{user1000}.followers", true),
            ("foo{}{bar}", "{bar}", false),
            ("foo{{bar}}zap", "{bar", true),
            ("foo{bar}{zap}", "bar", true),
            ("redfence:fence:{user:7}:cart", "{user:7}:cart", true),
            ("redfence:fence:cart", "cart", false),
        ] {
            assert_eq!(hash_slot(one.as_bytes()) == hash_slot(other.as_bytes()), is_same, "{one} {other}");
        }
        assert_eq!(hash_slot(b"foo{}{bar}"), CRC16.checksum(b"foo{}{bar}") % SLOTS);
    }
}
