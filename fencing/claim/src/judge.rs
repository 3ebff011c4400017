//! The meaning of the token in a fence.

use std::cmp::Ordering;

use redfence::FencingToken;

use crate::ClaimError;

/// The token as sixteen decimal digits, so that the order of the text is the order of the tokens.
#[must_use]
pub fn digits(token: FencingToken) -> String {
    // Tokens end at 2^53 - 1, which has sixteen.
    format!("{:016}", token.get())
}

/// The token that [`digits`] wrote.
///
/// # Errors
///
/// [`ClaimError::NotAFence`] for anything else.
pub fn from_digits<E>(text: &[u8]) -> Result<FencingToken, ClaimError<E>> {
    let number = match std::str::from_utf8(text) {
        Ok(text) if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse::<u64>().ok(),
        _ => None,
    };
    number.and_then(|number| FencingToken::new(number).ok()).ok_or(ClaimError::NotAFence)
}

/// Whether `token` may claim a fence that holds `found`. An equal token may, so that a claim can be repeated.
///
/// # Errors
///
/// [`ClaimError::Stale`] if not.
pub fn judge_claim<E>(token: FencingToken, found: Option<FencingToken>) -> Result<(), ClaimError<E>> {
    match found {
        Some(highest) if highest > token => Err(ClaimError::Stale { highest }),
        _ => Ok(()),
    }
}

/// Why a write of a claim by `token` was refused, given what the fence holds now. It must not be the write itself.
pub fn judge_refusal<E>(token: FencingToken, found: Option<FencingToken>) -> ClaimError<E> {
    match found.map(|found| (found.cmp(&token), found)) {
        None => ClaimError::Missing,
        Some((Ordering::Greater, highest)) => ClaimError::Stale { highest },
        Some((Ordering::Equal, _)) => ClaimError::Retry,
        Some((Ordering::Less, found)) => ClaimError::Lost { found },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Error = ClaimError<std::fmt::Error>;

    fn token(n: u64) -> FencingToken {
        FencingToken::new(n).unwrap()
    }

    #[test]
    fn digits_keep_order_and_value() {
        let mut before = String::new();
        for n in [1, 2, 9, 10, 4_095, FencingToken::MAX - 1, FencingToken::MAX] {
            let text = digits(token(n));
            assert!(before < text, "{before} {text}");
            assert_eq!(from_digits::<std::fmt::Error>(text.as_bytes()), Ok(token(n)));
            before = text;
        }
        for text in ["", "1", "0000000000000000", "+000000000000001", "9999999999999999", "00000000000000001"] {
            assert_eq!(from_digits::<std::fmt::Error>(text.as_bytes()), Err(Error::NotAFence), "{text:?}");
        }
    }

    #[test]
    fn an_equal_token_claims_and_a_lower_one_does_not() {
        let cases = [(None, Ok(())), (Some(6), Ok(())), (Some(7), Ok(())), (Some(8), Err(8))];
        for (found, expected) in cases {
            let expected = expected.map_err(|highest| Error::Stale { highest: token(highest) });
            assert_eq!(judge_claim(token(7), found.map(token)), expected, "{found:?}");
        }
    }

    #[test]
    fn a_refusal_is_one_of_four() {
        let cases = [
            (None, Error::Missing),
            (Some(8), Error::Stale { highest: token(8) }),
            (Some(7), Error::Retry),
            (Some(6), Error::Lost { found: token(6) }),
        ];
        for (found, expected) in cases {
            assert_eq!(judge_refusal::<std::fmt::Error>(token(7), found.map(token)), expected, "{found:?}");
        }
    }
}
