//! The meaning of the numbers that the statements return.

use redfence::FencingToken;

use crate::FenceError;

/// The token as SQL's BIGINT, which holds every token exactly.
#[must_use]
pub const fn bigint(token: FencingToken) -> i64 {
    // Tokens end at 2^53 - 1.
    token.get().cast_signed()
}

/// The token that a BIGINT column holds.
///
/// # Errors
///
/// [`FenceError::NotAToken`] for numbers that are none.
pub fn from_bigint<E>(found: i64) -> Result<FencingToken, FenceError<E>> {
    let number = u64::try_from(found).map_err(|_| FenceError::NotAToken { found })?;
    FencingToken::new(number).map_err(|_| FenceError::NotAToken { found })
}

/// Judges the number that `ADMIT` returned for `token`.
///
/// # Errors
///
/// [`FenceError::Stale`] if it is greater. [`FenceError::NotAToken`] if it is lower, or no token: then the statement
/// was a different one, or the table is not the fence's.
pub fn judge<E>(token: FencingToken, highest: i64) -> Result<(), FenceError<E>> {
    if highest == bigint(token) {
        return Ok(());
    }
    match from_bigint(highest)? {
        newer if newer > token => Err(FenceError::Stale { highest: newer }),
        _ => Err(FenceError::NotAToken { found: highest }),
    }
}

/// Judges a fenced UPDATE that found `rows` rows. If it found none, `highest` is the row's token as read afterwards, or
/// `None` if there is no such row.
///
/// # Errors
///
/// [`FenceError::Stale`], [`FenceError::Missing`], or [`FenceError::Retry`] when the row's token does not explain why it was
/// not updated: it was made or changed between the two statements.
pub fn judge_update<E>(token: FencingToken, rows: u64, highest: Option<i64>) -> Result<(), FenceError<E>> {
    match highest {
        _ if rows > 0 => Ok(()),
        None => Err(FenceError::Missing),
        Some(highest) if highest > bigint(token) => Err(FenceError::Stale { highest: from_bigint(highest)? }),
        Some(_) => Err(FenceError::Retry(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Judged = Result<(), FenceError<std::fmt::Error>>;

    fn token(n: u64) -> FencingToken {
        FencingToken::new(n).unwrap()
    }

    #[test]
    fn the_number_that_comes_back_is_the_verdict() {
        let cases: [(i64, Judged); 5] = [
            (7, Ok(())),
            (8, Err(FenceError::Stale { highest: token(8) })),
            (6, Err(FenceError::NotAToken { found: 6 })),
            (-1, Err(FenceError::NotAToken { found: -1 })),
            (i64::MAX, Err(FenceError::NotAToken { found: i64::MAX })),
        ];
        for (highest, expected) in cases {
            assert_eq!(judge(token(7), highest), expected, "{highest}");
        }
    }

    #[test]
    fn no_row_updated_is_stale_or_missing_or_a_race() {
        let cases: [(u64, Option<i64>, Judged); 6] = [
            (1, None, Ok(())),
            (2, Some(9), Ok(())),
            (0, None, Err(FenceError::Missing)),
            (0, Some(8), Err(FenceError::Stale { highest: token(8) })),
            (0, Some(7), Err(FenceError::Retry(None))),
            (0, Some(0), Err(FenceError::Retry(None))),
        ];
        for (rows, highest, expected) in cases {
            assert_eq!(judge_update(token(7), rows, highest), expected, "{rows} {highest:?}");
        }
    }

    #[test]
    fn every_token_fits_a_bigint() {
        for n in [1, 2, FencingToken::MAX - 1, FencingToken::MAX] {
            assert_eq!(from_bigint::<std::fmt::Error>(bigint(token(n))), Ok(token(n)));
        }
    }
}
