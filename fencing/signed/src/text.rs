//! The text of a signed token: `redfence1.KEY.EXPIRES.TOKEN.RESOURCE.MAC`, in exactly one form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use redfence::{FencingToken, Resource};

use crate::Key;

/// The name of the format and its version.
const FORMAT: &str = "redfence1";
/// Decimal digits of 2^53 - 1, which bounds both numbers, so that every language reads them exactly.
const DIGITS_MAX: usize = 16;
pub(crate) const NUMBER_MAX: u64 = FencingToken::MAX;
pub(crate) const MAC_LEN: usize = 32;
/// Format, key, expiry, token, resource, MAC, and five dots.
pub(crate) const LEN_MAX: usize =
    FORMAT.len() + Key::ID_LEN_MAX + 2 * DIGITS_MAX + base64_len(Resource::LEN_MAX) + base64_len(MAC_LEN) + 5;

const fn base64_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// What is signed, and what the signature covers: everything before the last dot.
pub(crate) fn unsigned(key_id: &str, expires_ms: u64, token: FencingToken, resource: &Resource) -> String {
    format!("{FORMAT}.{key_id}.{expires_ms}.{token}.{}", BASE64.encode(resource.as_str()))
}

pub(crate) fn signed(unsigned: &str, mac: &[u8]) -> String {
    format!("{unsigned}.{}", BASE64.encode(mac))
}

/// A text that has the form of a signed token. Its content must not be trusted before the MAC is checked.
pub(crate) struct Claim<'a> {
    pub(crate) signed: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) expires_ms: u64,
    pub(crate) token: FencingToken,
    pub(crate) resource: Resource,
    pub(crate) mac: Vec<u8>,
}

impl<'a> Claim<'a> {
    /// Reads the one form; on failure says which part is wrong.
    pub(crate) fn read(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > LEN_MAX {
            return Err("it is too long");
        }
        let mut parts = text.split('.');
        let mut next = || parts.next().unwrap_or_default();
        let (format, key_id, expires, token, resource, mac) = (next(), next(), next(), next(), next(), next());
        if parts.next().is_some() || mac.is_empty() {
            return Err("it does not have six parts");
        }
        if format != FORMAT {
            return Err("it does not begin with redfence1");
        }
        if !is_key_id(key_id) {
            return Err("its key id is not 1 to 32 of the allowed characters");
        }
        let expires_ms = number(expires).ok_or("its expiry is not a number of milliseconds")?;
        let token = number(token).and_then(|n| FencingToken::new(n).ok()).ok_or("its token is not a fencing token")?;
        let name = BASE64.decode(resource).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let resource = name.and_then(|name| Resource::new(name).ok()).ok_or("its resource is not a name")?;
        let mac = BASE64.decode(mac).ok().filter(|mac| mac.len() == MAC_LEN).ok_or("its MAC does not have 32 bytes")?;
        let signed = text.rsplit_once('.').map_or("", |(signed, _)| signed);
        Ok(Self { signed, key_id, expires_ms, token, resource, mac })
    }
}

pub(crate) fn is_key_id(id: &str) -> bool {
    (1..=Key::ID_LEN_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A decimal number in its shortest form, up to 2^53 - 1.
fn number(text: &str) -> Option<u64> {
    let shortest = text == "0" || !text.starts_with('0');
    let digits = (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| shortest && digits && *number <= NUMBER_MAX)
}
