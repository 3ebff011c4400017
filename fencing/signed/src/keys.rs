//! [`Keys`]: signs with one key, checks with all.

use hmac::Mac as _;
use redfence::{FencingToken, Resource, WallTime};

use crate::text::{self, Claim};
use crate::{Key, KeyError};

/// The keys of one machine: the first signs, all of them check.
///
/// ```
/// use redfence::{FencingToken, Resource, WallTime};
/// use redfence_signed_token::{Key, Keys, SignatureError};
///
/// # let (secret, new_secret) = (vec![1; 32], vec![2; 32]);
/// let (orders, token) = (Resource::new("orders/42")?, FencingToken::new(1_882_557_276_749_825)?);
/// let now = WallTime::from_unix_ms(1_795_930_000_000); // SystemClock.wall()
///
/// let mut keys = Keys::new(Key::new("2026-11", secret)?);
/// let text = keys.sign(&orders, token, now.after(std::time::Duration::from_secs(30)));
/// assert_eq!(keys.verify(&text, now)?.token, token);
///
/// // First every machine accepts the new key, then it signs; what the old one signed passes until it is retired.
/// keys.accept(Key::new("2026-12", new_secret)?)?;
/// keys.sign_with("2026-12")?;
/// assert!(keys.verify(&text, now).is_ok());
/// keys.retire("2026-11");
/// assert_eq!(keys.verify(&text, now), Err(SignatureError::UnknownKey { id: "2026-11".into() }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Keys {
    signing: Key,
    others: Vec<Key>,
}

impl Keys {
    /// Signs and checks with `signing`.
    #[must_use]
    pub const fn new(signing: Key) -> Self {
        Self { signing, others: Vec::new() }
    }

    /// Checks with `key` as well. The first step of a rotation, on every machine, before any machine signs with it.
    ///
    /// # Errors
    ///
    /// [`KeyError::SameId`] when there is a key with its id.
    pub fn accept(&mut self, key: Key) -> Result<(), KeyError> {
        if self.find(key.id()).is_some() {
            return Err(KeyError::SameId(key.id().to_owned()));
        }
        self.others.push(key);
        Ok(())
    }

    /// Signs with the key `id` from now on, which [`accept`](Self::accept) named before. The previous key still checks.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unknown`] when no key of that id was accepted.
    pub fn sign_with(&mut self, id: &str) -> Result<(), KeyError> {
        if let Some(key) = self.others.iter_mut().find(|key| key.id() == id) {
            std::mem::swap(&mut self.signing, key);
        } else if self.signing.id() != id {
            return Err(KeyError::Unknown(id.chars().take(Key::ID_LEN_MAX).collect()));
        }
        Ok(())
    }

    /// Stops checking with the key `id`. False if no key of that id was accepted, or if it is the signing key, which
    /// cannot be retired: sign with another key first.
    pub fn retire(&mut self, id: &str) -> bool {
        let before = self.others.len();
        self.others.retain(|other| other.id() != id);
        self.others.len() < before
    }

    /// Signs `token` for `resource` until `expires`, in whole milliseconds, at most 2^53 - 1 of them after the Unix epoch.
    #[must_use]
    pub fn sign(&self, resource: &Resource, token: FencingToken, expires: WallTime) -> String {
        let expires_ms = expires.unix_ms().min(text::NUMBER_MAX);
        let unsigned = text::unsigned(self.signing.id(), expires_ms, token, resource);
        let mac = self.signing.mac().chain_update(&unsigned).finalize().into_bytes();
        text::signed(&unsigned, &mac)
    }

    /// Checks form, key, MAC and expiry, in this order. The MAC is compared in constant time. The result was signed by
    /// a process that has the key. Only the fence can say whether the token is *stale*.
    ///
    /// # Errors
    ///
    /// [`SignatureError`].
    pub fn verify(&self, text: &str, now: WallTime) -> Result<SignedToken, SignatureError> {
        let claim = Claim::read(text).map_err(|part| SignatureError::Malformed { part })?;
        let key = self.find(claim.key_id).ok_or_else(|| SignatureError::UnknownKey { id: claim.key_id.to_owned() })?;
        key.mac().chain_update(claim.signed).verify_slice(&claim.mac).map_err(|_| SignatureError::BadMac)?;
        if claim.expires_ms <= now.unix_ms() {
            return Err(SignatureError::Expired { for_ms: now.unix_ms() - claim.expires_ms });
        }
        let expires = WallTime::from_unix_ms(claim.expires_ms);
        Ok(SignedToken { resource: claim.resource, token: claim.token, expires, key_id: claim.key_id.to_owned() })
    }

    fn find(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.signing).chain(&self.others).find(|key| key.id() == id)
    }
}

/// The content of a signed token, after its MAC and its expiry were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedToken {
    /// The resource that the token is good for, and no other.
    pub resource: Resource,
    /// The fencing token.
    pub token: FencingToken,
    /// When it stops passing.
    pub expires: WallTime,
    /// The key that signed it.
    pub key_id: String,
}

impl SignedToken {
    /// The longest text of a signed token, in bytes.
    pub const LEN_MAX: usize = text::LEN_MAX;
}

/// Why a signed token did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not the text of a signed token.
    #[error("this is not a signed token: {part}; pass what sign() returned, unchanged")]
    Malformed {
        /// What is wrong with it.
        part: &'static str,
    },
    /// Signed with a key that is not known here.
    #[error(
        "the token was signed with the key {id:?}, which is not known here: accept the key before others sign with it"
    )]
    UnknownKey {
        /// Its id.
        id: String,
    },
    /// Not signed with this key, or changed since.
    #[error("the MAC is wrong: the token was changed, or signed with another secret under the same key id")]
    BadMac,
    /// The token was valid but has expired.
    #[error("the signed token expired {for_ms} ms ago: sign the token of the lease again, and compare the clocks")]
    Expired {
        /// How long ago, in milliseconds, by the clock of the check.
        for_ms: u64,
    },
}
