//! [`Key`]: a secret with a name.

use std::fmt;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::text;

/// A secret with which tokens are signed and checked, and its name in signed tokens.
///
/// The secret is hashed at once and wiped, and the two hash states that are kept are wiped when the key is dropped.
/// Data that `hmac` has on the stack while it reads the secret is not wiped.
#[derive(Clone)]
pub struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

impl Key {
    /// The longest id, in bytes.
    pub const ID_LEN_MAX: usize = 32;

    /// The shortest secret, in bytes: as many as the hash has.
    pub const SECRET_LEN_MIN: usize = 32;

    /// Takes a secret of random bytes. The id is public: every signed token contains it.
    ///
    /// # Errors
    /// [`KeyError`] if the id or the secret is invalid.
    pub fn new(id: impl Into<String>, secret: impl Into<Zeroizing<Vec<u8>>>) -> Result<Self, KeyError> {
        let (id, secret) = (id.into(), secret.into());
        if !text::is_key_id(&id) {
            return Err(KeyError::Id(id.chars().take(Self::ID_LEN_MAX).collect()));
        }
        let short = KeyError::Secret { len: secret.len() };
        if secret.len() < Self::SECRET_LEN_MIN {
            return Err(short);
        }
        // HMAC takes keys of any length, so this never fails.
        let mac = Hmac::new_from_slice(&secret).map_err(|_| short)?;
        Ok(Self { id, mac })
    }

    /// The public name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        self.mac.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The id, or the first characters of it.
    #[error("{0:?} is not a key id: use 1 to {max} of the characters A-Z, a-z, 0-9, - and _", max = Key::ID_LEN_MAX)]
    Id(String),
    /// The secret is too short.
    #[error("a secret has at least {min} random bytes, this one has {len}: take them from the system's random source", min = Key::SECRET_LEN_MIN)]
    Secret {
        /// Its length in bytes.
        len: usize,
    },
    /// Two keys have one id: a token could not say which one it means.
    #[error("there is a key with the id {0:?} already: give the new key a new id")]
    SameId(String),
    /// No key of this id.
    #[error("no key with the id {0:?} was accepted: accept it on every machine before one of them signs with it")]
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_keeps_is_wiped() {
        const fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
        // Hmac<Sha256> is two of these and a buffer that is empty between calls.
        is_wiped::<<Sha256 as hmac::EagerHash>::Core>();
        is_wiped::<Zeroizing<Vec<u8>>>();
    }

    #[test]
    fn keys_are_checked_and_never_printed() {
        assert_eq!(Key::new("a", vec![1; 31]).unwrap_err(), KeyError::Secret { len: 31 });
        for id in ["", "a.b", "ä", &"a".repeat(33)] {
            assert!(matches!(Key::new(id, vec![1; 32]), Err(KeyError::Id(_))), "{id:?}");
        }
        assert_eq!(format!("{:?}", Key::new("2026-11", vec![7; 32]).unwrap()), "Key { id: \"2026-11\", .. }");
    }
}
