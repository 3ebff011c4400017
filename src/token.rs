//! [`FencingToken`]: the ordered number that a resource server compares.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// A fencing token. It is greater than every token of the same resource whose lease was returned before this one's
/// acquire began.
///
/// Tokens are from 1 to [`FencingToken::MAX`], so they are exact in JavaScript, Lua and JSON numbers. Other systems
/// use 0 for "unfenced"; 0 is not a token here. In JSON, a token is a string.
///
/// The rule: the *resource* rejects a token lower than one it has seen
/// ([Kleppmann 2016](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html)).
///
/// ```
/// use redfence::FencingToken;
///
/// let older: FencingToken = "1844674407370".parse()?;
/// let newer = FencingToken::new(1_844_674_407_371)?;
/// assert!(older < newer);
/// assert!("0".parse::<FencingToken>().is_err());
/// # Ok::<(), redfence::TokenError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FencingToken(NonZeroU64);

impl FencingToken {
    /// The greatest token, 2^53 − 1: a double holds this integer and all smaller ones exactly.
    pub const MAX: u64 = (1 << 53) - 1;

    /// Checks `number` and makes it a token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] for 0 and for numbers above [`FencingToken::MAX`].
    pub const fn new(number: u64) -> Result<Self, TokenError> {
        match NonZeroU64::new(number) {
            None => Err(TokenError::Unfenced),
            Some(_) if number > Self::MAX => Err(TokenError::TooLarge(number)),
            Some(number) => Ok(Self(number)),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl FromStr for FencingToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number) if all_digits => Self::new(number),
            _ => Err(TokenError::NotANumber(text.to_owned())),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for FencingToken {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Reads the string form, and integers too, because some producers write numbers.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for FencingToken {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = FencingToken;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fencing token: a string of digits or an integer")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<FencingToken, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<FencingToken, E> {
                FencingToken::new(number).map_err(E::custom)
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Why a number is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// 0 stands for "no fencing", and no verifier admits it.
    #[error("0 is not a fencing token, it means unfenced: pass the token of the lease")]
    Unfenced,
    /// Above [`FencingToken::MAX`].
    #[error("{0} is above the greatest fencing token {max} (2^53 - 1)", max = FencingToken::MAX)]
    TooLarge(u64),
    /// Not a decimal number.
    #[error("{0:?} is not a fencing token: a token is a decimal number")]
    NotANumber(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_positive_numbers_are_tokens() {
        for (text, good) in [
            ("1", true),
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("0", false),
            ("-1", false),
            ("+1", false),
            ("1.0", false),
            ("", false),
            ("99999999999999999999999", false),
        ] {
            assert_eq!(text.parse::<FencingToken>().is_ok(), good, "{text:?}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_carries_a_string_and_reads_both() {
        let token = FencingToken::new(9_007_199_254_740_991).unwrap();
        assert_eq!(serde_json::to_string(&token).unwrap(), "\"9007199254740991\"");
        assert_eq!(serde_json::from_str::<FencingToken>("\"9007199254740991\"").unwrap(), token);
        assert_eq!(serde_json::from_str::<FencingToken>("9007199254740991").unwrap(), token);
        assert!(serde_json::from_str::<FencingToken>("9.5").is_err());
    }
}
