#![doc = include_str!("../README.md")]

mod key;
mod keys;
mod text;

pub use key::{Key, KeyError};
pub use keys::{Keys, SignatureError, SignedToken};

/// The test vectors that every implementation has to pass: `vectors.json` of this crate.
///
/// Each row has the keys that are known (their secrets in hexadecimal), the text, the time of the check in milliseconds
/// since the Unix epoch, and the result of the check: `ok`, `malformed`, `unknown_key`, `bad_mac` or `expired`. A row
/// that is `ok` has what was signed, and signing it with the same key gives the same text.
///
#[doc = concat!("```json\n", include_str!("../vectors.json"), "\n```")]
pub const VECTORS: &str = include_str!("../vectors.json");
